"""A sentence that says what is wrong, where, and what to do."""

from __future__ import annotations

from collections.abc import Iterable

# How many names a sentence lists before it says how many more there are.
SHOWN = 8


class Fault(str):
    """A sentence about a fault; ``kind`` is its name in ``docs/lint.md``, ``places`` where it is: modules, parameters.

    >>> from autodiff.inspect import Fault
    >>> finding = Fault.of("dead units", "zero for the whole batch", ["hidden"], "Lower the learning rate")
    >>> finding, finding.kind, finding.places
    ('zero for the whole batch: hidden. Lower the learning rate', 'dead units', ('hidden',))
    """

    kind: str
    places: tuple[str, ...]

    @classmethod
    def of(cls, kind: str, what: str, places: Iterable[str], advice: str) -> Fault:
        """The sentence ``what: places. advice``, which lists no more than eight places."""
        names = tuple(places)
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        finding = cls(f"{what}: {'; '.join(names[:SHOWN])}{more}. {advice}")
        finding.kind, finding.places = kind, names
        return finding
