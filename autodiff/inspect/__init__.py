"""Looking at what was recorded: pictures, why a gradient is what it is, what is wrong with a step, where time went."""

from autodiff.inspect.autopsy import autopsy
from autodiff.inspect.check_graph import check_graph
from autodiff.inspect.difference import Difference, diff
from autodiff.inspect.digraph import Drawing
from autodiff.inspect.draw import draw
from autodiff.inspect.explain import explain
from autodiff.inspect.finding import Finding, Report
from autodiff.inspect.linting import Fault, Lint, lint
from autodiff.inspect.memory import Memory, memory
from autodiff.inspect.precision import precision
from autodiff.inspect.profile import profile
from autodiff.inspect.render import RenderError, save
from autodiff.inspect.report import report

__all__ = [
    "Difference",
    "Drawing",
    "Fault",
    "Finding",
    "Lint",
    "Memory",
    "RenderError",
    "Report",
    "autopsy",
    "check_graph",
    "diff",
    "draw",
    "explain",
    "lint",
    "memory",
    "precision",
    "profile",
    "report",
    "save",
]
