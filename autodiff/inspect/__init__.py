"""Looking at what was recorded: pictures of graphs, what is wrong with a step of training, where its time went."""

from autodiff.inspect.difference import Difference, diff
from autodiff.inspect.digraph import Drawing
from autodiff.inspect.draw import draw
from autodiff.inspect.lint import lint
from autodiff.inspect.profile import profile
from autodiff.inspect.render import RenderError, save
from autodiff.inspect.report import report

__all__ = ["Difference", "Drawing", "RenderError", "diff", "draw", "lint", "profile", "report", "save"]
