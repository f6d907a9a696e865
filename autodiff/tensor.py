"""`Tensor`: a thin handle on an array and, if it requires grad, on its node in the graph."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from autodiff import allocation, dtypes, grad_mode
from autodiff._signatures import TensorMethods
from autodiff.grad_mode import INFERENCE, state
from autodiff.graph import Leaf, Node

if TYPE_CHECKING:
    from typing import Self

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]
_new = object.__new__
assert allocation  # imported for what it sets


class Tensor(TensorMethods):
    """An n-dimensional array that records what is done with it.

    ``array`` is the NumPy array, ``grad`` the gradient that `backward` accumulated (None before). Make tensors with
    `tensor`, `zeros`, `randn` and their kin. Operations, and all that the op table declares, are methods.

    >>> import autodiff as ad
    >>> x = ad.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    # Ops leave `grad` unset, which saves each a store; unset it reads as None: see `missing_grad`.
    __slots__ = ("__weakref__", "alias", "array", "grad", "node")

    array: Array
    node: Node | None
    # What `views` knows of the memory this tensor shares: see there.
    alias: Any
    grad: Tensor | None

    def __init__(self, *data: Any) -> None:
        sizes = len(data) != 1 or type(data[0]) is int
        dtype = dtypes.get_default_dtype()
        self.array = np.zeros(data, dtype) if sizes and data else np.array(data[0] if data else [], dtype)
        self.node = self.alias = self.grad = None

    @property
    def requires_grad(self) -> bool:
        """Whether operations on this tensor are recorded; may be set on a leaf of floating-point dtype."""
        return self.node is not None

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Record operations on this leaf from now on, or no longer; returns the tensor itself.

        RuntimeError for a dtype that carries no gradient, and for turning it off on a computed tensor.
        """
        if requires_grad and self.node is None:
            if self.alias is INFERENCE and not state.inference:
                raise RuntimeError(
                    "a tensor made inside inference_mode cannot require gradients outside of it; use x.clone()"
                )
            if self.array.dtype.kind != "f":
                raise RuntimeError(
                    f"only tensors of floating-point dtype can require gradients, got {self.array.dtype}; "
                    f"convert first, for example x.float()"
                )
            self.node = Leaf(self)
        elif not requires_grad and self.node is not None:
            if not self.is_leaf:
                raise RuntimeError(
                    "requires_grad can be switched off on leaf tensors only; this one was computed by "
                    f"{self.node.name}. Use x.detach() for a tensor that is cut off from the graph"
                )
            self.node = None
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether the user made this tensor, or nothing is recorded for it."""
        return self.node is None or self.node.op is None

    def is_inference(self) -> bool:
        """Whether this tensor was made inside `inference_mode`, and so can never take part in a backward pass."""
        return self.alias is INFERENCE

    @property
    def grad_fn(self) -> Node | None:
        """The node that computed this tensor; None for a leaf."""
        return None if self.is_leaf else self.node

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def ndim(self) -> int:
        return self.array.ndim

    @property
    def dtype(self) -> dtypes.DType:
        return self.array.dtype

    @property
    def device(self) -> str:
        return "cpu"

    @property
    def data(self) -> Tensor:
        """The same memory without its history; assigning replaces the memory and keeps the tensor."""
        return wrap(self.array)

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"x.data expects a Tensor, got {type(value).__name__}; wrap it with ad.tensor(...)")
        self.array, self.alias = value.array, None
        if isinstance(self.node, Leaf):
            self.node.shape, self.node.dtype = value.array.shape, value.array.dtype

    def detach(self) -> Tensor:
        """The same memory, cut off from the graph."""
        return wrap(self.array)

    def detach_(self) -> Self:
        """Cut this tensor itself off from the graph; returns it. RuntimeError for a view: its base has the history."""
        if self._is_view():
            raise RuntimeError("detach_() of a view would leave its base with the history; use x = x.detach()")
        self.node = None
        return self

    def cuda(self, device: Any = None) -> Self:
        """RuntimeError: tensors live on the CPU."""
        check_device("cuda")
        return self

    def dim(self) -> int:
        """The number of dimensions."""
        return self.array.ndim

    def numel(self) -> int:
        """The number of elements."""
        return self.array.size

    nelement = numel
    ndimension = dim

    def element_size(self) -> int:
        """The bytes of one element."""
        return self.array.itemsize

    @property
    def itemsize(self) -> int:
        """The bytes of one element."""
        return self.array.itemsize

    @property
    def nbytes(self) -> int:
        """The bytes of all elements."""
        return self.array.nbytes

    def size(self, dim: int | None = None) -> Any:
        """The shape, or its length along `dim`."""
        return self.array.shape if dim is None else self.array.shape[dim]

    def stride(self, dim: int | None = None) -> Any:
        """The steps, in elements, from one entry to the next along each dimension, or along `dim`."""
        steps = tuple(step // self.array.itemsize for step in self.array.strides)
        return steps if dim is None else steps[dim]

    def is_contiguous(self) -> bool:
        """Whether the elements lie in memory in row-major order without gaps."""
        return bool(self.array.flags.c_contiguous)

    def is_floating_point(self) -> bool:
        """Whether the dtype is a floating-point one, which alone can carry gradients."""
        return self.array.dtype.kind == "f"

    def numpy(self) -> Array:
        """The tensor's own array, sharing memory; RuntimeError if it requires grad, unless nothing is recorded now."""
        if self.node is not None and state.enabled:
            raise RuntimeError(
                "numpy() on a tensor that requires grad would lose the gradient; use x.detach().numpy(), "
                "or NumPy's functions on the tensor itself, which are recorded; a Function whose backward needs the "
                "array marks that with @once_differentiable"
            )
        return self.array if isinstance(self.array, np.ndarray) else np.array(self.array)

    def item(self) -> Any:
        """The only element as a Python number; RuntimeError if there is not exactly one."""
        if state.in_rule and self.node is not None and state.enabled:
            raise RuntimeError(
                "item() inside a derivative would detach the gradient of the gradient silently; write it with "
                "operators and functions on the tensors, or mark the backward of a Function with @once_differentiable"
            )
        if self.array.size != 1:
            raise RuntimeError(
                f"a tensor with {self.array.size} elements (shape {self.array.shape}) cannot be converted to a "
                f"number; expected exactly one element: reduce it first, for example x.sum() or x.mean()"
            )
        return self.array.item()

    def tolist(self) -> Any:
        """The elements as nested Python lists, or a number for a 0-d tensor."""
        return self.array.tolist()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        value = self.item()
        if isinstance(value, float):
            raise TypeError("only integer tensors of a single element can be used as an index")
        return int(value)

    def __bool__(self) -> bool:
        if self.array.size != 1:
            raise RuntimeError(
                f"the truth value of a tensor with {self.array.size} elements is ambiguous; use x.any() or x.all()"
            )
        return bool(self.array.item())

    def __len__(self) -> int:
        if not self.array.ndim:
            raise TypeError("len() of a 0-d tensor")
        return len(self.array)

    def __iter__(self) -> Iterator[Tensor]:
        if not self.array.ndim:
            raise TypeError("iteration over a 0-d tensor; use x.item()")
        return iter(self.unbind())

    def __contains__(self, value: Any) -> bool:
        return bool((self.array == (value.array if isinstance(value, Tensor) else value)).any())

    # Defining __eq__ would take it away; a Python function here would slow every dictionary keyed by parameters.
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        from autodiff.formatting import format_tensor

        if not isinstance(self.array, np.ndarray):
            return f"tensor({self.array!r})"
        leaf = self.is_leaf
        return format_tensor(
            self.array,
            default_dtype=dtypes.get_default_dtype(),
            requires_grad=self.requires_grad and leaf,
            grad_fn=None if self.node is None or leaf else self.node.label,
        )

    def __format__(self, spec: str) -> str:
        if not self.array.ndim:
            return format(self.array.item(), spec)
        if spec:
            raise TypeError(f"a tensor of shape {self.shape} cannot be formatted with {spec!r}; expected one element")
        return str(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if not self.is_leaf:
            raise RuntimeError(
                "only leaf tensors can be deep-copied, because a copy of a computed tensor would have no history; "
                "use x.detach().clone()"
            )
        copy = memo[id(self)] = _restore(type(self), self.array.copy(), self.requires_grad)
        if self.grad is not None:
            copy.grad = wrap(self.grad.array.copy())
        return copy

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        if not self.is_leaf:
            raise RuntimeError("only leaf tensors can be pickled; use x.detach()")
        return _restore, (type(self), self.array, self.requires_grad)


Tensors = Tensor | Sequence[Tensor]


def wrap(array: Array, node: Node | None = None) -> Tensor:
    """A tensor on `array` itself; the engine's own constructor, without checks or copies."""
    tensor = _new(Tensor)
    tensor.array = array
    tensor.node = node
    tensor.alias = INFERENCE if grad_mode.inferring and state.inference else None
    return tensor


def missing_grad(tensor: Tensor) -> None:
    """What reading a gradient that was never set gives: None, and for a computed tensor advice."""
    if tensor.node is None or tensor.node.op is None:
        tensor.grad = None
    else:
        warnings.warn(
            f"the .grad of a tensor that is not a leaf is None: this one was computed by {tensor.node.name}, and "
            f"backward() keeps the gradients of leaves only; call x.retain_grad() before backward() to keep it",
            stacklevel=3,
        )


def expect_grad(tensor: Tensor) -> None:
    """Let ``.grad`` of a computed tensor be None without advice: somebody has asked for a gradient there."""
    try:
        Tensor.__dict__["grad"].__get__(tensor)
    except AttributeError:
        tensor.grad = None


def _restore(cls: type[Tensor], array: Array, requires_grad: bool) -> Tensor:
    tensor = _new(cls)
    tensor.array = own_dtype(array)
    tensor.grad = tensor.node = tensor.alias = None
    if requires_grad:
        tensor.node = Leaf(tensor)
    return tensor


def as_array(value: Any, dtype: Any = None) -> Array:
    """A NumPy scalar or a number as a 0-d array; an array of any type as it is, or in `dtype`."""
    if hasattr(value, "__array_ufunc__"):
        array: Array = value if dtype is None else value.astype(dtype, copy=False)
        return array
    return np.asarray(value, dtype)


def is_array(value: Any) -> bool:
    """Whether `value` is an array of NumPy or one inside vmap."""
    return isinstance(value, np.ndarray) or hasattr(value, "each_sample")


def contiguous_array(x: Array) -> Array:
    """`x` in row-major order, itself if it is."""
    return np.ascontiguousarray(x) if type(x) is np.ndarray else x.copy()


def zeros_beside(x: Array, shape: tuple[int, ...], dtype: Any = None) -> Array:
    """Zeros of the array type of `x`, in its dtype or another."""
    if type(x) is np.ndarray:
        return np.zeros(shape, x.dtype if dtype is None else dtype)
    return np.zeros_like(x, shape=shape, dtype=dtype)


def empty_beside(x: Array, shape: tuple[int, ...], dtype: Any = None) -> Array:
    """An array of the type of `x`, in row-major order, in its dtype or another, to be written to."""
    if type(x) is np.ndarray:
        return np.empty(shape, x.dtype if dtype is None else dtype)
    return np.empty_like(x, shape=shape, dtype=dtype)


def own_dtype(array: Array) -> Array:
    """`array` with the dtype object that all tensors share: the engine compares dtypes by identity.

    An unpickled array has one of its own. TypeError for a dtype that tensors do not have.
    """
    dtype = dtypes.as_dtype(array.dtype)
    return array if array.dtype is dtype else array.view(dtype)


def check_device(device: Any) -> None:
    """RuntimeError unless `device` names the CPU, where all tensors live."""
    if device is not None and str(device) not in ("cpu", "cpu:0"):
        raise RuntimeError(f"expected device 'cpu', the only one this engine computes on; got {device!r}")
