"""Softmax with two classes is logistic regression; hardmax is what softmax becomes when it is certain."""

import autodiff as ad
import nn
import optim


def two_classes(z: ad.Tensor) -> tuple[ad.Tensor, ad.Tensor]:
    """The probability of class 1 by softmax of two scores, and by the sigmoid of their difference."""
    return ad.softmax(z, dim=1)[:, 1], ad.sigmoid(z[:, 1] - z[:, 0])


def trained_alike(steps: int = 100, rate: float = 0.3) -> float:
    """How far the two models' probabilities are apart when both have learned from the same data, from zero weights.

    Only the difference of the two rows of weights matters, and each step moves both rows: so half the rate.
    """
    ad.manual_seed(0)
    x = ad.randn(50, 3, dtype=ad.float64)
    y = (x.sum(dim=1) > 0.5).long()
    one, two = nn.Linear(3, 1, dtype=ad.float64), nn.Linear(3, 2, dtype=ad.float64)
    for p in (*one.parameters(), *two.parameters()):
        nn.init.zeros_(p)
    for model, lr in ((one, rate), (two, rate / 2)):
        optimizer = optim.SGD(model.parameters(), lr=lr)
        for _ in range(steps):
            if model is one:
                cost = nn.functional.binary_cross_entropy_with_logits(model(x).squeeze(1), y.double())
            else:
                cost = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            cost.backward()
            optimizer.step()
    return (ad.sigmoid(one(x).squeeze(1)) - ad.softmax(two(x), dim=1)[:, 1]).abs().max().item()


def hardmax(z: ad.Tensor) -> ad.Tensor:
    """1 for the largest of each row, 0 for the others: it has no slope, so nothing learns through it."""
    return nn.functional.one_hot(z.argmax(dim=-1), z.shape[-1]).to(z.dtype)


def main() -> None:
    z = ad.tensor([[5.0, 2.0, -1.0, 3.0]])
    print(f"trained alike, the probabilities differ by {trained_alike():.0e}")
    for factor in (1, 3, 10):
        print(f"softmax of {factor:2} z: {ad.softmax(factor * z, dim=1)}")
    print(f"hardmax of z:    {hardmax(z)}")


if __name__ == "__main__":
    main()
