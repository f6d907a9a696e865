"""The base of every layer and model: holds parameters, buffers and other modules under their attribute names."""

from collections.abc import Callable
from typing import Any, Self

import autodiff as ad
from autodiff.dtypes import as_dtype
from autodiff.tensor import Tensor, check_device
from nn.call_error import name_the_module
from nn.module_hooks import Hooked, call_with_hooks
from nn.representation import format_members, indent
from nn.state import Stateful


class Module(Hooked, Stateful):
    """A layer or a model: a function with parameters.

    A subclass calls ``super().__init__()``, assigns parameters and other modules to its attributes, and defines
    ``forward``, which calling the module runs. Every `Parameter` and `Module` assigned to an attribute is registered.

    >>> import nn
    >>> class Model(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.hidden = nn.Linear(2, 16)
    ...         self.output = nn.Linear(16, 2)
    ...     def forward(self, x):
    ...         return self.output(self.hidden(x).relu())
    >>> Model()
    Model(
      (hidden): Linear(in_features=2, out_features=16, bias=True)
      (output): Linear(in_features=16, out_features=2, bias=True)
    )
    """

    training: bool

    def __init__(self) -> None:
        self.__dict__["_registered"] = {}
        self.training = True

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; every subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(): define forward(self, ...) in its class")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            if self._call_hooks is None:
                return self.forward(*args, **kwargs)
            return call_with_hooks(self, args, kwargs)
        except Exception as error:
            name_the_module(error, self, args, kwargs)
            raise

    def apply(self, fn: Callable[["Module"], object]) -> Self:
        """Call `fn` on every module inside and then on this one, to initialise weights for example."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def train(self, mode: bool = True) -> Self:
        """Switch this module and all inside it to training mode, or to evaluation mode if `mode` is False."""
        if not isinstance(mode, bool):
            raise ValueError(f"train() expected True or False, got {mode!r}; for data, call the model or an optimizer")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Self:
        """Switch this module and all inside it to evaluation mode: no dropout, running averages in normalisation."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Let all parameters require grad, or freeze them."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or fill them with zeros if not `set_to_none`."""
        for parameter in self.parameters():
            if parameter.grad is not None:
                parameter.grad = None if set_to_none else ad.zeros_like(parameter.grad)

    def to(self, *args: Any, dtype: Any = None, device: Any = None, non_blocking: bool = False) -> Self:
        """Convert floating-point parameters, their gradients and buffers in place: ``to(ad.float64)``, ``to(tensor)``.

        Devices are accepted as in PyTorch, but "cpu" is the only one; TypeError for a dtype that is not floating point.
        """
        for arg in args:
            if isinstance(arg, Tensor):
                dtype = arg.dtype
            elif isinstance(arg, str) and arg.partition(":")[0] in ("cpu", "cuda", "mps", "xpu", "meta"):
                device = arg
            elif not isinstance(arg, bool):
                dtype = arg
        check_device(device)
        return self if dtype is None else self.type(dtype)

    def to_empty(self, *, device: Any, recurse: bool = True) -> Self:
        """The module itself: for "cpu", where its memory is already; RuntimeError for another device."""
        check_device(device)
        return self

    def type(self, dst_type: Any) -> Self:
        """Convert floating-point parameters, their gradients and buffers to a floating-point dtype, in place."""
        dtype = as_dtype(dst_type)
        if dtype.kind != "f":
            raise TypeError(f"a module can be converted to a floating-point dtype such as ad.float64, got {dtype}")
        for tensor in [*self.parameters(), *self.buffers()]:
            if tensor.is_floating_point():
                tensor.data = tensor.data.to(dtype)
                if tensor.grad is not None:
                    tensor.grad = tensor.grad.to(dtype)
        return self

    def float(self) -> Self:
        """Convert to float32, in place."""
        return self.type(ad.float32)

    def double(self) -> Self:
        """Convert to float64, in place."""
        return self.type(ad.float64)

    def half(self) -> Self:
        """Convert to float16, in place."""
        return self.type(ad.float16)

    def bfloat16(self) -> Self:
        """TypeError: NumPy has no bfloat16."""
        raise TypeError("bfloat16 is not available, since NumPy has no such dtype; use half() or float()")

    def cpu(self) -> Self:
        """The module itself: "cpu" is the only device."""
        return self

    def cuda(self, device: Any = None) -> Self:
        """An error: "cpu" is the only device."""
        return self.to(device="cuda")

    def share_memory(self) -> Self:
        """The module itself; its arrays belong to this process."""
        return self

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: there is no compiler, and the module is called as it is."""

    def extra_repr(self) -> str:
        """What `repr` shows between the parentheses, such as the sizes; subclasses define it."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        children = [f"({name}): {indent(repr(module))}" for name, module in self._modules.items()]
        return format_members(type(self).__name__, extra.split("\n") if extra else [], children)
