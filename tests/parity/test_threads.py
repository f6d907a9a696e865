"""The number of threads is set and read as in PyTorch."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import autodiff as ad


@pytest.mark.parametrize("m", [ad, torch])
def test_the_number_of_threads(m: Any) -> None:
    before = m.get_num_threads()
    try:
        m.set_num_threads(2)
        assert m.get_num_threads() == 2
        with pytest.raises(RuntimeError):
            m.set_num_threads(0)
        with pytest.raises((TypeError, RuntimeError)):
            m.set_num_threads(1.5)
    finally:
        m.set_num_threads(before)
