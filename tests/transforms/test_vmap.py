"""What vmap takes and gives: axes, trees, nesting, random draws, chunks, errors; models without a loop."""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autodiff as ad
import nn
import nn.functional as F
from autodiff.tensor import Tensor, wrap
from autodiff.transforms import each_sample


def randn(*shape: int) -> Tensor:
    return ad.randn(*shape, dtype=ad.float64)


def same(a: Any, b: Any, tolerance: float = 1e-12) -> None:
    np.testing.assert_allclose(a.array, b.array, rtol=tolerance, atol=tolerance)


def test_axes_of_inputs_and_outputs() -> None:
    x, w = randn(4, 3, 5), randn(5, 2)
    expected = ad.stack([x[:, i] @ w for i in range(3)], 2)
    for out in (2, -1):
        same(ad.vmap(lambda x, w: x @ w, in_dims=(1, None), out_dims=out)(x, w), expected)
    same(ad.vmap(lambda x, w: x @ w, in_dims=[-2, None], out_dims=-1)(x, w), expected)
    same(ad.vmap(ad.mul, (None, 0))(x[0, 0], x[0]), x[0, 0] * x[0])


def test_trees_and_keywords() -> None:
    x, y = randn(3, 2), randn(2, 3)

    def function(pair: Any, *, scale: Tensor) -> Any:
        return {"sum": pair["a"] + pair["b"][0], "both": [pair["a"] * scale, (scale,)]}

    out = ad.vmap(function, in_dims=({"a": 0, "b": 1},), out_dims={"sum": 1, "both": 0})(
        {"a": x, "b": (y,)}, scale=ad.tensor(3.0, dtype=ad.float64)
    )
    same(out["sum"], (x + y.t()).t())
    same(out["both"][0], x * 3)
    assert out["both"][1][0].tolist() == [3.0, 3.0, 3.0]


def test_what_does_not_differ_is_repeated_or_given_once() -> None:
    x, c = randn(3, 2), randn(2)
    a, b, d = ad.vmap(lambda x: (x, c, c), out_dims=(0, 1, None))(x)
    same(a, x)
    same(b, ad.stack([c] * 3, 1))
    same(d, c)
    with pytest.raises(ValueError, match="out_dim None is for what is the same"):
        ad.vmap(lambda x: x, out_dims=None)(x)


def test_nested() -> None:
    x, y = randn(3, 4), randn(5, 4)
    products = ad.vmap(ad.vmap(ad.dot, (None, 0)), (0, None))(x, y)
    same(products, x @ y.t())
    a, b = randn(2, 3, 4, 5), randn(5, 3)
    inner = ad.vmap(lambda a, b: (ad.softmax(a * b, 0) * a).sum(), (0, None))
    found = ad.vmap(ad.vmap(inner, (0, None)), (1, 1), out_dims=1)(a, b)
    for i in range(2):
        for j in range(3):
            same(found[i, j], inner(a[i, j], b[:, j]))


def test_an_outer_sample_meets_an_inner_one() -> None:
    x, y = randn(3), randn(4)
    same(ad.vmap(lambda a: ad.vmap(lambda b: a * b + a)(y))(x), x[:, None] * y + x[:, None])
    same(ad.vmap(lambda a: ad.vmap(lambda b: a)(y))(x), ad.stack([x] * 4, 1))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_chunks(size: int) -> None:
    x, w = randn(7, 3), randn(3)
    function = lambda x, w: (x * w, (x @ w).exp())  # noqa: E731
    for a, b in zip(
        ad.vmap(function, (0, None), (1, 0), chunk_size=size)(x, w),
        ad.vmap(function, (0, None), (1, 0))(x, w),
        strict=True,
    ):
        same(a, b)


