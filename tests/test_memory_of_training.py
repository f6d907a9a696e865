"""Training for long takes no more memory than training for a little."""

import gc
import resource
import sys
import tracemalloc
from collections.abc import Callable

import autodiff as ad
import nn
import optim


def training() -> Callable[[], None]:
    """A training step with what keeps something: Adam, dropout, batch normalisation, views, writes in place, hooks."""
    ad.manual_seed(0)
    features = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2))
    head = nn.Linear(16, 4)
    optimizer = optim.Adam([*features.parameters(), *head.parameters()], lr=1e-3)
    data, labels = ad.randn(32, 8), ad.randint(0, 4, (32,))

    def step() -> None:
        optimizer.zero_grad()
        x = data.clone()
        x[0] = 0.0
        hidden = features(x) * 1.0
        hidden[:, 1:3].mul_(2.0)
        hidden.view(-1)[3:].add_(0.1)
        hidden.register_hook(lambda g: g * 1.0)
        nn.functional.cross_entropy(head(hidden), labels).backward()
        optimizer.step()
        (head.weight.T.reshape(-1)[1:] * 2).sum()

    return step


def test_a_thousand_steps_hold_what_ten_held() -> None:
    step = training()
    held = []
    step()
    # What importing and building have left, not the steps.
    gc.collect()
    tracemalloc.start()
    try:
        for count in (10, 990):
            for _ in range(count):
                step()
            # Empties the interpreter's lists of free objects, which tracemalloc counts.
            assert gc.collect() == 0
            held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    # The smallest object that every step could leave takes 16 bytes, 15,840 in all; the interpreter moves by 1,300.
    assert held[1] - held[0] < 8 * 990


def test_the_process_does_not_grow() -> None:
    step = training()
    peaks = []
    for count in (200, 1000):
        for _ in range(count):
            step()
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))
    # The allocator's own granularity; one array of a step that were kept would be 2 MB.
    assert peaks[1] - peaks[0] < 1_000_000
