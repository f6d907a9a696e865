"""Looking at what was recorded: pictures of graphs, and what is wrong with training."""

from autodiff.inspect.digraph import Drawing
from autodiff.inspect.draw import draw
from autodiff.inspect.linting import Finding, Lint, lint
from autodiff.inspect.render import RenderError, save

__all__ = ["Drawing", "Finding", "Lint", "RenderError", "draw", "lint", "save"]
