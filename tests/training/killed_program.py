"""A training to be killed: `python killed_program.py FOLDER` goes on from the checkpoints in the folder, to the end.

It has what makes going on hard: workers that draw random numbers, an order drawn anew in each epoch, dropout,
batch-norm, a schedule per step, early stopping, an optimizer with state; and it writes a checkpoint after every other
step, so that it is often writing. At the end ``final.safetensors`` is the model.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

import autodiff as ad
import nn
import optim
from autodiff.data import DataLoader, Dataset
from autodiff.training import Checkpoints, EarlyStopping, fit

EPOCHS, ROWS, BATCH = 4, 72, 8


class Noisy(Dataset[Any]):
    """Points and whether they lie in a ring, each time with other noise from two generators."""

    def __init__(self) -> None:
        self.points = ad.randn(ROWS, 20)
        self.targets = (self.points.norm(dim=1) > 4.3).long()

    def __len__(self) -> int:
        return ROWS

    def __getitem__(self, index: int) -> tuple[ad.Tensor, ad.Tensor]:
        shift = np.random.normal(0.0, 0.01)  # noqa: NPY002 - as below
        return self.points[index] + 0.1 * ad.randn(20) + shift, self.targets[index]


def main(folder: Path) -> None:
    ad.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 - a stream that programs draw from
    train = DataLoader(Noisy(), BATCH, shuffle=True, num_workers=2, multiprocessing_context="fork")
    dev = ad.randn(40, 20)
    model = nn.Sequential(nn.Linear(20, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Dropout(0.4), nn.Linear(128, 2))
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, 0.02, total_steps=EPOCHS * len(train) + 1)
    print("begins", flush=True)
    fit(
        model, nn.CrossEntropyLoss(), optimizer, train, (dev, (dev.norm(dim=1) > 4.3).long()), epochs=EPOCHS,
        schedule=schedule, schedule_each="step", clip_norm=1.0, accumulate=2, early_stopping=EarlyStopping(3),
        checkpoints=Checkpoints(folder, every=2), resume=True, progress=False,
    )  # fmt: skip
    ad.save(model.state_dict(), folder / "final.safetensors")
    print("ends", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
