"""`profile`: where the time and memory of a piece of program went, by op and by module, forward and backward.

Nothing of the engine knows of it, so that it costs nothing while it is off. While it is on, three things stand in the
place of others:

- in each recorder's closure, a kernel that is timed, for ops are called under many names but by one function each;
- in `Node.params`, which whoever records a node sets last, a property that gives the node a copy of its op with timed
  rules, which know the module that recorded it;
- ``Module.__call__``, and the backward pass that ``backward`` and ``grad`` run, timed as well.

``sys.setprofile`` would see every Python call and slow all of them down, ``sys.monitoring`` begins with Python 3.12.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from copy import copy
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path as FilePath
from re import sub
from time import perf_counter
from typing import Any, Self
from weakref import WeakValueDictionary

import numpy as np

from autodiff.files import write
from autodiff.graph import Node
from autodiff.inspect.flame import Frame, flame_of
from autodiff.inspect.profile_table import Row, rest_of, table_of
from autodiff.op import OPS, Op
from autodiff.writes import owner

Path = tuple[str, ...]
Function = Callable[..., Any]


@dataclass(slots=True)
class Event:
    """One call: of an op's kernel, of a rule of one, of a module, or of a backward pass.

    `path` leads to the module: the names of the modules called one inside the other. `inside` is the part of the
    seconds that other events took which began and ended in between.
    """

    kind: str
    name: str
    path: Path
    backward: bool
    thread: int
    start: float = 0.0
    seconds: float = 0.0
    inside: float = 0.0
    made: int = 0
    saved: int = 0

    @property
    def own(self) -> float:
        return self.seconds - self.inside


class _Thread(threading.local):
    """What is going on in a thread: calls that have begun, and modules with the names of those inside them."""

    def __init__(self) -> None:
        self.open: list[Event] = []
        self.modules: list[tuple[Path, str, dict[int, str]]] = []
        self.last: Event | None = None
        # The seconds that bookkeeping took. The clock of events stands still meanwhile.
        self.lost = 0.0


class profile:
    """Time, memory and calls of each op and module while the ``with`` block runs, forward and backward.

    ``print(p)`` shows two tables, `ops` and `modules` are their rows, `export_flame` writes a picture and
    `export_chrome_trace` a file for https://ui.perfetto.dev. Times of ops are their own; those of a module hold what it
    calls, and its backward is that of the operations recorded in it while the profile was on. ``made`` are the bytes of
    results that are no views; ``saved`` those that the graph keeps for a backward pass beside its leaves, each array
    counted once, where it is kept first.

    The clock stands still during the bookkeeping, some microseconds a call. RuntimeError if a profile is on already.

    >>> import autodiff as ad
    >>> from autodiff.inspect import profile
    >>> x = ad.ones(4, requires_grad=True)
    >>> with profile() as p:
    ...     (x.exp() * 2).sum().backward()
    >>> [(row.name, row.calls, row.made) for row in sorted(p.ops, key=lambda row: row.name)]
    [('exp', 1, 32), ('mul', 1, 32), ('sum', 1, 4)]
    """

    _on: profile | None = None

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.seconds = 0.0
        self._thread = _Thread()
        self._kept: WeakValueDictionary[int, Any] = WeakValueDictionary()
        self._timed_ops: dict[tuple[int, Path], tuple[Op, Op]] = {}
        # Modules, which are held so that no other gets their id, and where they were called first.
        self._known: dict[int, tuple[Any, Path]] = {}

    def __enter__(self) -> Self:
        if profile._on is not None:
            raise RuntimeError("a profile is on already; leave its with block before another begins")
        if self.events:
            raise RuntimeError("this profile has been used; make a new one with profile()")
        with ExitStack() as changes:
            for op in OPS.values():
                changes.enter_context(_replaced(_kernel_cell(op), "cell_contents", self._timed_kernel(op)))
            changes.enter_context(_replaced(Node, "params", self._params_of_nodes()))
            # The attribute of that name is the function.
            passes: Any = import_module("autodiff.backward")
            run = self._timed(passes.backpropagate, "pass", "backward", None)
            changes.enter_context(_replaced(passes, "backpropagate", run))
            if modules := sys.modules.get("nn.module"):
                # Who has not loaded nn has no modules, and this package does not load it.
                changes.enter_context(_replaced(modules.Module, "__call__", self._timed_call(modules.Module.__call__)))
            self._changes = changes.pop_all()
        profile._on = self
        self._start = perf_counter()
        return self

    def __exit__(self, *exception: object) -> None:
        self.seconds = perf_counter() - self._start - self._thread.lost
        profile._on = None
        self._changes.close()

    @property
    def ops(self) -> list[Row]:
        """A row for each op, that which took most time first."""
        rows: dict[str, Row] = {}
        for event in self.events:
            if event.kind in ("op", "rule"):
                row = rows.setdefault(event.name, Row(event.name))
                row.calls += event.kind == "op"
                row.add(event.own, event)
        return sorted(rows.values(), key=lambda row: -row.seconds)

    @property
    def modules(self) -> list[Row]:
        """A row for each module in the order of the first calls; the last is what ran outside of all modules."""
        rows = {path: Row(".".join(path), path[-1], len(path) - 1) for path in self._paths()}
        outside = Row("outside of modules")
        for event in self.events:
            if event.kind == "module":
                rows[event.path].calls += 1
                if not event.backward:
                    rows[event.path].forward += event.seconds
            elif event.kind in ("op", "rule"):
                # A module's time forward is that of its calls.
                rows_above = [rows[event.path[:i]] for i in range(1, len(event.path) + 1)] or [outside]
                for row in rows_above:
                    row.add(event.own if event.backward or row is outside else 0.0, event)
        return [*rows.values(), outside]

    def table(self, by: str = "op", limit: int = 25) -> str:
        """The rows by "op" or by "module" as text, at most `limit` of them."""
        if by not in ("op", "module"):
            raise ValueError(f'expected by="op" or by="module", got {by!r}')
        return table_of(self.ops if by == "op" else self.modules, by, limit, self.seconds)

    def __str__(self) -> str:
        tables = [self.table("op"), self.table("module")] if self._known else [self.table("op")]
        return "\n\n".join([*tables, rest_of(self.events, self.seconds)])

    def export_flame(self, path: str | os.PathLike[str], *, merge: bool = False) -> FilePath:
        """Write the flame picture, an SVG that needs nothing else: a bar as wide as the time of what stands below it.

        From the top: the whole, forward and backward, modules, modules inside these, ops. With `merge`, modules whose
        names differ in a number only, as those of repeated blocks do, are one bar. Returns the path.
        """
        target = FilePath(path)
        if target.suffix.lower() != ".svg":
            raise ValueError(f"expected a file name that ends in .svg, got {str(target)!r}")
        write(target, flame_of(self.frames(merge)).encode())
        return target

    def export_chrome_trace(self, path: str | os.PathLike[str]) -> FilePath:
        """Write all calls as a trace that https://ui.perfetto.dev and chrome://tracing show; returns the path."""
        trace = [
            {
                "name": event.name, "cat": event.kind, "ph": "X", "pid": os.getpid(), "tid": event.thread,
                "ts": 1e6 * (event.start - self._start), "dur": 1e6 * event.seconds,
                "args": {"module": ".".join(event.path), "backward": event.backward, "made": event.made},
            }
            for event in self.events
        ]  # fmt: skip
        target = FilePath(path)
        write(target, json.dumps({"traceEvents": trace, "displayTimeUnit": "ms"}).encode())
        return target

    def _paths(self) -> list[Path]:
        """Where modules were called, each after the one around it."""
        paths = dict.fromkeys(e.path for e in sorted(self.events, key=lambda e: e.start) if e.kind == "module")
        # What is called in a backward pass alone, as a region is again, may have no call around it.
        whole = dict.fromkeys(path[:i] for path in paths for i in range(1, len(path) + 1))
        order = {path: i for i, path in enumerate(whole)}
        return sorted(whole, key=lambda path: [order[path[:i]] for i in range(1, len(path) + 1)])

    def frames(self, merge: bool = False) -> Frame:
        """The bars of the flame picture."""
        root = Frame("all", "whole", self.seconds)
        for event in sorted(self.events, key=lambda e: e.start):
            frame = root.inside("backward" if event.backward else "forward", "phase")
            for name in event.path:
                frame = frame.inside(sub(r"\d+", "*", name) if merge else name, "module")
            if event.kind in ("op", "rule"):
                frame = frame.inside(event.name, "op")
            frame.own += event.own
            frame.calls += 1
        root.own -= sum(frame.seconds for frame in root.parts.values())
        return root

    def _timed(self, function: Function, kind: str, name: str, path: Path | None) -> Function:
        """`function`, timed while the profile is on; without a `path`, as part of what has called it."""

        def run(*args: Any, **params: Any) -> Any:
            if profile._on is not self:
                return function(*args, **params)
            open = self._thread.open
            return self._run(
                kind, name, path if path is not None else open[-1].path if open else (), function, args, params
            )

        return run

    def _run(self, kind: str, name: str, path: Path, function: Function, args: Any, params: Any) -> Any:
        """Call `function` as an event."""
        entered = perf_counter()
        thread = self._thread
        outer = thread.open[-1] if thread.open else None
        backward = kind in ("rule", "pass") or (outer is not None and outer.backward)
        event = Event(kind, name, path, backward, threading.get_ident())
        thread.open.append(event)
        result = None
        thread.lost += perf_counter() - entered
        event.start = perf_counter() - thread.lost
        try:
            result = function(*args, **params)
            return result
        finally:
            ended = perf_counter()
            event.seconds = ended - thread.lost - event.start
            thread.open.pop()
            if outer is not None:
                outer.inside += event.seconds
            self.events.append(event)
            thread.last = event
            if kind in ("op", "rule"):
                self._count(event, result, args)
            thread.lost += perf_counter() - ended

    def _count(self, event: Event, result: Any, args: Any) -> None:
        """Add up the bytes of new arrays among the results of a kernel or rule."""
        if isinstance(result, np.generic):
            # A total comes from NumPy as a number, of which the recorder makes an array.
            event.made = result.nbytes
        came = {id(owner(a)) for a in _arrays(args)}
        for array in _arrays(result):
            root = owner(array)
            if id(root) not in came:
                came.add(id(root))
                event.made += root.nbytes

    def _timed_kernel(self, op: Op) -> Function:
        return self._timed(op.kernel, "op", op.name, None)

    def _params_of_nodes(self) -> property:
        slot: Any = Node.__dict__["params"]

        def record(node: Node, params: Any) -> None:
            slot.__set__(node, params)
            if node.op is not None and profile._on is self:
                entered = perf_counter()
                event = self._thread.last
                if event is not None and event.name == node.op.name:
                    event.saved += self._newly_saved(node)
                open = self._thread.open
                node.op = self._timed_op(node.op, open[-1].path if open else ())
                self._thread.lost += perf_counter() - entered

        return property(slot.__get__, record)

    def _newly_saved(self, node: Node) -> int:
        """The bytes of what `node` keeps that no node has kept before; parameters and other leaves stay anyway."""
        pairs = zip(node.parents(), node.operands(), strict=True)
        inputs = [value for parent, value in pairs if parent is None or parent.op is not None]
        count = 0
        for array in _arrays((*inputs, node.y, getattr(node, "memo", None))):
            root = owner(array)
            if self._kept.get(id(root)) is not root:
                self._kept[id(root)] = root
                count += root.nbytes
        return count

    def _timed_op(self, op: Op, path: Path) -> Op:
        """A copy of `op` whose rules are timed as parts of the module at `path`."""
        key = id(op), path
        if key not in self._timed_ops:

            def timed(rule: Function | None) -> Function | None:
                return rule and self._timed(rule, "rule", op.name, path)

            mine = copy(op)
            mine.rules = tuple(map(timed, op.rules))
            # What is the same stays the same, which the backward pass asks for.
            mine.array_rules = mine.rules if op.array_rules is op.rules else tuple(map(timed, op.array_rules))
            mine.joint = timed(op.joint)
            mine.array_joint = mine.joint if op.array_joint is op.joint else timed(op.array_joint)
            mine.rule0, mine.rule1, mine.rule2 = (*mine.array_rules, None, None, None)[:3]
            mine.into = timed(op.into)
            self._timed_ops[key] = op, mine
        return self._timed_ops[key][1]

    def _timed_call(self, call: Function) -> Function:
        def run(module: Any, *args: Any, **kwargs: Any) -> Any:
            if profile._on is not self:
                return call(module, *args, **kwargs)
            entered = perf_counter()
            path, name, names = self._place(module)
            self._thread.modules.append((path, name, names))
            self._thread.lost += perf_counter() - entered
            try:
                return self._run("module", path[-1], path, call, (module, *args), kwargs)
            finally:
                self._thread.modules.pop()

        return run

    def _place(self, module: Any) -> tuple[Path, str, dict[int, str]]:
        """The path of a module that is called now, its name in the outermost one, and the names inside that."""
        outer, prefix, names = self._thread.modules[-1] if self._thread.modules else ((), "", {})
        name = names.get(id(module))
        if name is not None:
            path = (*outer, name.removeprefix(f"{prefix}.") if prefix else name)
        elif id(module) in self._known:
            path = self._known[id(module)][1]
        else:
            kind = type(module).__name__
            alike = sum(path[-1].partition(" ")[0] == kind and len(path) == 1 for _, path in self._known.values())
            path = (*outer, f"{kind} {alike + 1}" if alike and not outer else kind)
        if name is None:
            name, names = "", {id(inner): name for name, inner in module.named_modules() if name}
        self._known.setdefault(id(module), (module, path))
        return path, name, names


def _kernel_cell(op: Op) -> Any:
    """Where the closure of an op's recorder holds the kernel; that of a view stands around the plain recorder."""
    record: Any = op.record
    while "kernel" not in record.__code__.co_freevars:
        record = record.__closure__[record.__code__.co_freevars.index("record")].cell_contents
    return record.__closure__[record.__code__.co_freevars.index("kernel")]


@contextmanager
def _replaced(holder: Any, name: str, value: Any) -> Iterator[None]:
    before = holder.__dict__[name] if isinstance(holder, type) else getattr(holder, name)
    setattr(holder, name, value)
    try:
        yield
    finally:
        setattr(holder, name, before)


def _arrays(value: Any) -> Iterator[Any]:
    """The NumPy arrays among nested tuples and lists."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _arrays(part)
