"""Clipping of gradients: by the norm of all together, or value by value."""

import math
from collections.abc import Iterable

import autodiff as ad
from autodiff.tensor import Tensor

Tensors = Tensor | Iterable[Tensor]


def _listed(tensors: Tensors) -> list[Tensor]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def _gradients(parameters: list[Tensor]) -> list[Tensor]:
    return [parameter.grad for parameter in parameters if parameter.grad is not None]


def get_total_norm(
    tensors: Tensors, norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: bool | None = None
) -> Tensor:
    """The p-norm of all tensors together, as if they were one vector; `norm_type` may be infinity.

    With `error_if_nonfinite`, RuntimeError that names the tensor of the largest norm if it is infinite or NaN.
    `foreach`, PyTorch's choice of an implementation, makes no difference.

    >>> get_total_norm([ad.tensor([3.0]), ad.tensor([[0.0, 4.0]])])
    tensor(5.)
    """
    tensors, order = _listed(tensors), float(norm_type)
    if not tensors:
        return ad.tensor(0.0)
    with ad.no_grad():
        norms = ad.stack([ad.linalg.vector_norm(x, order) for x in tensors])
        total = ad.linalg.vector_norm(norms, order)
    if error_if_nonfinite and not math.isfinite(total.item()):
        _raise_for_largest(norms.tolist(), total.item(), order, [f"tensor {i}" for i in range(len(tensors))], tensors)
    return total


def clip_grads_with_norm_(
    parameters: Tensors, max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Multiply the gradients in place by max_norm / (total_norm + 10⁻⁶) if that is less than 1."""
    with ad.no_grad():
        factor = (float(max_norm) / (total_norm + 1e-6)).clamp(max=1.0)
        for gradient in _gradients(_listed(parameters)):
            gradient.mul_(factor)


def clip_grad_norm_(
    parameters: Tensors,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale the gradients of the parameters in place so that their norm together is at most `max_norm`.

    Returns the norm before. With `error_if_nonfinite`, RuntimeError that names the parameter whose gradient has the
    largest norm if it is infinite or NaN, which leaves the gradients as they are. (Pascanu et al. 2013)

    >>> import autodiff as ad, nn
    >>> w = nn.Parameter(ad.zeros(2))
    >>> w.grad = ad.tensor([3.0, 4.0])
    >>> nn.utils.clip_grad_norm_([w], 1.0)
    tensor(5.)
    >>> w.grad
    tensor([0.6000, 0.8000])
    """
    parameters = _listed(parameters)
    gradients = _gradients(parameters)
    total = get_total_norm(gradients, norm_type)
    if error_if_nonfinite and not math.isfinite(total.item()):
        order = float(norm_type)
        names = [f"parameter {i}" for i, parameter in enumerate(parameters) if parameter.grad is not None]
        norms = [ad.linalg.vector_norm(g, order).item() for g in gradients]
        _raise_for_largest(norms, total.item(), order, names, gradients)
    clip_grads_with_norm_(parameters, max_norm, total)
    return total


def _raise_for_largest(norms: list[float], total: float, order: float, names: list[str], tensors: list[Tensor]) -> None:
    # A NaN counts as larger than any number.
    largest = max(range(len(norms)), key=lambda i: (math.isnan(norms[i]), norms[i]))
    raise RuntimeError(
        f"the norm of order {order:g} of the gradients together is {total}, so that they cannot be clipped; the "
        f"largest, {norms[largest]}, is that of {names[largest]}, of shape {tensors[largest].shape}. "
        f"error_if_nonfinite=False would scale them all the same"
    )


def clip_grad_value_(parameters: Tensors, clip_value: float, foreach: bool | None = None) -> None:
    """Clamp every gradient in place to [-clip_value, clip_value]."""
    bound = float(clip_value)
    with ad.no_grad():
        for gradient in _gradients(_listed(parameters)):
            gradient.copy_(gradient.clamp(-bound, bound))
