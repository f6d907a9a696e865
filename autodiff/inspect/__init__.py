"""Looking at what was recorded: pictures of graphs, the memory they keep, and what is wrong with training."""

from autodiff.inspect.digraph import Drawing
from autodiff.inspect.draw import draw
from autodiff.inspect.linting import Finding, Lint, lint
from autodiff.inspect.memory import Memory, memory
from autodiff.inspect.render import RenderError, save

__all__ = ["Drawing", "Finding", "Lint", "Memory", "RenderError", "draw", "lint", "memory", "save"]
