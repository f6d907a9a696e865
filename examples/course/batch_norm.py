"""Batch-norm: its redundant bias, its identity, its two places, the noise of small batches, and covariate shift."""

import autodiff as ad
import nn


def bias_before_it() -> tuple[float, float]:
    """By how much a bias before batch-norm changes the result, and its gradient: the mean takes it away again."""
    ad.manual_seed(0)
    x, bias = ad.randn(32, 4, dtype=ad.float64), ad.randn(4, dtype=ad.float64, requires_grad=True)
    norm = nn.BatchNorm1d(4).double()
    with_bias = norm(x + bias)
    (with_bias**3).sum().backward()
    return (with_bias - norm(x)).abs().max().item(), bias.grad.abs().max().item()


def identity() -> float:
    """How far the result is from the input where γ = √(σ² + ε) and β = μ: it can learn to do nothing."""
    ad.manual_seed(0)
    x = 3 * ad.randn(32, 4, dtype=ad.float64) + 5
    norm = nn.BatchNorm1d(4).double()
    with ad.no_grad():
        norm.weight.copy_((x.var(dim=0, correction=0) + norm.eps).sqrt())
        norm.bias.copy_(x.mean(dim=0))
    return (norm(x) - x).abs().max().item()


def before_or_after() -> dict[str, tuple[float, float]]:
    """Mean and smallest value of what the next layer gets, with batch-norm before ReLU (as the notes) or after it."""
    ad.manual_seed(0)
    z, norm, relu = 3 * ad.randn(1000, 8) + 1, nn.BatchNorm1d(8), nn.ReLU()
    results = {"before": relu(norm(z)), "after": norm(relu(z))}
    return {place: (a.mean().item(), a.min().item()) for place, a in results.items()}


def noise(batch_size: int, batches: int = 400) -> float:
    """How much the result for one and the same example changes with the others of its batch (standard deviation)."""
    ad.manual_seed(0)
    norm = nn.BatchNorm1d(1)
    example = ad.ones(1, 1)
    with ad.no_grad():
        results = [norm(ad.cat([example, ad.randn(batch_size - 1, 1)]))[0, 0] for _ in range(batches)]
    return ad.stack(results).std().item()


def moved_by_shift(normalised: bool) -> float:
    """How far a layer's output moves, relative to its size, where the inputs become twice as large and 3 larger.

    What to a later layer looks like another distribution, with batch-norm between looks the same as before.
    """
    ad.manual_seed(0)
    layer = nn.Linear(4, 16)
    norm = nn.BatchNorm1d(16) if normalised else nn.Identity()
    x = ad.randn(256, 4)
    with ad.no_grad():
        before, after = norm(layer(x)), norm(layer(2 * x + 3))
    return ((after - before).norm() / before.norm()).item()


def main() -> None:
    change, gradient = bias_before_it()
    print(f"a bias before it changes the result by {change:.0e}, and its gradient is {gradient:.0e}")
    print(f"with γ = √(σ² + ε), β = μ it changes its input by {identity():.0e}")
    for place, (mean, least) in before_or_after().items():
        print(f"{place} ReLU: the next layer gets numbers of mean {mean:.2f}, from {least:.2f} on")
    for size in (4, 16, 64, 256):
        print(f"in batches of {size:3} the result for one example varies by {noise(size):.3f}")
    for normalised in (False, True):
        print(f"shifted inputs move the output by {moved_by_shift(normalised):.2f}{' with it' * normalised}")


if __name__ == "__main__":
    main()
