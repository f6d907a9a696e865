"""The warning for modules or parameters in a plain list, tuple or dictionary, where nothing registers them."""

import warnings
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nn.members import Members


def warn_about_plain_container(
    owner: "Members", name: str, value: Any, kind: str, cls: type, registered: Iterator[Any]
) -> None:
    """Warn if `value`, assigned to the attribute `name`, holds any instance of `cls` not `registered`."""
    found = [element for element in _elements(value) if isinstance(element, cls)]
    if not found:
        return
    known = {id(element) for element in registered}
    if any(id(element) not in known for element in found):
        container = f"nn.{kind}{'Dict' if isinstance(value, dict) else 'List'}"
        warnings.warn(
            f"{type(owner).__name__}.{name} is a plain {type(value).__name__} that holds {kind.lower()}s, "
            f"which are not registered: parameters(), state_dict() and train() do not see them; use {container}",
            stacklevel=4,
        )


def _elements(container: Any, limit: int = 100) -> Iterator[Any]:
    """What is in a list, tuple or dictionary and in those inside it; the first hundred of each, as it may be data."""
    for element in islice(container.values() if isinstance(container, dict) else container, limit):
        if isinstance(element, list | tuple | dict):
            yield from _elements(element, limit)
        else:
            yield element
