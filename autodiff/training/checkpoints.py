"""Checkpoints of a training: a folder with the last few, each complete or absent."""

from __future__ import annotations

import warnings
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np

from autodiff.serialization import load, save
from autodiff.training.run import Run


class Checkpoints:
    """Where `fit` keeps its checkpoints: after each `every` steps, or after each epoch, in files ``step-00001000.pt``.

    The last `keep` stay. A file is written beside and renamed, so that a process that is killed, or a full disk, leaves
    the ones before as they are; what was half written is removed by the run that goes on. The format is PyTorch's,
    whose checksums find damage: a damaged newest checkpoint is set aside under the suffix ``.damaged`` with a warning,
    and the one before is taken. A folder is for one run at a time. ValueError for options out of range.

    >>> Checkpoints("runs/digits", every=1000, keep=2)
    Checkpoints('runs/digits', every=1000, keep=2)
    """

    def __init__(self, folder: str | PathLike[str], every: int | None = None, keep: int = 3) -> None:
        for name, value in (("every", every), ("keep", keep)):
            if not (isinstance(value, int) and value >= 1) and not (name == "every" and value is None):
                raise ValueError(f"Checkpoints: expected {name} to be a whole number from 1, got {value!r}")
        self.folder = Path(folder)
        self.every = every
        self.keep = keep

    def __repr__(self) -> str:
        return f"Checkpoints({fspath(self.folder)!r}, every={self.every}, keep={self.keep})"

    def files(self) -> list[Path]:
        """The checkpoints, the oldest first."""
        return sorted(self.folder.glob("step-*.pt"), key=lambda path: int(path.stem.removeprefix("step-")))

    def begin(self, run: Run, resume: bool) -> None:
        """Make the folder ready, and `run` go on from the newest checkpoint if there is one.

        FileExistsError for checkpoints in the folder if not `resume`, and the errors of `restore`.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        files = self.files()
        if files and not resume:
            raise FileExistsError(
                f"{self.folder} holds the checkpoints of another run, the newest {files[-1].name}: give resume=True to "
                f"go on from there, or another folder"
            )
        for half_written in self.folder.glob(".step-*.pt.*"):
            half_written.unlink()
        if files:
            self.restore(run)

    def write(self, run: Run) -> None:
        """Add a checkpoint, then remove those beyond the last `keep`.

        FloatingPointError if a parameter is not finite, OSError if it cannot be written; the others stay.
        """
        wrong = [name for name, p in run.model.named_parameters() if not np.isfinite(p.array).all()]
        if wrong:
            raise FloatingPointError(
                f"fit: after step {run.step} these parameters are infinite or nan: {', '.join(wrong)}; no checkpoint "
                f"was written of them. A smaller learning rate or clip_norm may help"
            )
        path = self.folder / f"step-{run.step:08d}.pt"
        try:
            save(run.state_dict(), path)
        except OSError as error:
            last = self.files()
            kept = f"the last good one is {last[-1]}" if last else "there is none before it"
            raise OSError(
                error.errno, f"{error.strerror}; the checkpoint of step {run.step} was not written, {kept}", str(path)
            ) from error
        for old in self.files()[: -self.keep]:
            old.unlink()

    def restore(self, run: Run) -> None:
        """Make `run` go on from the newest checkpoint that is not damaged, with a warning if that is not the newest.

        RuntimeError if all are damaged; ValueError, or RuntimeError for another model, naming what
        differs.
        """
        files = self.files()
        for path in reversed(files):
            state = _read(path)
            if state is not None:
                break
        else:
            raise RuntimeError(f"all checkpoints in {self.folder} are damaged; take another folder to begin anew")
        if not isinstance(state, dict) or "counts" not in state:
            raise ValueError(f"{path} is no checkpoint of fit: take another folder")
        try:
            run.load_state_dict(state)
        except (ValueError, RuntimeError) as error:
            kind = RuntimeError if isinstance(error, RuntimeError) else ValueError
            raise kind(f"the checkpoint {path} does not fit: {error}") from error


def _read(path: Path) -> Any:
    """The state in a file, or None, and the file set aside, if it is damaged."""
    try:
        return load(path)
    except ValueError as error:
        aside = path.with_name(f"{path.name}.damaged")
        path.rename(aside)
        warnings.warn(f"{error}; it is now {aside.name}, and the checkpoint before is taken", stacklevel=5)
        return None
