"""What is wrong with training: `lint` looks at one step, `Lint` at several, one after the other."""

from autodiff.inspect.linting.fault import Fault
from autodiff.inspect.linting.one_step import lint
from autodiff.inspect.linting.steps import Lint

__all__ = ["Fault", "Lint", "lint"]
