"""`torch.version`: which PyTorch a program finds, and that it was built for the CPU."""

cuda = hip = xpu = None
debug = False
__version__ = "2.13.0"

__all__ = ["cuda", "debug", "hip", "xpu"]
