"""Gradient checking: derivatives by backward against derivatives by differences.

``python -m autodiff.gradcheck`` checks every op of the table, or those that it is given, and prints what it found.
"""

from autodiff.gradcheck.differences import Comparison, GradcheckError, compare_gradients, gradcheck, gradgradcheck

__all__ = ["Comparison", "GradcheckError", "compare_gradients", "gradcheck", "gradgradcheck"]
