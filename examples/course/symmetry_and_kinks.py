"""Zero weights keep all hidden units the same; and what the derivative is where there is none."""

import autodiff as ad
import nn
import optim


def trained_hidden_weights(first_weights: str, steps: int = 200) -> ad.Tensor:
    """The weights of 4 hidden units that began alike ("zeros", "constant") or not ("random"), after some steps."""
    ad.manual_seed(0)
    x = ad.randn(64, 2)
    y = (x[:, 0] * x[:, 1] > 0).float()
    model = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    if first_weights != "random":
        for p in model.parameters():
            nn.init.constant_(p, 0.0 if first_weights == "zeros" else 0.3)
    optimizer = optim.SGD(model.parameters(), lr=0.5)
    for _ in range(steps):
        cost = nn.functional.binary_cross_entropy_with_logits(model(x).squeeze(1), y)
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
    return model[0].weight.detach()


def different_units(weights: ad.Tensor) -> int:
    return len(ad.unique(weights, dim=0))


KINKS = {
    "relu at 0": (ad.relu, [0.0]),
    "leaky_relu, slope 0.1, at 0": (lambda x: nn.functional.leaky_relu(x, 0.1), [0.0]),
    "abs at 0": (ad.abs, [0.0]),
    "clamp from 0 to 1, at both ends": (lambda x: x.clamp(0, 1), [0.0, 1.0]),
    "maximum of two equal numbers": (lambda x: ad.maximum(x[0], x[1]), [2.0, 2.0]),
    "amax of three, two of them largest": (lambda x: x.amax(), [2.0, 1.0, 2.0]),
    "max along a dimension, the same": (lambda x: x.max(dim=0).values, [2.0, 1.0, 2.0]),
}


def derivative(name: str) -> list[float]:
    """What this library, like PyTorch, takes for the derivative at a kink; the notes take 0 or 1, either will do."""
    function, at = KINKS[name]
    x = ad.tensor(at, requires_grad=True)
    function(x).sum().backward()
    return [round(number, 6) for number in x.grad.tolist()]


def main() -> None:
    for first in ("zeros", "constant", "random"):
        print(
            f"first weights {first}: {different_units(trained_hidden_weights(first))} different units of 4 in the end"
        )
    for name in KINKS:
        print(f"{name}: {derivative(name)}")


if __name__ == "__main__":
    main()
