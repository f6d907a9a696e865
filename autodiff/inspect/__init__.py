"""Looking at what was recorded: pictures of graphs."""

from autodiff.inspect.drawing import Drawing, draw
from autodiff.inspect.render import RenderError, save

__all__ = ["Drawing", "RenderError", "draw", "save"]
