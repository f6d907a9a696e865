"""What `inplace=True` means."""

from autodiff.tensor import Tensor


def write_into(input: Tensor, output: Tensor) -> Tensor:
    """Write `output` into `input` and return that; the output itself where its gradient is being recorded.

    The engine does not overwrite what a gradient flows through, so that there the option changes nothing.
    """
    return output if output.requires_grad else input.copy_(output)
