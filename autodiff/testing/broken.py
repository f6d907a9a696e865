"""How a property says that it does not hold; not by ``assert``, which ``python -O`` leaves out."""


class CheckError(AssertionError):
    """An op broke a property; the message has the smallest call found that breaks it, as a program to run."""


def require(holds: bool, message: str) -> None:
    """CheckError with `message` unless it holds."""
    if not holds:
        raise CheckError(message)
