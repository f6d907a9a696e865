"""Names of people, out of the installed package names; nothing is downloaded."""

from importlib.util import find_spec
from pathlib import Path
from typing import Literal

FILES = {
    "female": ["dist.female.first"],
    "male": ["dist.male.first"],
    "first": ["dist.female.first", "dist.male.first"],
    "last": ["dist.all.last"],
}


def census_names(kind: Literal["first", "female", "male", "last"] = "first") -> list[str]:
    """Names from the census of the United States in 1990, each once, the most frequent first, in small letters.

    4,275 women's and 1,219 men's names, of which some are both, or 88,799 last names. ModuleNotFoundError without the
    package names, among whose files they are; ValueError for another kind.

    >>> from autodiff.data import census_names
    >>> census_names("female")[:4], len(census_names())
    (['mary', 'patricia', 'linda', 'barbara'], 5163)
    """
    if kind not in FILES:
        raise ValueError(f"census_names: expected one of {sorted(FILES)}, got {kind!r}")
    package = find_spec("names")
    if package is None or package.origin is None:
        raise ModuleNotFoundError(
            "census_names reads its names out of the package names, which is not installed: "
            "pip install 'autodiff-numpy[examples]', or pip install names",
            name="names",
        )
    frequencies: dict[str, float] = {}
    for file in FILES[kind]:
        for line in (Path(package.origin).parent / file).read_text("ascii").splitlines():
            name, percent, _, _ = line.split()
            frequencies[name.lower()] = frequencies.get(name.lower(), 0.0) + float(percent)
    return sorted(frequencies, key=lambda name: (-frequencies[name], name))
