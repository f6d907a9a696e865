"""Errors inside a model: which module raised, and the shapes of the inputs that led there."""

from typing import TYPE_CHECKING, Any, NamedTuple

from autodiff.op import OpError
from autodiff.tensor import Tensor

if TYPE_CHECKING:
    from nn.module import Module

# Errors whose whole content is their message, which may therefore be completed. Any other keeps what it carries.
_MESSAGE_ONLY = (OpError, ValueError, TypeError, RuntimeError, IndexError, AttributeError, NotImplementedError)


class Call(NamedTuple):
    """A call of a module that an error passed through."""

    module: "Module"
    inputs: str


def name_the_module(error: Exception, module: "Module", args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Put the path of the module that raised, and the inputs of the modules around it, into the error's message.

    Each module that the error passes on its way out calls this, so that the path is complete at the outermost one; a
    call that succeeds pays nothing. An error of a class of the user's own keeps its content and gets a note instead.
    """
    known = error.__dict__
    message: str = known.setdefault("original_message", str(error))
    inputs = [_describe(x) for x in args] + [f"{name}={_describe(x)}" for name, x in kwargs.items()]
    calls = known["module_calls"] = [Call(module, ", ".join(inputs) or "nothing"), *known.get("module_calls", ())]
    names = _names(calls)
    trail = "".join(f"\n  {name} got {call.inputs}" for name, call in zip(names, calls, strict=True))
    inside = f"\nThe inputs on the way there:{trail}" if len(calls) > 1 else ""
    if type(error) in _MESSAGE_ONLY:
        error.args = (f"{names[-1]}: {message}{inside}",)
    else:
        others = [note for note in getattr(error, "__notes__", ()) if note != known.get("module_note")]
        known["module_note"] = f"raised in {names[-1]}{inside}"
        error.__notes__ = [*others, known["module_note"]]


def _names(calls: list[Call]) -> list[str]:
    """``encoder.0 (Linear)`` for each module: its path from the outermost, or from one that does not hold it."""
    names: list[str] = []
    path, outer = "", None
    for module, _ in calls:
        inside = next((p for p, m in outer.named_modules() if m is module), None) if outer is not None else None
        path = ".".join(filter(None, (path, inside))) if inside is not None else ""
        names.append(f"{path} ({type(module).__name__})" if path else type(module).__name__)
        outer = module
    return names


def _describe(value: Any) -> str:
    if isinstance(value, Tensor):
        return str(value.shape)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_describe, value))}]"
    return type(value).__name__
