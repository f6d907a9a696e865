"""The states of all generators that a training draws from."""

from __future__ import annotations

import random as python_random
from collections.abc import Sequence
from typing import Any

import numpy as np

from autodiff import random
from autodiff.data import DataLoader
from autodiff.random import Generator


class RandomStreams:
    """The default generator, those of loaders, their samplers and data sets, and those of Python and NumPy.

    >>> import autodiff as ad
    >>> streams = RandomStreams([])
    >>> state = streams.state_dict()
    >>> first = ad.rand(2)
    >>> streams.load_state_dict(state)
    >>> bool((ad.rand(2) == first).all())
    True
    """

    def __init__(self, loaders: Sequence[DataLoader]) -> None:
        found = [random.default_generator]
        for loader in loaders:
            inner = getattr(loader.batch_sampler, "sampler", None)
            for owner in (loader, loader.sampler, loader.batch_sampler, inner, loader.dataset):
                generator = getattr(owner, "generator", None)
                if isinstance(generator, Generator) and all(generator is not other for other in found):
                    found.append(generator)
        self.generators = found
        self.others_at_start = _others()

    def state_dict(self) -> dict[str, Any]:
        """Where all streams are; None for those of Python and NumPy that were not drawn from since the start.

        So that files do not depend on the seeds that the operating system gives to streams that nobody uses.
        """
        others = {name: None if now == self.others_at_start[name] else now for name, now in _others().items()}
        return {"generators": [generator.get_state() for generator in self.generators], **others}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put all streams where `state_dict` found them; ValueError for another number of generators."""
        for generator, saved in zip(self.generators, state["generators"], strict=True):
            generator.set_state(saved)
        python_random.setstate(state["python"] or self.others_at_start["python"])
        name, words, *rest = state["numpy"] or self.others_at_start["numpy"]
        np.random.set_state((name, np.array(words, np.uint32), *rest))  # noqa: NPY002 - as below


def _others() -> dict[str, tuple[Any, ...]]:
    """The states of the process-wide generators of Python and NumPy."""
    name, words, *rest = np.random.get_state()  # noqa: NPY002 - the one that programs draw from
    return {"python": python_random.getstate(), "numpy": (name, np.asarray(words).tolist(), *rest)}
