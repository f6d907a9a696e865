"""Check gradients against differences of the cost, and see the check find a bug that was planted.

    python examples/gradient_checking.py

A derivative is nearly (cost(w + ε) - cost(w - ε)) / 2ε, so that every gradient can be checked without knowing how it
was computed. How far two vectors a and b of derivatives are apart is measured by ‖a - b‖ / (‖a‖ + ‖b‖): about 1e-7 or
less is right, 1e-3 is a bug.
"""

import argparse
from collections.abc import Callable

import numpy as np

import autodiff as ad
import nn
from autodiff.recorders import elementwise


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (np.tanh(0.5 * x) + 1)


# An operation of our own: its values, and the rule that turns the gradient g of the output y into that of the input x.
swish = elementwise(
    "swish",
    lambda x: x * sigmoid(x),
    vjp=lambda g, y, x: g * (sigmoid(x) + x * sigmoid(x) * (1 - sigmoid(x))),
    saves="x",
)
# The same values with a bug in the rule: it takes x for the constant factor that it is not.
wrong_swish = elementwise("wrong_swish", lambda x: x * sigmoid(x), vjp=lambda g, y, x: g * sigmoid(x), saves="x")


class Network(nn.Module):
    def __init__(self, activation: Callable[[ad.Tensor], ad.Tensor]) -> None:
        super().__init__()
        self.hidden = nn.Linear(4, 5, bias=False)  # the normalisation would take a bias away again
        self.normalization = nn.BatchNorm1d(5)
        self.activation = activation
        self.output = nn.Linear(5, 3)

    def forward(self, x: ad.Tensor) -> ad.Tensor:
        return self.output(self.activation(self.normalization(self.hidden(x))))


def check(activation: Callable[[ad.Tensor], ad.Tensor]) -> list[str]:
    """Print how far the gradients are from the differences, by parameter; return the names of those that are wrong."""
    model = Network(activation).double()  # in float32 the differences would be mostly rounding errors
    images, labels = ad.randn(8, 4, dtype=ad.float64), ad.randint(3, (8,))

    def cost(parameter: ad.Tensor) -> ad.Tensor:
        return nn.functional.cross_entropy(model(images), labels)

    wrong = []
    for name, parameter in model.named_parameters():
        found = ad.compare_gradients(cost, parameter)
        print(f"  {name:24}{found.relative_difference:10.1e}   {'right' if found.passed else 'WRONG'}")
        if not found.passed:
            wrong.append(name)
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="of the weights and the inputs")
    ad.manual_seed(parser.parse_args().seed)

    print("A network with ReLU\n" + "-" * 44)
    check(ad.relu)
    print("\nwith an operation of our own, swish\n" + "-" * 44)
    check(swish)
    print("\nwith a bug in the derivative of swish\n" + "-" * 44)
    wrong = check(wrong_swish)

    print("\nOnly what lies before swish is wrong, so we check swish alone:\n")
    x = ad.tensor([-1.0, 0.0, 2.0], dtype=ad.float64, requires_grad=True)
    print(ad.compare_gradients(wrong_swish, x))
    print(f"\nwrong gradients: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
