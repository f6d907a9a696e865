"""Looking at what was recorded: pictures of graphs."""

from autodiff.inspect.digraph import Drawing
from autodiff.inspect.draw import draw
from autodiff.inspect.render import RenderError, save

__all__ = ["Drawing", "RenderError", "draw", "save"]
