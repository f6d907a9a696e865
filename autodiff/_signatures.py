"""The base class of Tensor: empty at run time, typed by the generated stub beside this file.

`python -m autodiff.methods` writes the stub; a test checks that it is up to date.
"""

from __future__ import annotations


class TensorMethods:
    """What the op table puts on Tensor."""

    __slots__ = ()
