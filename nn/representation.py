"""How modules are printed."""


def indent(text: str) -> str:
    """Shift all lines but the first by two spaces."""
    return text.replace("\n", "\n  ")


def format_members(name: str, extra: list[str], members: list[str]) -> str:
    """``name(extra)`` on one line if that is all, else a line for each of `extra` and `members`."""
    if not members and len(extra) <= 1:
        return f"{name}({''.join(extra)})"
    lines = "\n  ".join(extra + members)
    return f"{name}(\n  {lines}\n)"