def test_random_draws() -> None:
    x = ad.zeros(3, 2)
    for draw in (
        lambda x: x + ad.rand(2), lambda x: x + ad.randn(2), lambda x: x + ad.randint(0, 1000, (2,)),
        lambda x: x + ad.randperm(2), lambda x: F.dropout(x + 1, 0.5), lambda x: ad.bernoulli(x + 0.5),
        lambda x: ad.rand_like(x),
    ):  # fmt: skip
        with pytest.raises(RuntimeError, match="randomness='different'"):
            ad.vmap(draw)(x)
    ad.manual_seed(0)
    different = ad.vmap(lambda x: x + ad.rand(2), randomness="different")(x)
    ad.manual_seed(0)
    same(different, ad.rand(3, 2))
    ad.manual_seed(0)
    alike = ad.vmap(lambda x: x + ad.rand(2), randomness="same")(x)
    ad.manual_seed(0)
    same(alike, ad.stack([ad.rand(2)] * 3))
    both = ad.vmap(lambda x: ad.vmap(lambda y: y + ad.rand(()), randomness="different")(x), randomness="same")(x)
    assert both[0].tolist() == both[2].tolist()
    assert both[0, 0].item() != both[0, 1].item()
    assert len({tuple(row) for row in ad.vmap(lambda x: ad.randperm(6), randomness="different")(x).tolist()}) > 1
    assert ad.vmap(lambda x: F.dropout(x + 1, 0.5), randomness="different")(ad.zeros(64, 8)).unique().tolist() == [0, 2]
    ad.rand(1)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: ad.vmap(lambda: x)(), ValueError, "without inputs"),
        (lambda x: ad.vmap(ad.sin, in_dims="0")(x), ValueError, "in_dims to be an int or a tuple"),
        (lambda x: ad.vmap(ad.sin, in_dims=(0, 0))(x), ValueError, "structure of the inputs"),
        (lambda x: ad.vmap(ad.mul, in_dims=((0,), 0))(x, x), ValueError, "structure of the inputs"),
        (lambda x: ad.vmap(ad.mul)(x, 2.0), ValueError, "type float, which has no samples"),
        (lambda x: ad.vmap(ad.sin, in_dims=2)(x), ValueError, "not among the 2 dimensions"),
        (lambda x: ad.vmap(ad.sin, in_dims=-3)(x), ValueError, "not among the 2 dimensions"),
        (lambda x: ad.vmap(ad.sin)(ad.tensor(1.0)), ValueError, "not among the 0 dimensions"),
        (lambda x: ad.vmap(ad.mul)(x, x[:2]), ValueError, r"as many samples in all inputs of mul, got \[3, 2\]"),
        (lambda x: ad.vmap(ad.sin, in_dims=(None,))(x), ValueError, "samples along some dimension"),
        (lambda x: ad.vmap(lambda x: 1.0)(x), ValueError, "only Tensors, got float"),
        (lambda x: ad.vmap(lambda x: (x, None))(x), ValueError, "only Tensors, got NoneType"),
        (lambda x: ad.vmap(ad.sin, out_dims=(0, 0))(x), ValueError, "out_dims with the structure"),
        (lambda x: ad.vmap(ad.sin, out_dims=2)(x), IndexError, "out_dim 2 is not among"),
        (lambda x: ad.vmap(ad.sin, randomness="some")(x), RuntimeError, "'error', 'different' or 'same'"),
        (lambda x: ad.vmap(ad.sin, chunk_size=0)(x), ValueError, "chunk_size of at least 1"),
        (lambda x: ad.vmap(lambda x: x @ ad.ones(3))(x), RuntimeError, "matmul: .*the inner lengths differ"),
        (lambda x: ad.vmap(lambda x: ad.linalg.vecdot(x, x.double()))(x), RuntimeError, "one floating-point dtype"),
        (lambda x: ad.vmap(lambda x: ad.matmul(x, ad.ones(2, dtype=ad.float64)))(x), RuntimeError, "the same dtype"),
        (lambda x: ad.vmap(lambda x: x if x.sum() > 0 else -x)(x), RuntimeError, "ad.where"),
        (lambda x: ad.vmap(lambda x: x * x[0].item())(x), RuntimeError, "item"),
    ],
)
def test_errors(call: Callable[[Tensor], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(ad.ones(3, 2))


def test_backward_of_what_was_mapped() -> None:
    x, w = randn(5, 3).requires_grad_(), randn(3, 2).requires_grad_()
    y = ad.vmap(lambda x: ad.tanh(x @ w) * x.sum())(x)
    (y * y).sum().backward()
    a, b = x.detach().requires_grad_(), w.detach().requires_grad_()
    z = ad.tanh(a @ b) * a.sum(1, keepdim=True)
    (z * z).sum().backward()
    same(x.grad, a.grad)
    same(w.grad, b.grad)


def test_backward_frees_and_says_so() -> None:
    x = randn(5, 3).requires_grad_()
    y = ad.vmap(ad.exp)(x).sum()
    y.backward(retain_graph=True)
    first = x.grad.clone()
    y.backward()
    same(x.grad, 2 * first)
    with pytest.raises(RuntimeError, match="a second time"):
        y.backward()


def test_write_after_vmap_is_noticed_by_what_was_saved() -> None:
    x, w = randn(5, 3).requires_grad_(), randn(3)
    y = ad.vmap(lambda x: x * w)(x).sum()
    with ad.no_grad():
        w.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_no_grad_inside_and_around() -> None:
    x = randn(3, 2).requires_grad_()
    with ad.no_grad():
        assert not ad.vmap(ad.sin)(x).requires_grad
    assert not ad.vmap(lambda x: ad.no_grad()(ad.sin)(x))(x).requires_grad


def test_in_place_inside() -> None:
    def function(x: Tensor) -> Tensor:
        y = x.clone().copy_(x * 2)
        y += 1
        y[0] = x[1] * 10
        return y.mul_(2)

    x = randn(3, 2)
    same(ad.vmap(function)(x), ad.stack([function(row) for row in x]))
    with pytest.raises(RuntimeError, match=r"vmap: .*new_zeros"):
        ad.vmap(lambda x: ad.zeros(2, dtype=ad.float64).add_(x))(x)
    with pytest.raises(RuntimeError, match=r"vmap: .*new_zeros"):
        ad.vmap(lambda x: ad.zeros(2, dtype=ad.float64).copy_(x))(x)


@pytest.mark.parametrize(
    "make",
    [ad.zeros_like, ad.ones_like, ad.empty_like, lambda x: ad.full_like(x, 2), lambda x: x.new_zeros(2),
     lambda x: x.new_ones(2), lambda x: x.new_full((2,), 3), lambda x: x.new_empty(2)],
)  # fmt: skip
def test_what_a_sample_makes_like_its_own_it_may_write_to(make: Callable[[Tensor], Tensor]) -> None:
    def function(x: Tensor) -> Tensor:
        y = make(x)
        y[0], y[1] = x[1], x.sum()
        return y

    x = randn(3, 2)
    same(ad.vmap(function)(x), ad.stack([x[:, 1], x.sum(1)], 1))


def test_warns_once_for_an_op_that_runs_in_a_loop() -> None:
    each_sample._warned.discard("matrix_exp")
    x = randn(3, 2, 2)
    with pytest.warns(UserWarning, match="matrix_exp cannot take all samples at once, so it runs once for each of 3"):
        y = ad.vmap(ad.matrix_exp)(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same(y, ad.vmap(ad.matrix_exp)(x))


def test_prints_inside() -> None:
    shown = []
    ad.vmap(lambda x: shown.append(repr(x)) or x)(ad.ones(2, 3))
    assert "shape=(3,)" in shown[0]


def test_threads_draw_by_their_own_rule() -> None:
    inside, done = threading.Event(), threading.Event()

    def wait(x: Tensor) -> Tensor:
        inside.set()
        assert done.wait(10)
        return x

    thread = threading.Thread(target=lambda: ad.vmap(wait)(ad.ones(2)))
    thread.start()
    assert inside.wait(10)
    assert ad.rand(2).shape == (2,)
    done.set()
    thread.join()


# Models: nothing of them may run once a sample.


def conv2d(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A convolution of (N, C, H, W) by windows and a contraction."""
    windows = x.unfold(2, weight.shape[2], 1).unfold(3, weight.shape[3], 1)
    return ad.einsum("nchwij,ocij->nohw", windows, weight) + bias[:, None, None]


def max_pool2d(x: Tensor, size: int) -> Tensor:
    return x.unfold(2, size, size).unfold(3, size, size).amax((-1, -2))


def cnn(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
    h = max_pool2d(conv2d(x, parameters["w1"], parameters["b1"]).relu(), 2)
    h = F.leaky_relu(conv2d(h, parameters["w2"], parameters["b2"]))
    return F.log_softmax(h.mean((2, 3)), 1)


def attention(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
    """Two heads of scaled dot-product attention over (T, 8), causal."""
    q, k, v = (ad.einsum("td,hde->hte", x, parameters[name]) for name in "qkv")
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    mask = ad.ones(len(x), len(x), dtype=ad.bool).tril()
    weights = ad.softmax(scores.masked_fill(~mask, -math.inf), -1)
    joined = (weights @ v).transpose(0, 1).reshape(len(x), -1)
    mean, spread = joined.mean(-1, keepdim=True), joined.var(-1, keepdim=True, correction=0)
    return (joined - mean) / (spread + 1e-5).sqrt() + x


CNN = {"w1": (4, 2, 3, 3), "b1": (4,), "w2": (3, 4, 2, 2), "b2": (3,)}
ATTENTION = {"q": (2, 8, 4), "k": (2, 8, 4), "v": (2, 8, 4)}


def made(shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    ad.manual_seed(0)
    return {name: randn(*shape) * 0.4 for name, shape in shapes.items()}


def check_model(loss: Callable[..., Tensor], parameters: Any, x: Tensor, y: Tensor) -> None:
    """Values, per-sample gradients and per-sample Hessian-vector products against a loop."""
    gradient = ad.func.grad(loss)
    along = ad.func.grad(lambda p, x, y: sum(((g * g).sum() for g in gradient(p, x, y).values()), start=ad.tensor(0.0)))
    for function in (loss, gradient, along):
        found = ad.vmap(function, (None, 0, 0))(parameters, x, y)
        for i in range(len(x)):
            expected = function(parameters, x[i], y[i])
            if isinstance(expected, Tensor):
                same(found[i], expected, 1e-10)
                continue
            for name, value in expected.items():
                same(found[name][i], value, 1e-9)


@pytest.mark.usefixtures("no_loops")
def test_mlp() -> None:
    ad.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 6), nn.ReLU(), nn.Linear(6, 4)).double()

    def loss(p: Any, x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(ad.func.functional_call(model, p, (x,)), y)

    parameters = {name: p.detach() for name, p in model.named_parameters()}
    check_model(loss, parameters, randn(6, 5), ad.randint(0, 4, (6,)))
    check_model(
        lambda p, x, y: F.mse_loss(ad.func.functional_call(model, p, (x.unsqueeze(0),))[0], y),
        parameters, randn(6, 5), randn(6, 4),
    )  # fmt: skip


@pytest.mark.usefixtures("no_loops")
def test_cnn() -> None:
    def loss(p: Any, x: Tensor, y: Tensor) -> Tensor:
        return F.nll_loss(cnn(p, x.unsqueeze(0)), y.unsqueeze(0))

    check_model(loss, made(CNN), randn(5, 2, 9, 9), ad.randint(0, 3, (5,)))


@pytest.mark.usefixtures("no_loops")
def test_batch_norm_in_evaluation() -> None:
    ad.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 2)).double()
    for _ in range(3):
        model(randn(8, 5) * 2 + 1)
    model.eval()
    parameters = {name: p.detach() for name, p in model.named_parameters()}

    def loss(p: Any, x: Tensor, y: Tensor) -> Tensor:
        return ((ad.func.functional_call(model, p, (x.unsqueeze(0),))[0] - y) ** 2).sum()

    check_model(loss, parameters, randn(6, 5), randn(6, 2))


@pytest.mark.usefixtures("no_loops")
def test_attention() -> None:
    check_model(lambda p, x, y: ((attention(p, x) - y) ** 2).mean(), made(ATTENTION), randn(4, 6, 8), randn(4, 6, 8))


@pytest.mark.usefixtures("no_loops")
def test_ensemble() -> None:
    models = [nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).double() for _ in range(5)]
    parameters, buffers = ad.func.stack_module_state(models)
    x = randn(6, 3)

    def run(p: Any, b: Any, x: Tensor) -> Tensor:
        result: Tensor = ad.func.functional_call(models[0], (p, b), (x,))
        return result

    found = ad.vmap(run, (0, 0, None))(parameters, buffers, x)
    same(found, ad.stack([model(x) for model in models]))
    found.square().sum().backward()
    for i, model in enumerate(models):
        model(x).square().sum().backward()
        for name, p in model.named_parameters():
            same(wrap(parameters[name].grad.array[i]), p.grad)


def test_a_gradient_taken_inside_is_a_tensor() -> None:
    def slope(x: Tensor) -> Tensor:
        own = x.clone().requires_grad_()
        (g,) = ad.grad((own**3).sum(), own)
        assert isinstance(g, Tensor)
        return g

    x = ad.randn(4, 3, dtype=ad.float64)
    assert ad.allclose(ad.vmap(slope)(x), 3 * x * x)
