"""Averages over 1/(1−β) steps, with and without bias correction; where ε stands; the notes' w² − 10w + 25 by Adam."""

import math

import autodiff as ad
import optim


def averages(values: list[float], beta: float, bias_correction: bool) -> list[float]:
    """v = β v + (1 − β) x, divided by 1 − βᵗ if corrected."""
    v, found = 0.0, []
    for t, x in enumerate(values, start=1):
        v = beta * v + (1 - beta) * x
        found.append(v / (1 - beta**t) if bias_correction else v)
    return found


def weight_of_old_values(beta: float) -> float:
    """How much less the value of 1/(1−β) steps ago counts than the newest: about 1/e."""
    return beta ** (1 / (1 - beta))


def temperatures(days: int = 365) -> list[float]:
    ad.manual_seed(0)
    return [
        10 - 12 * math.cos(2 * math.pi * day / 365) + noise for day, noise in enumerate((3 * ad.randn(days)).tolist())
    ]


def first_step(make, gradient: float) -> float:
    """How far an optimizer goes in its first step at a constant gradient."""
    w = ad.zeros(1, dtype=ad.float64, requires_grad=True)
    optimizer = make([w])
    w.grad = ad.full((1,), gradient, dtype=ad.float64)
    optimizer.step()
    return -w.item()


def rmsprop_outside(g: float, alpha: float = 0.1, beta: float = 0.9, epsilon: float = 1e-8) -> float:
    """α g / (√s + ε), as the notes and this library have it."""
    return alpha * g / (math.sqrt((1 - beta) * g * g) + epsilon)


def rmsprop_inside(g: float, alpha: float = 0.1, beta: float = 0.9, epsilon: float = 1e-8) -> float:
    """α g / √(s + ε), as others have it: ε then is as large as 1e-4 would be outside."""
    return alpha * g / math.sqrt((1 - beta) * g * g + epsilon)


def adam_after_correction(g: float, alpha: float = 0.1, epsilon: float = 1e-8) -> float:
    """α v̂ / (√ŝ + ε): in the first step v̂ is g and ŝ is g², so that the rate is the length of the step."""
    return alpha * g / (abs(g) + epsilon)


def adam_before_correction(g: float, alpha: float = 0.1, beta: float = 0.999, epsilon: float = 1e-8) -> float:
    """ε beside the uncorrected √s, the shorter form in the paper of Adam: in the first step 1/√(1−β₂) as strong."""
    return alpha * math.sqrt(1 - beta) * g / (math.sqrt((1 - beta) * g * g) + epsilon)


def lowest_point(steps: int = 1000, alpha: float = 0.1) -> list[float]:
    """w, from 0, on the way down w² − 10w + 25, by Adam."""
    w = ad.zeros(1, requires_grad=True)
    optimizer = optim.Adam([w], lr=alpha)
    path = []
    for _ in range(steps):
        optimizer.zero_grad()
        (w**2 - 10 * w + 25).sum().backward()
        optimizer.step()
        path.append(w.item())
    return path


def main() -> None:
    days = temperatures()
    for beta in (0.5, 0.9, 0.98):
        plain, corrected = averages(days, beta, False), averages(days, beta, True)
        print(
            f"β = {beta}: over {1 / (1 - beta):.0f} days, the oldest counts {weight_of_old_values(beta):.2f}; "
            f"day 1: {days[0]:.1f}, average {plain[0]:.2f}, corrected {corrected[0]:.2f}"
        )
    print(f"\n{'first step at g':>16}{'1e-2':>10}{'1e-6':>10}{'1e-8':>10}")
    rules = {
        "RMSprop, ε outside": rmsprop_outside, "ε inside": rmsprop_inside,
        "Adam, corrected": adam_after_correction, "uncorrected": adam_before_correction,
    }  # fmt: skip
    for name, rule in rules.items():
        print(f"{name:>20}" + "".join(f"{rule(g):10.2g}" for g in (1e-2, 1e-6, 1e-8)))
    path = lowest_point()
    print(f"\nw after 1 step {path[0]:.4f}, after 100 {path[99]:.4f}, after 1000 {path[-1]:.6f}")


if __name__ == "__main__":
    main()
