"""Devices: there is the CPU, and names for others, so that a program may ask and be told that they are not there."""

from __future__ import annotations

from typing import Any


class device(str):
    """The name of a device, such as ``device("cpu")`` or ``device("cuda", 0)``; tensors are on the CPU only.

    RuntimeError for a name that PyTorch does not know either.

    >>> device("cuda:1").type, device("cuda:1").index, device("cpu")
    ('cuda', 1, device(type='cpu'))
    """

    KINDS = ("cpu", "cuda", "mps", "xpu", "hpu", "mtia", "meta", "xla", "vulkan")
    type: str
    index: Any  # of the device, where str has a method

    def __new__(cls, type: Any = "cpu", index: int | None = None) -> device:
        kind, _, number = str(type).partition(":")
        if kind not in cls.KINDS or not (number.isdigit() or number == ""):
            raise RuntimeError(f"expected one of {', '.join(cls.KINDS)} as the device's name, with ':' and a number; "
                               f"got {type!r}")  # fmt: skip
        at = int(number) if number else index
        made = super().__new__(cls, kind if at is None else f"{kind}:{at}")
        made.type, made.index = kind, at
        return made

    def __repr__(self) -> str:
        return f"device(type={self.type!r}{'' if self.index is None else f', index={self.index}'})"

    def __enter__(self) -> device:
        from autodiff.tensor import check_device

        check_device(self)
        return self

    def __exit__(self, *raised: object) -> None:
        """Nothing was changed: there is one device."""
