"""`draw`: a picture of the graph that leads to a tensor, or of a module that is run for it."""

from __future__ import annotations

from typing import Any

from autodiff.inspect import folding
from autodiff.inspect.digraph import Drawing, drawing_of
from autodiff.inspect.folding import Fold
from autodiff.inspect.overlay import Overlay, measured, painted
from autodiff.inspect.recording import record


def draw(
    what: Any,
    *inputs: Any,
    params: Any = None,
    depth: float | None = None,
    fold: Fold = None,
    overlay: Overlay | None = None,
) -> Drawing:
    """A picture of the recorded graph: parameters and operations by name, shapes on the arrows, the output below.

    `what` is a tensor, a list or dict of tensors, or a module (or function) that is run on `inputs`. `params` names
    the tensors in the picture: a module, or a dict of tensors by name, in which intermediate results may appear too.
    A module's own parameters and inputs are named by themselves. A copy of it is run, so that neither its running
    averages nor the default random generator move.

    Calls of modules are frames inside each other: those of the model that is run or that is given as `params`; for a
    tensor, what the names of the parameters tell. What follows each other and is alike is drawn once, as ``Block ×12``.
    A picture that would have more than 60 boxes, or be too wide or high to be read, has modules folded into boxes,
    then steps of loops, then parts of long rows; it says below how to open them:

    - ``depth=2`` opens two levels of what stands inside each other, and folds the rest; ``depth=0`` opens nothing.
    - ``fold=lambda part: part.kind == "Linear"`` is asked about each part, which has `path`, `kind` (the class of a
      module) and `times`; True folds it, False opens it (or draws each of its copies), None leaves it to `depth`.
    - ``fold=False`` draws everything.

    `overlay` colours the boxes and gives each a number, with a legend: "gradients" the norms of the gradients of a loss
    (or of outputs with more numbers, each times a random one), where vanishing and exploding ones are seen;
    "activations" the root mean square of the values, as far as the graph still knows them, and how many are zero;
    "time" that of the forward pass, from one recorded operation to the next, while a model is run; "memory" what is
    saved for the backward pass; or a dict of numbers by tensor. Blocks that are alike are then drawn one by one, as
    long as the picture can be read.

    What a recorded backward pass (``create_graph=True``) made has frames of its own, with notes of which operation each
    part is the gradient; that of the last 10,000 derivatives is known.

    Returns a `graphviz.Digraph`: notebooks show it, `autodiff.inspect.save(graph, "graph.svg")` writes it to a file.
    TypeError for anything else to draw, ValueError if nothing was recorded.

    >>> import autodiff as ad
    >>> from autodiff.inspect import draw
    >>> w = ad.ones(2, 3, requires_grad=True)
    >>> loss = (w * 2).sum()
    >>> graph = draw(loss, params={"w": w})
    >>> "label=w" in graph.source, "label=sum" in graph.source
    (True, True)
    """
    recorded = record(what, *inputs, params=params, timed=overlay == "time")
    picture = folding.fold(recorded.structure, recorded.tree, depth, fold, each=overlay is not None)
    if overlay is not None:
        picture = painted(picture, *measured(overlay, recorded))
    return drawing_of(picture)
