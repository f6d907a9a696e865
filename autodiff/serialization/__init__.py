"""States in files: `save` and `load`, as safetensors and in PyTorch's own format, without code in either."""

from autodiff.serialization.checkpoint import load, save

__all__ = ["load", "save"]
