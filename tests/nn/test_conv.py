"""Convolutions beside their definition, their windows and their errors."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
import nn
from autodiff.op import OpError
from autodiff.tensor import Array
from nn import functional as F
from nn.functional import convolution, rows, windows
from nn.testing.convolution import Drawn


def by_definition(x: Array, weight: Array, drawn: Drawn) -> Array:
    """A convolution as six nested sums, on an array that is padded with zeros far enough."""
    y = np.zeros(drawn.y)
    padded = np.pad(x, [(0, 0), (0, 0), *((p, 20) for p in drawn.steps["padding"])])
    groups = drawn.groups
    for o, at in itertools.product(range(drawn.y[1]), np.ndindex(*drawn.count)):
        group = o // (drawn.y[1] // groups)
        channels = slice(group * weight.shape[1], (group + 1) * weight.shape[1])
        for entry in np.ndindex(*drawn.kernel):
            places = [
                i * s + k * d
                for i, k, s, d in zip(at, entry, drawn.steps["stride"], drawn.steps["dilation"], strict=True)
            ]
            y[(slice(None), o, *at)] += padded[(slice(None), channels, *places)] @ weight[(o, slice(None), *entry)]
    return y


# What makes small convolutions take each of the ways of large ones: columns, and windows that overlap in memory, of
# which the gradient by the weight reads rows that are long, or all windows for each entry along the first axis.
ANY = {"ENTRIES": 1, "ROW": 1, "COLUMNS": 2, "OUTPUTS": 1}
WAYS = {
    "columns": {},
    "rows": ANY | {"LONG": 1},
    "entries": ANY | {"LONG": 10**9},
    "parts": ANY | {"LONG": 4, "UNPACKED": 400},
}


@pytest.mark.parametrize("short", [0, 8])
@pytest.mark.parametrize("way", WAYS)
@given(data=st.data())
def test_convolution_is_its_definition(way: str, short: int, data: st.DataObject) -> None:
    """However many windows are laid out at a time, in as many blocks of samples, and whichever axis is the last."""
    budget = data.draw(st.sampled_from([1, 300, 1 << 19]))
    drawn = Drawn(data.draw, data.draw(st.integers(1, 3)))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    x, weight, g = (rng.normal(size=shape) for shape in (drawn.x, drawn.weight, drawn.y))
    with pytest.MonkeyPatch.context() as patch:
        for module in (windows, rows):
            patch.setattr(module, "BUDGET", budget)
        for name, value in {"BLOCK": budget, "SHORT": short, "SHORT_ROWS": short, "TURNED": 1, **WAYS[way]}.items():
            patch.setattr(convolution, name, value)
        tensors = [ad.tensor(a, requires_grad=True) for a in (x, weight)]
        y = getattr(F, f"conv{len(drawn.size)}d")(*tensors, None, **drawn.steps, groups=drawn.groups)
        gradients = ad.grad(y, tensors, ad.tensor(g))
    expected = by_definition(x, weight, drawn)
    np.testing.assert_allclose(y.detach().numpy(), expected, rtol=1e-12, atol=1e-12)
    # The form is linear in each: g · y = x · (gradient of x) = weight · (gradient of weight).
    for array, gradient in zip((x, weight), gradients, strict=True):
        np.testing.assert_allclose(np.sum(array * gradient.numpy()), np.sum(g * expected), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("size", [6, 12])
def test_the_bits_do_not_depend_on_threads(size: int) -> None:
    x, weight = ad.randn(40, 16, size, size), ad.randn(8, 16, 3, 3)
    before, found = ad.get_num_threads(), []
    for number in (1, 2):
        ad.set_num_threads(number)
        inputs = [x.clone().requires_grad_(), weight.clone().requires_grad_()]
        y = F.conv2d(*inputs, padding=1)
        found.append([y.detach(), *ad.grad((y * y).sum(), inputs)])
    ad.set_num_threads(before)
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one.numpy(), two.numpy())


def test_single_entries_are_one_product() -> None:
    x, weight = ad.randn(2, 3, 4, 5, dtype=ad.float64), ad.randn(6, 3, 1, 1, dtype=ad.float64)
    expected = np.einsum("nchw,oc->nohw", x.numpy(), weight.numpy()[..., 0, 0])
    np.testing.assert_allclose(F.conv2d(x, weight).numpy(), expected, rtol=1e-12, atol=1e-12)


def test_no_samples_and_no_channels() -> None:
    weight = ad.ones(2, 3, 3, requires_grad=True)
    y = F.conv1d(ad.zeros(0, 3, 5), weight, ad.ones(2))
    assert y.shape == (0, 2, 3)
    y.sum().backward()
    assert weight.grad is not None
    assert weight.grad.tolist() == np.zeros((2, 3, 3)).tolist()
    assert F.conv1d(ad.zeros(1, 0, 5), ad.ones(2, 0, 3), ad.ones(2)).tolist() == np.ones((1, 2, 3)).tolist()
    assert F.unfold(ad.zeros(0, 3, 5, 6), 2).shape == (0, 12, 20)
    assert F.fold(ad.zeros(0, 12, 20), (5, 6), 2).shape == (0, 3, 5, 6)


def test_half_precision_is_computed_in_float32() -> None:
    x, weight = ad.full((1, 1, 3000), 1.0, dtype=ad.float16), ad.full((1, 1, 3000), 1.0, dtype=ad.float16)
    y = F.conv1d(x, weight, ad.zeros(1, dtype=ad.float16))
    assert y.dtype == ad.float16
    assert y.item() == 3000  # a sum in float16 would stop at 2048


def test_a_convolution_is_one_node() -> None:
    layer = nn.Conv2d(1, 2, 3)
    node = layer(ad.zeros(1, 1, 5, 5)).grad_fn
    assert node is not None
    assert node.name == "convolution"
    assert node.parents()[1:] == (layer.weight.node, layer.bias.node)


def test_fold_of_unfold_counts_the_windows() -> None:
    x = ad.randn(2, 3, 5, 6, dtype=ad.float64)
    options: dict[str, Any] = {"kernel_size": (2, 3), "dilation": (2, 1), "padding": 1, "stride": (1, 2)}
    counts = F.fold(F.unfold(ad.ones_like(x), **options), (5, 6), **options)
    folded = F.fold(F.unfold(x, **options), (5, 6), **options)
    np.testing.assert_allclose(folded.numpy(), (counts * x).numpy(), rtol=1e-12)
    assert repr(nn.Fold((5, 6), 2)) == "Fold(output_size=(5, 6), kernel_size=2, dilation=1, padding=0, stride=1)"


def test_output_size_of_transposed_convolutions() -> None:
    layer = nn.ConvTranspose1d(1, 1, 3, stride=2)
    x = ad.zeros(1, 1, 4)
    assert layer(x).shape == (1, 1, 9)
    assert layer(x, output_size=(10,)).shape == layer(x, output_size=[1, 1, 10]).shape == (1, 1, 10)
    with pytest.raises(
        ValueError, match=r"expected an output_size from \(9,\) to \(10,\) for an input \(4,\), got \(11,\)"
    ):
        layer(x, output_size=(11,))
    with pytest.raises(ValueError, match="an output_size of 1 numbers, or of 3 with all axes"):
        layer(x, output_size=(1, 9))


def image(*shape: int, dtype: Any = None) -> ad.Tensor:
    return ad.zeros(*shape, dtype=dtype)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: F.conv2d(image(3, 5, 5), image(2, 4, 3, 3)), r"expected 4 channels, \(N, 4, H, W\) or \(4, H, W\)"),
        (lambda: F.conv2d(image(5, 5), image(2, 4, 3, 3)), r"expected an input \(N, C, H, W\) or \(C, H, W\) and"),
        (lambda: F.conv1d(image(3, 3, 5), image(2, 3)), r"and a weight \(out, in / groups, window of 1\)"),
        (lambda: F.conv2d(image(1, 3, 2, 2), image(2, 3, 3, 3)), "no smaller than the window"),
        (lambda: F.conv1d(image(1, 3, 5), image(2, 3, 3), image(3)), r"expected a bias \(2,\)"),
        (lambda: F.conv1d(image(1, 3, 5), image(2, 3, 3), stride=0), "expected stride as an int of at least 1"),
        (lambda: F.conv1d(image(1, 3, 5), image(2, 3, 3), padding=-1), "expected padding as an int of at least 0"),
        (lambda: F.conv1d(image(1, 3, 5), image(2, 3, 3), padding=(1, 2)), r"or 1 of them, got \(1, 2\)"),
        (lambda: F.conv1d(image(1, 3, 5), image(2, 3, 3), 1), "expected a Tensor, got int 1"),
        (lambda: F.conv1d(image(1, 3, 5), image(2, 3, 3), padding="some"), '"same" or "valid", got \'some\''),
        (lambda: F.conv1d(image(1, 3, 5), image(2, 3, 3), stride=2, padding="same"), "keeps the lengths"),
        (lambda: F.conv1d(image(1, 4, 5), image(3, 2, 3), groups=2), "expected groups that divide 3"),
        (lambda: F.conv1d(image(1, 3, 5), image(2, 3, 3, dtype=ad.float64)), "of one dtype, got float32, float64"),
        (lambda: F.conv1d(np.zeros((1, 3, 5)), image(2, 3, 3)), "expected a Tensor, got float64"),
        (lambda: F.conv_transpose1d(image(1, 2, 5), image(3, 2, 3)), "expected 3 channels"),
        (lambda: F.conv_transpose1d(image(1, 3, 5), image(3, 2, 3), output_padding=1), "output_padding less than"),
        (lambda: F.conv_transpose1d(image(1, 3, 2), image(3, 2, 3), padding=3), "no output is left"),
        (lambda: F.unfold(image(4, 5), 2), r"expected an input \(N, C, H, W\)"),
        (lambda: F.unfold(image(1, 3, 4, 5), (6, 2)), "larger than the windows"),
        (lambda: F.fold(image(1, 12, 11), (4, 5), 2), r"expected \(N, C \* 4, 12\)"),
        (lambda: F.fold(image(1, 13, 12), (4, 5), 2), r"expected \(N, C \* 4, 12\)"),
        (lambda: nn.Conv1d(3, 4, 3, groups=2), "number of groups that divides in_channels and out_channels"),
        (lambda: nn.Conv1d(3, 4, 3, padding="some"), "expected padding as numbers"),
        (lambda: nn.Conv1d(3, 4, 3, padding_mode="some"), "a padding_mode of zeros, reflect, replicate, circular"),
        (lambda: nn.ConvTranspose1d(3, 4, 3, padding_mode="reflect"), "a padding_mode of zeros, got 'reflect'"),
        (lambda: nn.Conv2d(1, 1, (3, 3, 3)), "expected kernel_size as an int of at least 1, or 2 of them"),
        (lambda: nn.Conv1d(1, 1, 3, padding=4, padding_mode="reflect")(image(1, 4)), "at most 3 entries of reflect"),
        (lambda: nn.Conv1d(1, 1, 3, padding=5, padding_mode="circular")(image(1, 1, 4)), "at most 4 entries of"),
        (lambda: nn.LazyConv1d(4, 3)(image(5)), r"LazyConv1d.*expected an input \(N, C, L\) or \(C, L\)"),
        (lambda: nn.LazyConv1d(4, 3, groups=2)(image(3, 5)), "channels that 2 groups divide, got 3"),
    ],
)
def test_errors(call: Any, message: str) -> None:
    with pytest.raises((OpError, ValueError, TypeError), match=message):
        call()


def test_a_lazy_convolution_becomes_an_ordinary_one() -> None:
    lazy = nn.LazyConvTranspose2d(4, 3, groups=2, bias=False)
    assert repr(lazy) == "LazyConvTranspose2d(0, 4, kernel_size=(3, 3), stride=(1, 1), groups=2, bias=False)"
    lazy(image(1, 6, 5, 5))
    assert type(lazy) is nn.ConvTranspose2d
    assert lazy.weight.shape == (6, 2, 3, 3)
    loaded = nn.LazyConvTranspose2d(4, 3, groups=2, bias=False)
    loaded.load_state_dict(lazy.state_dict())
    loaded(image(1, 6, 5, 5))
    assert loaded.in_channels == 6
    assert loaded.weight.tolist() == lazy.weight.tolist()


def test_fusion_with_batch_normalisation() -> None:
    bn = nn.BatchNorm1d(2).double()
    bn(ad.randn(7, 2, 3, dtype=ad.float64))
    for bias in (True, False):
        x = ad.randn(2, 3, 5, dtype=ad.float64)
        for transpose in (False, True):
            conv = (nn.ConvTranspose1d if transpose else nn.Conv1d)(3, 2, 2, bias=bias).double()
            fused = nn.utils.fuse_conv_bn_eval(conv.eval(), bn.eval(), transpose)
            np.testing.assert_allclose(fused(x).detach().numpy(), bn(conv(x)).detach().numpy(), rtol=1e-10, atol=1e-12)
            assert fused.weight.requires_grad
        linear = nn.Linear(5, 2, bias=bias).double().eval()
        fused_linear = nn.utils.fuse_linear_bn_eval(linear, bn)
        rows = ad.randn(4, 5, dtype=ad.float64)
        np.testing.assert_allclose(
            fused_linear(rows).detach().numpy(), bn(linear(rows)).detach().numpy(), rtol=1e-10, atol=1e-12
        )
    with pytest.raises(OpError, match="evaluation mode"):
        nn.utils.fuse_linear_bn_eval(linear.train(), bn)
    with pytest.raises(OpError, match="running statistics"):
        nn.utils.fuse_linear_bn_eval(linear.eval(), nn.BatchNorm1d(2, track_running_stats=False).eval())
    with pytest.raises(OpError, match="of 3 features"):
        nn.utils.fuse_linear_bn_eval(nn.Linear(2, 3).eval(), bn)
    with pytest.raises(OpError, match="a batch normalisation of its channels"):
        nn.utils.fuse_conv_bn_eval(nn.Conv1d(1, 3, 1).eval(), bn)
    with pytest.raises(OpError, match="without groups"):
        nn.utils.fuse_conv_bn_eval(nn.ConvTranspose1d(2, 2, 1, groups=2).eval(), bn, True)
