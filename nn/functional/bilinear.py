"""The bilinear map of two inputs."""

from autodiff.op import OpError, describe
from autodiff.tensor import Tensor


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x₁ᵀ W[k] x₂ + b[k] for inputs (*, in1) and (*, in2), a weight (out, in1, in2) and a bias (out): (*, out).

    OpError for other shapes.

    >>> import autodiff as ad
    >>> bilinear(ad.tensor([1.0, 2.0]), ad.tensor([3.0, 4.0]), ad.ones(1, 2, 2))
    tensor([21.])
    """
    lead, fits = input1.shape[:-1], weight.ndim == 3 and input1.ndim > 0 and input2.ndim > 0
    if not fits or input2.shape[:-1] != lead or (input1.shape[-1], input2.shape[-1]) != weight.shape[1:]:
        raise OpError(
            f"bilinear expected inputs (*, in1) and (*, in2) and a weight (out, in1, in2), got "
            f"{describe(input1)}, {describe(input2)} and {describe(weight)}"
        )
    out, in1, in2 = weight.shape
    first, second = input1.reshape(-1, in1), input2.reshape(-1, 1, in2)
    # One product of matrices over x₁, and then, sample by sample, the sum over x₂.
    partial = first @ weight.permute(1, 0, 2).reshape(in1, out * in2)
    output = (partial.reshape(-1, out, in2) * second).sum(-1).reshape(*lead, out)
    return output if bias is None else output + bias
