"""Splitting into many pieces: what it asks of the garbage collector."""

from __future__ import annotations

import gc

import pytest

import autodiff as ad
from autodiff.ops.splitting import MANY


@pytest.mark.parametrize("enabled", [True, False])
def test_the_garbage_collector_pauses_while_many_pieces_are_made(enabled: bool) -> None:
    x = ad.zeros(MANY).requires_grad_()
    phases: list[str] = []
    before = gc.isenabled()
    gc.collect()

    def watch(phase: str, info: object) -> None:
        phases.append(phase)

    gc.callbacks.append(watch)
    try:
        if not enabled:
            gc.disable()
        pieces = x.split(1)
        assert gc.isenabled() is enabled
        # It may run once at the end; while the pieces are made it would some fifty times.
        assert phases.count("start") <= 2
    finally:
        gc.callbacks.remove(watch)
        if before:
            gc.enable()
    assert len(pieces) == MANY
