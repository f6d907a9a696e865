"""Parameters: the tensors of a module that an optimizer trains; and those whose shape is not known yet."""

from typing import Any, ClassVar, Self
from weakref import ref

import autodiff as ad
from autodiff.dtypes import DType
from autodiff.graph import Leaf
from autodiff.tensor import Array, Tensor, wrap


class Parameter(Tensor):
    """A tensor that becomes part of a module when it is assigned to one of its attributes.

    Shares the memory of `data` (an empty float tensor if there is none), without its history. TypeError if `data` is
    no tensor, RuntimeError if it is to require grad and is not of floating point.

    >>> import autodiff as ad, nn
    >>> nn.Parameter(ad.zeros(2))
    Parameter containing:
    tensor([0., 0.], requires_grad=True)
    """

    __slots__ = ()

    def __init__(self, data: Tensor | None = None, requires_grad: bool = True) -> None:
        if data is None:
            data = ad.empty(0)
        if not isinstance(data, Tensor):
            raise TypeError(
                f"Parameter expected a tensor, got {type(data).__name__}: write nn.Parameter(ad.tensor(...))"
            )
        self.array = data.array
        self.node = self.alias = self.grad = None
        self.requires_grad_(requires_grad)

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()


class Buffer(Tensor):
    """A tensor that becomes a buffer of a module when it is assigned to one of its attributes.

    Shares the memory of `data` (an empty float tensor if there is none); in `state_dict` if `persistent`. TypeError if
    `data` is no tensor.

    >>> import autodiff as ad, nn
    >>> model = nn.Module()
    >>> model.mean = nn.Buffer(ad.zeros(2))
    >>> model.state_dict()
    {'mean': tensor([0., 0.])}
    """

    __slots__ = ("persistent",)

    def __init__(self, data: Tensor | None = None, *, persistent: bool = True) -> None:
        if data is None:
            data = ad.empty(0)
        if not isinstance(data, Tensor):
            raise TypeError(f"Buffer expected a tensor, got {type(data).__name__}: write nn.Buffer(ad.tensor(...))")
        self.array, self.persistent = data.array, persistent
        self.node = self.alias = self.grad = None


# Where a tensor keeps its array, which an uninitialised one hides.
_slot: Any = Tensor.__dict__["array"]


class UninitializedTensor(Tensor):
    """What an uninitialised parameter and buffer share: a dtype, and neither shape nor values, until `materialize`.

    Whatever needs these is a RuntimeError that says to call the module first.
    """

    __slots__ = ()

    cls_to_become: ClassVar[type[Tensor]] = Tensor

    def __init__(self, requires_grad: bool = False, device: Any = None, dtype: Any = None) -> None:
        Tensor.__init__(self)
        self.array = ad.empty(0, device=device, dtype=dtype).array
        self.requires_grad_(requires_grad)

    @property
    def array(self) -> Array:
        raise RuntimeError(
            f"{type(self).__name__}: a lazy module's parameters and buffers have neither shape nor values before its "
            f"first call; call the model once, for example with a batch of zeros, before this"
        )

    @array.setter
    def array(self, value: Array) -> None:
        _slot.__set__(self, value)

    @property
    def dtype(self) -> DType:
        dtype: DType = _slot.__get__(self).dtype
        return dtype

    @property
    def data(self) -> Tensor:
        return self

    @data.setter
    def data(self, value: Tensor) -> None:
        UninitializedTensor.__init__(self, self.requires_grad, dtype=value.dtype)

    def is_floating_point(self) -> bool:
        return self.dtype.kind == "f"

    def detach(self) -> Tensor:
        return self

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        self.node = None
        if requires_grad:
            self.node = Leaf(wrap(_slot.__get__(self)))
            self.node.tensor = ref(self)
        return self

    def to(self, *args: Any, dtype: Any = None, device: Any = None, copy: bool = False, **options: Any) -> Tensor:
        wanted = ad.zeros(0, dtype=self.dtype).to(*args, dtype=dtype, device=device, copy=copy, **options).dtype
        return type(self)(self.requires_grad, dtype=wanted)

    def materialize(self, shape: tuple[int, ...], device: Any = None, dtype: Any = None) -> None:
        """Become an ordinary parameter or buffer of this shape, whose values are still to be set."""
        data = ad.empty(*shape, device=device, dtype=dtype or self.dtype)
        object.__setattr__(self, "__class__", self.cls_to_become)
        self.data = data

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        copy = memo[id(self)] = self.to(self.dtype)
        return copy

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return type(self), (self.requires_grad, None, self.dtype)


class UninitializedParameter(UninitializedTensor, Parameter):
    """A parameter whose shape the first call of its module decides.

    >>> import autodiff as ad, nn
    >>> weight = nn.UninitializedParameter()
    >>> weight
    <UninitializedParameter>
    >>> weight.materialize((2, 3))
    >>> type(weight).__name__, weight.shape
    ('Parameter', (2, 3))
    """

    __slots__ = ()

    cls_to_become = Parameter

    def __init__(self, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__(requires_grad, device, dtype)


class UninitializedBuffer(UninitializedTensor):
    """A buffer whose shape the first call of its module decides."""

    __slots__ = ()
