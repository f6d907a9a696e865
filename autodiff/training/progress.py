"""What a training shows while it runs: a bar with tqdm in a terminal, else a line an epoch."""

from __future__ import annotations

import sys
from time import monotonic
from typing import Any

from autodiff.training.run import Run

# Formatting the numbers beside the bar takes 20 µs, so it is done this often, in seconds.
INTERVAL = 0.1


class Progress:
    """Shows a run on standard error: loss, metrics, learning rate and the time left.

    In a terminal it is a bar for each epoch, if tqdm is there, which the extra `train` installs; else a line at the end
    of each.
    """

    def __init__(self, run: Run) -> None:
        self.began, self.first = monotonic(), run.epoch
        self.shown = 0.0
        self.bar: Any = None
        self.tqdm: Any = None
        if sys.stderr.isatty():
            try:
                from tqdm import tqdm
            except ImportError:
                return
            self.tqdm = tqdm

    def step(self, run: Run, batches: int) -> None:
        """Show that `batches` more were trained on."""
        if self.tqdm is None:
            return
        if self.bar is None:
            self.bar = self.tqdm(
                total=run.batches,
                initial=run.batch - batches,
                desc=_title(run.epoch + 1, run),
                leave=True,
                unit="batch",
            )
        self.bar.update(batches)
        if monotonic() - self.shown > INTERVAL:
            self.shown = monotonic()
            self.bar.set_postfix_str(_numbers({**run.means.values(), "lr": run.rate}), refresh=False)

    def epoch(self, run: Run) -> None:
        """Show the numbers of the epoch that has ended."""
        elapsed = monotonic() - self.began
        left = elapsed / (run.epoch - self.first) * (run.epochs - run.epoch)
        line = f"{_numbers(run.history.last())}, {_duration(elapsed)}, {_duration(left)} left"
        if self.bar is None:
            print(f"{_title(run.epoch, run)}: {line}", file=sys.stderr)
        else:
            self.bar.set_postfix_str(line)
            self.close()

    def close(self) -> None:
        """End the bar of the present epoch."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None


def _title(epoch: int, run: Run) -> str:
    return f"epoch {epoch}/{run.epochs}"


def _numbers(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in values.items())


def _duration(seconds: float) -> str:
    """Seconds in words.

    >>> _duration(3.21), _duration(75), _duration(7300)
    ('3.2 s', '1:15 min', '2:01 h')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}:{seconds:02d} min" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d} h"
