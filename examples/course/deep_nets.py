"""152 layers with and without care: how gradients vanish or explode, and what lets such a network learn."""

import math

import autodiff as ad
import nn
import optim

DEPTH, WIDTH = 152, 32


class Residual(nn.Module):
    """x + f(x): what comes back goes past the layer too (He et al., 2016)."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: ad.Tensor) -> ad.Tensor:
        return x + self.layer(x)


def make_model(care: str) -> nn.Sequential:
    """Weights of N(0, 0.1²) or N(0, 0.5²), "He" ones, or residual layers with batch-norm, from 2 inputs to 1 score."""
    ad.manual_seed(0)
    deviation = {"small": 0.1, "large": 0.5, "He": math.sqrt(2 / WIDTH), "residual": 0.1}[care]
    layers = []
    for _ in range(DEPTH - 2):
        linear = nn.Linear(WIDTH, WIDTH)
        nn.init.normal_(linear.weight, std=deviation)
        nn.init.zeros_(linear.bias)
        if care == "residual":
            layers.append(Residual(nn.Sequential(nn.BatchNorm1d(WIDTH), nn.ReLU(), linear)))
        else:
            layers.append(nn.Sequential(linear, nn.ReLU()))
    return nn.Sequential(nn.Linear(2, WIDTH), *layers, nn.Linear(WIDTH, 1))


def data() -> tuple[ad.Tensor, ad.Tensor]:
    x = ad.randn(64, 2)
    return x, (x[:, 0] * x[:, 1] > 0).float()


def cost_of(model: nn.Module, x: ad.Tensor, y: ad.Tensor) -> ad.Tensor:
    return nn.functional.binary_cross_entropy_with_logits(model(x).squeeze(1), y)


def gradient_norms(care: str) -> tuple[float, float]:
    """Of the weights of the second layer and of the last but one, at the start, in float64."""
    model = make_model(care).double()
    x, y = data()
    cost_of(model, x.double(), y.double()).backward()
    weights = [p for name, p in model.named_parameters() if p.shape == (WIDTH, WIDTH)]
    return weights[0].grad.norm().item(), weights[-1].grad.norm().item()


def costs(care: str, steps: int = 40) -> list[float]:
    model, (x, y) = make_model(care), data()
    optimizer, found = optim.Adam(model.parameters(), lr=1e-3), []
    for _ in range(steps):
        optimizer.zero_grad()
        cost = cost_of(model, x, y)
        cost.backward()
        optimizer.step()
        found.append(cost.item())
    return found


def main() -> None:
    print(f"{DEPTH} layers{'gradient in layer 2':>24}{'in layer 151':>14}")
    for care in ("small", "large", "He", "residual"):
        first, last = gradient_norms(care)
        print(f"{care:10}{first:24.1e}{last:14.1e}")
    for care in ("small", "He", "residual"):
        found = costs(care)
        print(f"{care:10} cost from {found[0]:.3f} to {found[-1]:.3f} in {len(found)} steps of Adam")


if __name__ == "__main__":
    main()
