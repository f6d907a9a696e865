"""Names of PyTorch that stand for what this engine does not do: asking for one says so, and what to do instead."""

from __future__ import annotations

from typing import Any

OUTSIDE = {
    "complex tensors are outside what this engine does; keep real and imaginary parts as two tensors": (
        "complex polar view_as_complex view_as_real complex32 complex64 complex128 cfloat cdouble chalf"
    ),
    "sparse tensors are outside what this engine does; keep indices and values as two dense tensors": (
        "sparse sparse_coo_tensor sparse_csr_tensor sparse_csc_tensor sparse_bsr_tensor sparse_bsc_tensor sparse_coo "
        "sparse_csr sparse_compressed_tensor sparse_mask to_sparse to_sparse_coo to_sparse_csr to_sparse_csc "
        "to_sparse_bsr to_sparse_bsc coalesce is_coalesced crow_indices col_indices"
    ),
    "quantised tensors are outside what this engine does; use float16, or integers and a scale of your own": (
        "quantize_per_tensor quantize_per_channel quantized_max_pool2d dequantize int_repr q_scale q_zero_point qint8 "
        "quint8 qint32 fake_quantize_per_tensor_affine fake_quantize_per_channel_affine"
    ),
    "this dtype is outside what this engine does; use float16, float32, float64, uint8 or int8 to int64": (
        "bfloat16 uint16 uint32 uint64 float8_e4m3fn float8_e5m2"
    ),
}
REASONS = {name: reason for reason, names in OUTSIDE.items() for name in names.split()}


def no_attribute(holder: str, name: str, value: Any = None) -> AttributeError:
    """The error for an attribute that is not there; where it stands for a limit of the engine, naming that."""
    reason = f": {REASONS[name]}" if name in REASONS else ""
    return AttributeError(f"{holder} has no attribute {name!r}{reason}", name=name, obj=value)
