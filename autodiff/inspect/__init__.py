"""Looking at what was recorded: pictures of graphs, and what is wrong with a step of training."""

from autodiff.inspect.difference import Difference, diff
from autodiff.inspect.digraph import Drawing
from autodiff.inspect.draw import draw
from autodiff.inspect.lint import lint
from autodiff.inspect.render import RenderError, save

__all__ = ["Difference", "Drawing", "RenderError", "diff", "draw", "lint", "save"]
