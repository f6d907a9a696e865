"""Looking at what was recorded: pictures of graphs, and what is wrong with a step of training."""

from autodiff.inspect.autopsy import autopsy
from autodiff.inspect.check_graph import check_graph
from autodiff.inspect.digraph import Drawing
from autodiff.inspect.draw import draw
from autodiff.inspect.explain import explain
from autodiff.inspect.finding import Finding, Report
from autodiff.inspect.lint import lint
from autodiff.inspect.precision import precision
from autodiff.inspect.render import RenderError, save

__all__ = [
    "Drawing",
    "Finding",
    "RenderError",
    "Report",
    "autopsy",
    "check_graph",
    "draw",
    "explain",
    "lint",
    "precision",
    "save",
]
