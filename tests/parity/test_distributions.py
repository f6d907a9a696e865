"""`torch.distributions` and ours: the same draws after the same seed, densities, moments, divergences, gradients."""

from typing import Any

import numpy as np
import pytest
import torch

import autodiff as ad
from autodiff.as_torch import distributions as ours

theirs = torch.distributions
A, B = np.array([[0.3], [1.7]]), np.array([0.5, 1.0, 2.5])
SHARES = np.array([[0.2, 0.3, 0.5], [0.1, 0.1, 0.8]])
COVARIANCE = np.array([[2.0, 0.3], [0.3, 1.0]])
FAMILIES: dict[str, dict[str, Any]] = {
    "Normal": {"loc": A, "scale": B}, "LogNormal": {"loc": A, "scale": B}, "Laplace": {"loc": A, "scale": B},
    "Cauchy": {"loc": A, "scale": B}, "Gumbel": {"loc": A, "scale": B}, "Uniform": {"low": -A, "high": B},
    "Exponential": {"rate": B}, "HalfNormal": {"scale": B}, "Gamma": {"concentration": A, "rate": B},
    "Chi2": {"df": B}, "Dirichlet": {"concentration": SHARES * 5}, "StudentT": {"df": B * 2, "loc": A, "scale": B},
    "Beta": {"concentration1": A, "concentration0": B}, "Bernoulli": {"probs": SHARES},
    "Geometric": {"probs": SHARES}, "Categorical": {"probs": SHARES * 2}, "OneHotCategorical": {"logits": SHARES},
    "Multinomial": {"total_count": 5, "probs": SHARES}, "Poisson": {"rate": B * 6},
    "MultivariateNormal": {"loc": np.array([0.5, -1.0]), "covariance_matrix": COVARIANCE},
}  # fmt: skip
# What PyTorch computes and we do not.
ABSENT = {("Multinomial", "entropy"), ("StudentT", "entropy")}


def both(name: str, dtype: str = "float64") -> tuple[Any, Any]:
    given = {key: x.astype(dtype) if isinstance(x, np.ndarray) else x for key, x in FAMILIES[name].items()}
    mine = {key: ad.tensor(x, requires_grad=True) if isinstance(x, np.ndarray) else x for key, x in given.items()}
    other = {
        key: torch.from_numpy(x.copy()).requires_grad_() if isinstance(x, np.ndarray) else x for key, x in given.items()
    }
    return getattr(ours, name)(**mine), getattr(theirs, name)(**other)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("shape", [(), (40,), (2, 3)])
def test_draws(name: str, dtype: str, shape: tuple[int, ...]) -> None:
    mine, other = both(name, dtype)
    ad.manual_seed(3)
    torch.manual_seed(3)
    found, expected = mine.sample(shape), other.sample(shape)
    assert found.shape == tuple(expected.shape)
    assert found.node is None
    # Logarithms and sines of another library differ in the last bits, of sums near 0 in the bits of their terms.
    near = {"rtol": 1e-5, "atol": 1e-6} if dtype == "float32" else {"rtol": 1e-12, "atol": 1e-14}
    np.testing.assert_allclose(found.array, expected.numpy(), **near)
    if mine.has_rsample:
        found, expected = mine.rsample(shape), other.rsample(shape)
        np.testing.assert_allclose(found.array, expected.detach().numpy(), **near)
    # As many numbers were drawn.
    assert ad.rand(1).item() == torch.rand(1).item()


@pytest.mark.parametrize("name", FAMILIES)
def test_numbers(name: str) -> None:
    mine, other = both(name)
    torch.manual_seed(5)
    value = other.sample((4,))
    found, expected = mine.log_prob(ad.tensor(value.numpy())), other.log_prob(value)
    np.testing.assert_allclose(found.array, expected.detach().numpy(), rtol=1e-10, atol=1e-12)
    for kind in ("mean", "variance", "stddev", "entropy"):
        if (name, kind) not in ABSENT and not (name == "Poisson" and kind == "entropy"):
            found, expected = getattr(mine, kind), getattr(other, kind)
            if kind == "entropy":
                found, expected = found(), expected()
            np.testing.assert_allclose(found.array, expected.detach().numpy(), rtol=1e-10, atol=1e-12, err_msg=kind)
    assert mine.batch_shape == tuple(other.batch_shape)
    assert mine.event_shape == tuple(other.event_shape)


