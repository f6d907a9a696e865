"""`fit` here beside the loop that one writes for PyTorch: the same losses, rates and weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import autodiff as ad
import nn
import optim
from autodiff.training import fit
from tests.training.networks import digits

EPOCHS, BATCH = 5, 16


def made(m: Any) -> tuple[Any, Any, Any]:
    """Data, model and optimizer of one library."""
    modules, optimizers = (torch.nn, torch.optim) if m is torch else (nn, optim)
    x, y = digits(100)
    m.manual_seed(0)
    model = modules.Sequential(
        modules.Linear(4, 16), modules.BatchNorm1d(16), modules.ReLU(), modules.Dropout(0.2), modules.Linear(16, 3)
    )
    # The gradient of the bias before the normalisation is rounding alone, of which Adam makes steps of full size in
    # float32 and of 1e-11 in float64.
    model = model.double()
    data = [m.from_numpy(part.numpy()) for part in (x[:80].double(), y[:80], x[80:].double(), y[80:])]
    return data, model, optimizers.Adam(model.parameters(), lr=0.02)


def loop_of_pytorch(clip: float) -> tuple[Any, dict[str, list[float]]]:
    (x, y, dev_x, dev_y), model, optimizer = made(torch)
    loss = torch.nn.CrossEntropyLoss()
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, threshold=0.2)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), BATCH, shuffle=True)
    history: dict[str, list[float]] = {"loss": [], "dev_loss": [], "lr": []}
    for _ in range(EPOCHS):
        model.train()
        total = 0.0
        for inputs, target in loader:
            optimizer.zero_grad()
            cost = loss(model(inputs), target)
            cost.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
            total += cost.item() * len(inputs)
        model.eval()
        with torch.no_grad():
            dev_loss = loss(model(dev_x), dev_y).item()
        for name, value in (("loss", total / len(x)), ("dev_loss", dev_loss), ("lr", optimizer.param_groups[0]["lr"])):
            history[name].append(value)
        schedule.step(dev_loss)
    return model, history


@pytest.mark.parametrize("clip", [0.3, 1e9])
def test_the_loop_of_pytorch_gives_the_same_numbers(clip: float) -> None:
    theirs, expected = loop_of_pytorch(clip)
    (x, y, dev_x, dev_y), model, optimizer = made(ad)
    history = fit(
        model, nn.CrossEntropyLoss(), optimizer, (x, y), (dev_x, dev_y), epochs=EPOCHS, batch_size=BATCH,
        schedule=optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, threshold=0.2), clip_norm=clip,
        progress=False,
    )  # fmt: skip
    assert len(set(expected["lr"])) > 1
    for name, values in expected.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-9)
    for name, value in theirs.state_dict().items():
        np.testing.assert_allclose(model.state_dict()[name].numpy(), value.numpy(), rtol=1e-8, atol=1e-8)
