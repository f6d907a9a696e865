"""Property-based checks of ops: what the library runs on its own, to run on yours in one line.

>>> import autodiff as ad
>>> from autodiff.testing import check_op
>>> for finding in check_op(ad.tanh, examples=5)[:2]:
...     print(finding.property, "agrees" if finding.worst < 1e-8 else "differs")
first order agrees
second order agrees

With pytest, ``--check-ops=my_package.ops`` makes a test of every property of every op declared in that module.
"""

from autodiff.testing.broken import CheckError
from autodiff.testing.check import PROPERTIES, Finding, check_op, examine

__all__ = ["PROPERTIES", "CheckError", "Finding", "check_op", "examine"]
