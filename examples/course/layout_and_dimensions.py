"""Features by samples: examples as columns, the gradients by hand, and what the dimensions tell.

The notes put an example in a column, so that X is (n, m) and a layer is W X + b. Here as in PyTorch it is in a row, X
is (m, n) and a layer X Wᵀ + b: the same numbers, transposed.
"""

import numpy as np

import autodiff as ad
import nn


def gradients_by_hand(X: np.ndarray, Y: np.ndarray, W1, b1, W2, b2) -> dict[str, np.ndarray]:
    """Backward through tanh, sigmoid and cross-entropy, in the notes' formulas."""
    m = X.shape[1]
    A1 = np.tanh(W1 @ X + b1)
    A2 = 1 / (1 + np.exp(-(W2 @ A1 + b2)))
    dZ2 = A2 - Y
    dA1 = W2.T @ dZ2 / m
    dZ1 = dA1 * (1 - A1**2) * m
    return {
        "W1": dZ1 @ X.T / m, "b1": dZ1.sum(axis=1, keepdims=True) / m, "A1": dA1,
        "W2": dZ2 @ A1.T / m, "b2": dZ2.sum(axis=1, keepdims=True) / m, "Z2": dZ2 / m,
    }  # fmt: skip


def gradients_by_autograd(X: np.ndarray, Y: np.ndarray, *parameters: np.ndarray) -> dict[str, np.ndarray]:
    W1, b1, W2, b2 = (ad.tensor(p, requires_grad=True) for p in parameters)
    A1 = ad.tanh(W1 @ ad.tensor(X) + b1)
    Z2 = W2 @ A1 + b2
    cost = nn.functional.binary_cross_entropy_with_logits(Z2, ad.tensor(Y))
    names = {"W1": W1, "b1": b1, "A1": A1, "W2": W2, "b2": b2, "Z2": Z2}
    return {name: g.numpy() for name, g in zip(names, ad.grad(cost, list(names.values())), strict=True)}


def example(m: int = 7) -> tuple[np.ndarray, ...]:
    """X (3, m), Y (1, m), and the parameters of a network of 4 hidden units."""
    draw = np.random.default_rng(0).standard_normal
    return draw((3, m)), (draw((1, m)) > 0) * 1.0, draw((4, 3)), draw((4, 1)), draw((1, 4)), draw((1, 1))


def largest_difference() -> float:
    by_hand, by_autograd = gradients_by_hand(*example()), gradients_by_autograd(*example())
    return max(np.abs(by_hand[name] - by_autograd[name]).max() for name in by_hand)


def samples_in_rows() -> float:
    """How far the layer of this library, on the transposed data, is from the notes' one."""
    X, _, W1, b1, *_ = example()
    layer = nn.Linear(3, 4, dtype=ad.float64)
    layer.load_state_dict({"weight": ad.tensor(W1), "bias": ad.tensor(b1[:, 0])})
    return np.abs(layer(ad.tensor(X.T)).detach().numpy().T - (W1 @ X + b1)).max()


def forgotten_keepdims() -> tuple[int, ...]:
    """The shape of b after a step whose db was summed without keepdims: broadcasting made a matrix of it."""
    b, dZ = ad.zeros(4, 1), ad.ones(4, 7)
    return (b - 0.1 * dZ.sum(dim=1)).shape


def told_by_the_dimensions() -> str:
    """The first line of the error of a layer that was built for another number of features."""
    try:
        nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(5, 1))(ad.zeros(7, 3))
    except Exception as error:
        return str(error).splitlines()[0]
    raise AssertionError("expected an error")


def main() -> None:
    print(f"dW, db, dA, dZ by hand and by autograd differ by {largest_difference():.1e}")
    print(f"W X + b and the layer on transposed data differ by {samples_in_rows():.1e}")
    print(f"b of shape (4, 1), after a step with a db without keepdims: {forgotten_keepdims()}")
    print(f"a layer for 5 features that gets 4: {told_by_the_dimensions()}")


if __name__ == "__main__":
    main()
