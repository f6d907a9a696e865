"""PyTorch's own database of ops and sample inputs, run on both libraries: values, dtypes, shapes and gradients."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.testing._internal.common_methods_invocations import op_db

import autodiff as ad
from nn import functional
from tests.parity.beside_torch import TOLERANCE, flat, name

DTYPES = [torch.float64, torch.float32, torch.int64, torch.bool]
# Whole names of ops, as regular expressions, under the reason why the database says nothing about them here.
LEFT_OUT = {
    "it calls the op with arguments in an order, or with devices, of its own": r"""where polygamma.*
        special\.polygamma.* einsum linalg\.pinv\.singular linalg\.lstsq\.grad_oriented to normal\.in_place
        nn\.functional\.embedding(_bag)?""",
    "functions and options of PyTorch's own": r"""nn\.functional\.triplet_margin_with_distance_loss
        nn\.functional\.linear_cross_entropy.*""",
    "memory that nobody has written": r"(new_)?empty.*",
    "draws with gradients of 0, which are none here, or from a seed that a wrapper sets": r"""normal(\.number_mean)?
        bernoulli rand_like""",
    "complex numbers": r"linalg\.eigvals linalg\.eig",
    "the sign of singular and eigenvectors is free; compared in test_decompositions.py": r"(linalg\.)?svd linalg\.eigh",
    "which of equal numbers is named is free in PyTorch; compared in files of their own": r"""topk kthvalue (nan)?median
        mode (arg)?sort""",
    "views of memory that NumPy's arrays do not tell of": r"as_strided\.partial_views",
    "dtypes, and properties, that are called as methods": r"bool double float half int long short m?[TH]",
    "rows of docs/differences.md": r"""cholesky_(inverse|solve) addr addmv addbmm baddbmm linalg\.vander index_fill
        gather zero_ special\.bessel_j[01] linalg\.lstsq nn\.functional\.batch_norm sgn
        nn\.functional\.ctc_loss nn\.functional\.gaussian_nll_loss""",
}


# The row integers-in-layers of docs/differences.md.
NO_INTEGERS = r"nn\.functional\.(avg_pool[123]d|local_response_norm|softsign)"
# Scores of some thousands, whose rounding in float32 is 1e-4 of their exponentials: two orders of adding them suffice.
DOUBLE_ONLY = r"nn\.functional\.multi_head_attention_forward"


class Outside(Exception):
    """A sample with a dtype, a layout or an argument that this engine does not have."""


def converted(x: Any, moving: list[tuple[Any, Any]]) -> Any:
    """The sample's argument for this engine; tensors that require grad go to `moving`, beside PyTorch's."""
    if isinstance(x, torch.Tensor):
        if name(x.dtype) not in ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"):
            raise Outside
        ours = ad.from_numpy(x.detach().numpy())
        if x.requires_grad:
            moving.append((x, ours.requires_grad_()))
        return ours
    if isinstance(x, torch.dtype):
        return getattr(ad, name(x))
    if isinstance(x, list | tuple):
        return type(x)(converted(part, moving) for part in x)
    if isinstance(x, complex | torch.memory_format | torch.layout | torch.Generator):
        raise Outside
    return x


def function_of(op: Any) -> Callable[..., Any] | None:
    found: Any = functional if op.name.startswith("nn.") else ad
    for part in op.name.removeprefix("nn.functional.").split("."):
        found = getattr(found, part, None)
    return found if found is not None else getattr(ad.Tensor, op.name, None)


def key(op: Any) -> str:
    return f"{op.name}.{op.variant_test_name}" if op.variant_test_name else str(op.name)


def left_out(op: Any) -> bool:
    return any(re.fullmatch(pattern, key(op)) for names in LEFT_OUT.values() for pattern in names.split())


OPS = [op for op in op_db if function_of(op) is not None and not left_out(op)]


@pytest.mark.parametrize("op", OPS, ids=key)
def test_samples_of_the_database(op: Any) -> None:
    compared = 0
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for dtype in DTYPES:
            skipped = {torch.int64: NO_INTEGERS, torch.float32: DOUBLE_ONLY}.get(dtype)
            if dtype in op.dtypes and not (skipped and re.fullmatch(skipped, key(op))):
                recorded = bool(op.supports_autograd) and dtype is torch.float64
                for sample in op.sample_inputs("cpu", dtype, requires_grad=recorded):
                    compared += compare(op, sample)
    assert compared or not set(DTYPES) & set(op.dtypes)


def compare(op: Any, sample: Any) -> bool:
    """Compare one sample; False if PyTorch refuses it, or it is outside."""
    # Random numbers are the same after the same seed, which the database sets itself for some ops.
    torch.manual_seed(42)
    ad.manual_seed(42)
    try:
        theirs = flat(op.op(sample.input, *sample.args, **sample.kwargs))
    except RuntimeError:
        return False
    moving: list[tuple[Any, Any]] = []
    try:
        first, *rest = converted([sample.input, *sample.args], moving)
        options = {k: converted(v, moving) for k, v in sample.kwargs.items()}
    except Outside:
        return False
    function = function_of(op)
    assert function is not None
    ours = flat(function(first, *rest, **options))
    for a, b in zip(theirs, ours, strict=True):
        if not isinstance(a, torch.Tensor):
            assert a == b
            continue
        assert (name(b.dtype), b.shape) == (name(a.dtype), tuple(a.shape)), sample
        close(b.detach().numpy(), a.detach().numpy(), TOLERANCE.get(name(a.dtype), 0.0), sample)
    compare_gradients(theirs, ours, moving, sample)
    return True


def compare_gradients(theirs: list[Any], ours: list[Any], moving: list[tuple[Any, Any]], sample: Any) -> None:
    roots = [(a, b) for a, b in zip(theirs, ours, strict=True) if isinstance(a, torch.Tensor) and a.requires_grad]
    if not roots or not moving:
        return
    draw = np.random.default_rng(0)
    seeds = [draw.standard_normal(tuple(a.shape)) for a, _ in roots]
    try:
        expected = torch.autograd.grad(
            [a for a, _ in roots], [x for x, _ in moving], [torch.from_numpy(np.asarray(s)) for s in seeds],
            allow_unused=True,
        )  # fmt: skip
    except RuntimeError:
        return
    found = ad.grad([b for _, b in roots], [x for _, x in moving], [ad.tensor(s) for s in seeds], allow_unused=True)
    for a, b in zip(expected, found, strict=True):
        # None and zeros mean the same.
        zeros = np.zeros(())
        # Gradients divide by differences of inputs: two digits fewer than values.
        tolerance = 1e-8 if a is None else max(1e-8, TOLERANCE[name(a.dtype)])
        close(zeros if b is None else b.numpy(), zeros if a is None else a.numpy(), tolerance, sample)


def close(ours: Any, theirs: Any, tolerance: float, sample: Any) -> None:
    scale = max(1.0, float(np.max(np.abs(theirs), initial=0.0, where=np.isfinite(theirs)))) if tolerance else 1.0
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * scale, err_msg=str(sample)[:1000])