@pytest.mark.parametrize("name", FAMILIES)
def test_gradients(name: str) -> None:
    given = {key: x for key, x in FAMILIES[name].items() if isinstance(x, np.ndarray)}
    rest = {key: x for key, x in FAMILIES[name].items() if key not in given}
    mine = {key: ad.tensor(x, requires_grad=True) for key, x in given.items()}
    other = {key: torch.from_numpy(x.copy()).requires_grad_() for key, x in given.items()}
    p, q = getattr(ours, name)(**mine, **rest), getattr(theirs, name)(**other, **rest)
    torch.manual_seed(7)
    value = q.sample((3,))
    terms = [(p.log_prob(ad.tensor(value.numpy())), q.log_prob(value))]
    if p.has_rsample:
        ad.manual_seed(7)
        torch.manual_seed(7)
        terms.append((p.rsample((3,)), q.rsample((3,))))
    for found, expected in terms:
        slopes = ad.grad(found.sum(), list(mine.values()), retain_graph=True, allow_unused=True)
        wanted = torch.autograd.grad(expected.sum(), list(other.values()), retain_graph=True, allow_unused=True)
        for slope, want in zip(slopes, wanted, strict=True):
            absent = np.zeros(())
            np.testing.assert_allclose(
                absent if slope is None else slope.array, absent if want is None else want.numpy(), rtol=1e-9, atol=1e-9
            )


@pytest.mark.parametrize(
    "name",
    ["Normal", "Laplace", "Exponential", "Uniform", "Gamma", "Dirichlet", "Beta", "Bernoulli", "Categorical",
     "OneHotCategorical", "Poisson"],
)  # fmt: skip
def test_divergence(name: str) -> None:
    first = FAMILIES[name]
    second = {key: x * 0.9 + 0.05 for key, x in first.items()}
    p, q = (getattr(ours, name)(**{k: ad.tensor(x) for k, x in some.items()}) for some in (first, second))
    r, s = (getattr(theirs, name)(**{k: torch.from_numpy(x) for k, x in some.items()}) for some in (first, second))
    np.testing.assert_allclose(ours.kl_divergence(p, q).array, theirs.kl_divergence(r, s).numpy(), rtol=1e-10)


def test_independent_expand_and_errors() -> None:
    p = ours.Independent(ours.Normal(ad.zeros(3, 2), ad.ones(3, 2)), 1)
    q = theirs.Independent(theirs.Normal(torch.zeros(3, 2), torch.ones(3, 2)), 1)
    assert (p.batch_shape, p.event_shape) == (tuple(q.batch_shape), tuple(q.event_shape))
    assert p.log_prob(ad.ones(2)).shape == tuple(q.log_prob(torch.ones(2)).shape)
    assert ours.Normal(0.0, 1.0).expand((2, 2)).sample((3,)).shape == (3, 2, 2)
    assert ours.Bernoulli(ad.tensor(0.5)).expand((4,)).sample().shape == (4,)
    for wrong in (lambda m: m.Normal(0.0, -1.0), lambda m: m.Bernoulli(1.5), lambda m: m.Uniform(1.0, 0.0)):
        with pytest.raises(ValueError, match=r"expected|low >= high"):
            wrong(ours)
        with pytest.raises(ValueError, match=r"xpected|low >= high"):
            wrong(theirs)
    with pytest.raises(NotImplementedError, match="register_kl"):
        ours.kl_divergence(ours.Normal(0.0, 1.0), ours.Exponential(1.0))


def transformed(m: Any, tensor: Any, name: str) -> Any:
    transforms = {
        "exp": [m.transforms.ExpTransform()],
        "affine and tanh": [m.transforms.AffineTransform(0.5, tensor([2.0, 0.3])), m.transforms.TanhTransform()],
        "falling sigmoid": [m.transforms.AffineTransform(1.0, -0.5), m.transforms.SigmoidTransform()],
        "softplus to a power": m.transforms.ComposeTransform(
            [m.transforms.SoftplusTransform(), m.transforms.PowerTransform(tensor(1.5))]
        ),
        "an inverse": [m.transforms.ExpTransform(), m.transforms.ExpTransform().inv],
        "kept": [m.transforms.TanhTransform(cache_size=1)],
        "of pairs": [m.transforms.AffineTransform(0.0, 2.0, event_dim=1), m.transforms.ExpTransform()],
    }
    return m.TransformedDistribution(m.Normal(tensor([0.2, -0.4]), tensor([1.0, 0.5])), transforms[name])


