"""The states of all generators that a training draws from."""

from __future__ import annotations

import random as python_random
from collections.abc import Sequence
from typing import Any

import numpy as np

import autodiff as ad
from autodiff import random
from autodiff.data import DataLoader
from autodiff.random import Generator


class RandomStreams:
    """The default generator, those of loaders, their samplers and data sets, and those of Python and NumPy.

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

    def state_dict(self) -> dict[str, Any]:
        """Where all streams are."""
        name, words, *rest = np.random.get_state()  # noqa: NPY002 - the one that programs draw from
        return {
            "generators": [generator.get_state() for generator in self.generators],
            "python": python_random.getstate(),
            "numpy": (name, ad.tensor(np.asarray(words).astype(np.int64)), *rest),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put all streams where `state_dict` found them; ValueError for another number of generators."""
        for generator, saved in zip(self.generators, state["generators"], strict=True):
            generator.set_state(saved)
        python_random.setstate(state["python"])
        name, words, *rest = state["numpy"]
        np.random.set_state((name, words.numpy().astype(np.uint32), *rest))  # noqa: NPY002 - as above
