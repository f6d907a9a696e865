"""`fit` beside the same loop by hand: bit for bit."""

from __future__ import annotations

from typing import Any

import pytest

import autodiff as ad
import nn
import optim
from autodiff.data import DataLoader, TensorDataset
from autodiff.training import fit
from tests.training.networks import digits, network, weights


def loop_by_hand(
    model: nn.Module, optimizer: Any, loader: DataLoader, epochs: int, clip: float | None = None, accumulate: int = 1
) -> list[float]:
    losses = []
    loss = nn.CrossEntropyLoss()
    for _ in range(epochs):
        optimizer.zero_grad()
        for number, (x, y) in enumerate(loader, 1):
            cost = loss(model(x), y)
            losses.append(cost.item())
            (cost if accumulate == 1 else cost / accumulate).backward()
            if number % accumulate == 0:
                if clip is not None:
                    nn.utils.clip_grad_norm_(model.parameters(), clip)
                optimizer.step()
                optimizer.zero_grad()
    return losses


@pytest.mark.parametrize(("clip", "accumulate"), [(None, 1), (0.1, 1), (None, 3)])
def test_the_loop_by_hand_gives_the_same_bits(clip: float | None, accumulate: int) -> None:
    data = TensorDataset(*digits(96))
    own, by_hand = network(), network()
    ad.manual_seed(1)
    losses = loop_by_hand(
        by_hand, optim.Adam(by_hand.parameters()), DataLoader(data, 16, shuffle=True), 3, clip, accumulate
    )
    ad.manual_seed(1)
    history = fit(
        own, nn.CrossEntropyLoss(), optim.Adam(own.parameters()), DataLoader(data, 16, shuffle=True),
        epochs=3, clip_norm=clip, accumulate=accumulate, progress=False,
    )  # fmt: skip
    assert weights(own) == weights(by_hand)
    if accumulate == 1:
        assert history.steps["loss"] == losses
    assert len(history["loss"]) == 3
    assert len(history.steps["loss"]) == 18 / accumulate