@pytest.mark.parametrize(
    "name",
    ["exp", "affine and tanh", "falling sigmoid", "softplus to a power", "an inverse", "kept", "of pairs"],
)
def test_transformed(name: str) -> None:
    found = []
    for m, lib in ((ours, ad), (theirs, torch)):
        lib.manual_seed(4)
        p = transformed(m, lambda x, lib=lib: lib.tensor(x, dtype=lib.float64), name)
        drawn = p.rsample((3,))
        assert (tuple(p.batch_shape), tuple(p.event_shape)) == ((), (2,)) if name == "of pairs" else ((2,), ())
        extra = [p.cdf(drawn), p.icdf(p.cdf(drawn))] if name not in ("of pairs",) else []
        found.append([x.numpy() for x in (drawn, p.log_prob(drawn), p.sample((2,)), *extra)])
    for mine, other in zip(*found, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-10, atol=1e-12)
    independent = [
        m.Independent(transformed(m, lambda x, lib=lib: lib.tensor(x, dtype=lib.float64), "exp"), 1).log_prob(
            lib.ones(2, dtype=lib.float64)
        )
        for m, lib in ((ours, ad), (theirs, torch))
    ]
    assert independent[0].item() == pytest.approx(independent[1].item(), rel=1e-12)


def test_mixtures() -> None:
    found = []
    for m, lib in ((ours, ad), (theirs, torch)):
        lib.manual_seed(6)
        shares, a, b = (lib.tensor(x, dtype=lib.float64) for x in (SHARES, A, B))
        flat = m.MixtureSameFamily(m.Categorical(shares), m.Normal(a, b))
        pairs = m.MixtureSameFamily(
            m.Categorical(shares[0]), m.Independent(m.Normal(lib.stack([b, -b], 1), lib.ones_like(b)[:, None]), 1)
        )
        for p in (flat, pairs):
            drawn = p.sample((5,))
            found.append([drawn, p.log_prob(drawn), p.mean, p.variance, p.sample()])
        found[-2].append(flat.cdf(drawn[:, :1]))
        assert (tuple(flat.batch_shape), tuple(pairs.batch_shape), tuple(pairs.event_shape)) == ((2,), (), (2,))
    for mine, other in zip(found[0] + found[1], found[2] + found[3], strict=True):
        np.testing.assert_allclose(mine.numpy(), other.numpy(), rtol=1e-10, atol=1e-12)
    with pytest.raises(ValueError, match="expected as many components as weights, got 2 for 3"):
        ours.MixtureSameFamily(ours.Categorical(ad.ones(3)), ours.Normal(ad.zeros(2), 1.0))


@pytest.mark.parametrize("given", ["probs", "logits"])
@pytest.mark.parametrize("name", ["RelaxedOneHotCategorical", "RelaxedBernoulli", "OneHotCategoricalStraightThrough"])
def test_relaxed(name: str, given: str) -> None:
    found = []
    for m, lib in ((ours, ad), (theirs, torch)):
        lib.manual_seed(8)
        x = lib.tensor(SHARES, dtype=lib.float64).requires_grad_()
        temperature = () if "Straight" in name else (lib.tensor(0.7, dtype=lib.float64),)
        p = getattr(m, name)(*temperature, **{given: x})
        drawn = p.rsample((4,))
        weights = lib.arange(drawn.numel(), dtype=lib.float64).reshape(drawn.shape)
        (drawn * weights).sum().backward()
        slope = x.grad.numpy().copy()
        logarithms = p.log_prob(drawn.detach())
        found.append((drawn.detach().numpy(), slope, logarithms.detach().numpy(), p.sample().numpy()))
        assert (tuple(p.batch_shape), tuple(p.event_shape)) == (((2, 3), ()) if "Bern" in name else ((2,), (3,)))
    for mine, other in zip(*found, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-11)
