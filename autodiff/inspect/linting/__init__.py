"""What is wrong with training: `lint` looks at one step, `Lint` at several, one after the other."""

from autodiff.inspect.linting.finding import Finding
from autodiff.inspect.linting.one_step import lint
from autodiff.inspect.linting.steps import Lint

__all__ = ["Finding", "Lint", "lint"]
