"""A pure function of one row written down as straight-line arithmetic.

``trace`` calls the function once with symbols in place of numbers and keeps what it does with them. A
*wide* symbol stands for an array over paths, a *narrow* one for a float that is the same on every path. A
plain ``if`` can only hang on narrow symbols: it is decided by the example at hand, and the decision is kept
as a guard, which says for which other rows the same arithmetic holds. Nothing is simplified: every addition
and multiplication stands as it is written, in its order, so the bits are those of NumPy on arrays.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from functools import cache
from itertools import count as count_from_nought
from operator import itemgetter
from types import CodeType, FunctionType, ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from socialfinance.kernels import elementwise, luck

Node = tuple[Any, ...]
"""An operation and the places of what it works on: ``("add", 3, 7)``; or ``("wide", leaf)``, ``("narrow",
leaf)``, ``("constant", value)``."""
COMPARISON = ("lt", "le", "gt", "ge", "eq", "ne")
FOLDED = {**{name: getattr(operator, name) for name in ("add", "sub", "mul", *COMPARISON)},
          "div": operator.truediv}  # fmt: skip


NUMBERS = frozenset({float, int, bool, np.float64})


class UntraceableError(Exception):
    """The function does something that cannot be written down; it runs on NumPy as before."""


class Symbol:
    """A number that is not known yet. ``value`` is the example's, for narrow ones."""

    __array_ufunc__ = None

    def __init__(self, graph: Graph, place: int, wide: bool, value: Any, truth: bool = False) -> None:
        self.graph, self.place, self.wide, self.value, self.truth = graph, place, wide, value, truth

    def __hash__(self) -> int:
        return id(self)

    def __bool__(self) -> bool:
        if not (self.wide or self.truth):
            return bool(self.graph.node("ne", self, 0.0))  # any other number than nil decides alike
        return bool(self._decided(bool(self.value)))

    def __int__(self) -> int:
        return int(self._decided(self.value))

    __index__ = __int__

    def _decided(self, value: Any) -> Any:
        if self.wide:
            raise UntraceableError("a plain if, or a position, hangs on a path")
        self.graph.guards[self.place] = value
        return value

    def __add__(self, other: Any) -> Symbol:
        return self.graph.node("add", self, other)

    def __radd__(self, other: Any) -> Symbol:
        return self.graph.node("add", other, self)

    def __sub__(self, other: Any) -> Symbol:
        return self.graph.node("sub", self, other)

    def __rsub__(self, other: Any) -> Symbol:
        return self.graph.node("sub", other, self)

    def __mul__(self, other: Any) -> Symbol:
        return self.graph.node("mul", self, other)

    def __rmul__(self, other: Any) -> Symbol:
        return self.graph.node("mul", other, self)

    def __truediv__(self, other: Any) -> Symbol:
        return self.graph.node("div", self, other)

    def __rtruediv__(self, other: Any) -> Symbol:
        return self.graph.node("div", other, self)

    def __lt__(self, other: Any) -> Symbol:
        return self.graph.node("lt", self, other)

    def __le__(self, other: Any) -> Symbol:
        return self.graph.node("le", self, other)

    def __gt__(self, other: Any) -> Symbol:
        return self.graph.node("gt", self, other)

    def __ge__(self, other: Any) -> Symbol:
        return self.graph.node("ge", self, other)

    def __eq__(self, other: Any) -> Any:
        return self.graph.node("eq", self, other)

    def __ne__(self, other: Any) -> Any:
        return self.graph.node("ne", self, other)

    def __and__(self, other: Any) -> Symbol:
        return self.graph.node("and", self, other)

    def __or__(self, other: Any) -> Symbol:
        return self.graph.node("or", self, other)

    __rand__, __ror__ = __and__, __or__

    def __neg__(self) -> Symbol:
        return self.graph.node("sub", -0.0, self)

    def __invert__(self) -> Symbol:
        return self.graph.node("not", self)


class Graph:
    """What was done so far: each operation once, in the order in which it was first needed."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.wide: list[bool] = []
        self.guards: dict[int, Any] = {}
        """by place of a narrow symbol: the value that a decision hangs on"""
        self._places: dict[Node, int] = {}

    def add(self, node: Node, wide: bool) -> int:
        """The place of an operation."""
        if node not in self._places:
            self._places[node] = len(self.nodes)
            self.nodes.append(node)
            self.wide.append(wide)
        return self._places[node]

    def place(self, x: Any) -> int:
        """The place of a symbol, or of a constant."""
        if isinstance(x, Symbol):
            return x.place
        if not isinstance(x, (int, float, np.bool_)):
            raise UntraceableError(f"no number: {type(x).__name__}")
        value: Any = bool(x) if isinstance(x, (bool, np.bool_)) else float(x)
        return self.add(("constant", value.hex() if isinstance(value, float) else value), False)

    def node(self, name: str, *given: Any) -> Symbol:
        """An operation on symbols and constants."""
        wide = any(isinstance(x, Symbol) and x.wide for x in given)
        truth = name in COMPARISON or name in ("and", "or", "not")
        places = [self.place(x) for x in given]
        value = None if wide else _value(name, [x.value if isinstance(x, Symbol) else x for x in given])
        return Symbol(self, self.add((name, *places), wide), wide, value, truth)


def _value(name: str, given: Sequence[Any]) -> Any:
    if name == "select":
        return given[1] if given[0] else given[2]
    if name in ("and", "or"):
        return given[0] & given[1] if name == "and" else given[0] | given[1]
    if name == "not":
        return not given[0]
    if name == "floor":
        return float(np.floor(given[0]))
    return FOLDED[name](*given) if name in FOLDED else getattr(elementwise, name)(*given)


# --- the words of a step, on symbols ---------------------------------------------------------------


def _graph(*given: Any) -> Graph | None:
    return next((x.graph for x in given if isinstance(x, Symbol)), None)


def least(a: Any, b: Any) -> Any:
    """min(a, b)."""
    graph = _graph(a, b)
    return elementwise.least(a, b) if graph is None else graph.node("least", a, b)


def most(a: Any, b: Any) -> Any:
    """max(a, b)."""
    graph = _graph(a, b)
    return elementwise.most(a, b) if graph is None else graph.node("most", a, b)


def where(condition: Any, a: Any, b: Any) -> Any:
    """``a`` where the condition holds, else ``b``."""
    if not isinstance(condition, Symbol):
        return a if condition else b
    return condition.graph.node("select", condition, a, b)


def negate(a: Any) -> Any:
    """not a."""
    return a.graph.node("not", a) if isinstance(a, Symbol) else not a


def ratio(a: Any, b: Any, otherwise: Any) -> Any:
    """a / b where b > 0, else ``otherwise``."""
    positive = b > 0
    return where(positive, a / where(positive, b, 1.0), otherwise)


def part(amount: Any, share: Any) -> Any:
    """amount x share; nil, without the arithmetic, where either is the plain number nil."""
    if _graph(amount, share) is None or _plain(share, 0.0, 1.0) or _plain(amount, 0.0):
        return elementwise.part(amount, share)
    found = amount * share
    for x in (share, amount):
        if isinstance(x, Symbol) and not x.wide:
            found = x.graph.node("select", x.graph.node("eq", x, 0.0), 0.0, found)
    return found


def _plain(x: Any, *values: float) -> bool:
    return isinstance(x, float) and x in values


def whole(a: Any) -> Any:
    """The nearest whole number, halves up."""
    return a.graph.node("floor", a + 0.5) if isinstance(a, Symbol) else elementwise.whole(a)


def count(n: Any, p: Any, given: Any) -> Any:
    """People counted by their luck: drawn by the kernel for blocks, between two pieces of arithmetic."""
    if not isinstance(given, Chance):
        raise UntraceableError("luck that is not of this row")
    graph = given.graph
    place = graph.add(("count", graph.place(n), graph.place(p), given.leaf), True)
    return Symbol(graph, place, True, None)


class Chance(NamedTuple):
    """Stands for luck among what the function is handed."""

    graph: Graph
    leaf: int


WORDS: dict[Any, Any] = {
    elementwise.least: least, elementwise.most: most, elementwise.where: where, elementwise.negate: negate,
    elementwise.both: elementwise.both, elementwise.either: elementwise.either,
    elementwise.put: elementwise.put, elementwise.ratio: ratio, elementwise.part: part,
    elementwise.whole: whole, luck.count: count,
}  # fmt: skip


@cache
def on_symbols(function: Any) -> Any:
    """A copy of a plain function, and of all it calls, that finds the words above in place of its own."""
    if function in WORDS:
        return WORDS[function]
    if function.__closure__:
        raise UntraceableError(f"{function.__name__} closes over something")
    there = dict(function.__globals__)
    copy = FunctionType(function.__code__, there, function.__name__, function.__defaults__)
    copy.__kwdefaults__ = function.__kwdefaults__
    root, names = function.__module__.split(".")[0], _named_in(function.__code__)
    for name in names & there.keys():
        found = there[name]
        if _ours(found, root) and found is not function:
            there[name] = on_symbols(found)
        elif isinstance(found, ModuleType) and found.__name__.split(".")[0] == root:
            parts = {part: getattr(found, part) for part in names if hasattr(found, part)}
            there[name] = SimpleNamespace(
                **{part: on_symbols(x) if _ours(x, root) else x for part, x in parts.items()}
            )
    return copy


def _named_in(code: CodeType) -> set[str]:
    """Names that a function looks up outside itself, those of its comprehensions too."""
    inner = (one for one in code.co_consts if isinstance(one, CodeType))
    return set(code.co_names).union(*(_named_in(one) for one in inner))


def _ours(thing: Any, root: str) -> bool:
    return inspect.isfunction(thing) and thing.__module__.split(".")[0] in (root, __name__.split(".")[0])


# --- nested tuples ---------------------------------------------------------------------------------


def leaves(shape: Any) -> list[Any]:
    """The leaves of nested tuples in order; luck is one, and so is what is no tuple."""
    if not _nested(shape):
        return [shape]
    found: list[Any] = []
    _gather(shape, found)
    return found


def _gather(shape: Any, found: list[Any]) -> None:
    for x in shape:
        if _nested(x):
            _gather(x, found)
        else:
            found.append(x)


def rebuilt(shape: Any, given: Iterator[Any]) -> Any:
    """Leaves in the shape of nested tuples."""
    parts = [rebuilt(x, given) if _nested(x) else next(given) for x in shape]
    return shape._make(parts) if hasattr(shape, "_make") else tuple(parts)


def taker(shape: Any) -> Callable[[Any], list[Any]]:
    """``leaves`` for nested tuples of this shape, written out: a row is taken apart thousands of times."""
    key = outline(shape)
    if key not in _TAKERS:
        _TAKERS[key] = eval(f"lambda given: [{', '.join(_places(shape, 'given'))}]")
    return _TAKERS[key]


_TAKERS: dict[Any, Callable[[Any], list[Any]]] = {}
_MAKERS: dict[Any, Callable[[Sequence[Any]], Any]] = {}


def _places(shape: Any, at: str) -> Iterator[str]:
    for i, x in enumerate(shape):
        if _nested(x):
            yield from _places(x, f"{at}[{i}]")
        else:
            yield f"{at}[{i}]"


def maker(shape: Any) -> Callable[[Sequence[Any]], Any]:
    """``rebuilt`` for this shape, written out: leaves in, nested tuples out."""
    key = outline(shape)
    if key not in _MAKERS:
        _MAKERS[key] = _maker(shape) if _nested(shape) else itemgetter(0)
    return _MAKERS[key]


def _maker(shape: Any) -> Callable[[Sequence[Any]], Any]:
    types: list[type] = []
    numbers = count_from_nought()

    def text(x: Any) -> str:
        parts = "".join(f"{text(y) if _nested(y) else f'given[{next(numbers)}]'}, " for y in x)
        if type(x) is tuple:
            return f"({parts})"
        types.append(type(x))
        return f"new(types[{len(types) - 1}], ({parts}))"

    made: Callable[[Sequence[Any]], Any] = eval(
        f"lambda given: {text(shape)}", {"new": tuple.__new__, "types": types}
    )
    return made


def _nested(x: Any) -> bool:
    return isinstance(x, tuple) and not isinstance(x, luck.LUCK)


def outline(shape: Any) -> Any:
    """The shape alone, to tell two shapes apart."""
    if _nested(shape):
        return (type(shape), *(outline(x) for x in shape))
    return luck.LUCK if isinstance(shape, luck.LUCK) else None


# --- tracing ---------------------------------------------------------------------------------------


class Leaf(Enum):
    """What a leaf is, where it is no plain number."""

    WIDE = "an array over paths"
    LUCK = "the luck of people"


def kind(x: Any) -> Leaf | float:
    """A leaf without its paths."""
    if type(x) in NUMBERS:
        return float(x)
    if isinstance(x, luck.LUCK):
        return Leaf.LUCK
    if isinstance(x, np.ndarray) and x.ndim == 1 and x.dtype == np.float64:
        return Leaf.WIDE
    raise UntraceableError(f"handed a {type(x).__name__}")


class Program(NamedTuple):
    """Straight-line arithmetic."""

    nodes: list[Node]
    wide: list[bool]
    guards: dict[int, Any]
    fixed: dict[int, float]
    """by leaf: the value for which this was written down"""
    outputs: list[int | float]
    """by leaf of what comes out: its place, or the number that it always is"""
    shape: Any
    """nested tuples in the shape of what comes out"""
    arrays: set[int]
    """the leaves that are no plain numbers: arrays over paths, and luck"""


def trace(
    function: Any, shape: Any, kinds: Sequence[Leaf | float], wide: set[int], fixed: dict[int, float]
) -> Program:
    """Write down what a function does with nested tuples of a ``shape`` whose leaves are of these kinds.

    Leaves in ``wide`` are arrays over paths (in other rows, if not in this one), those in ``fixed`` the
    numbers they are, all others numbers that differ from row to row or from deal to deal.
    """
    graph = Graph()

    def symbol(leaf: int, x: Leaf | float) -> Any:
        if x is Leaf.LUCK:
            return Chance(graph, leaf)
        if leaf in wide:
            return Symbol(graph, graph.add(("wide", leaf), True), True, None)
        if leaf in fixed:
            return fixed[leaf]
        return Symbol(graph, graph.add(("narrow", leaf), False), False, x)

    try:
        answer = on_symbols(function)(*rebuilt(shape, (symbol(i, x) for i, x in enumerate(kinds))))
    except (TypeError, AttributeError, ZeroDivisionError) as error:
        raise UntraceableError(str(error)) from error
    arrays = wide | {leaf for leaf, x in enumerate(kinds) if x is Leaf.LUCK}
    outputs: list[int | float] = []
    for x in leaves(answer):
        if isinstance(x, Symbol) and x.truth:
            raise UntraceableError("a truth comes out")
        outputs.append(x.place if isinstance(x, Symbol) else float(x))
    return Program(graph.nodes, graph.wide, graph.guards, fixed, outputs, answer, arrays)


def decided_by(program: Program) -> list[int]:
    """The narrow nodes on which its decisions hang, in order; leaves are among them."""
    found: set[int] = set()
    waiting = list(program.guards)
    while waiting:
        place = waiting.pop()
        if place not in found:
            found.add(place)
            waiting.extend(reads(program.nodes[place]))
    return sorted(found)


def decides_alike(program: Program, places: Sequence[int], given: Sequence[Any]) -> bool:
    """Whether every decision falls with these leaves as it did; ``places`` from ``decided_by``."""
    found: dict[int, Any] = {}
    for place in places:
        name, *on = program.nodes[place]
        if name == "narrow":
            found[place] = given[on[0]]
        elif name == "constant":
            found[place] = number(on[0])
        else:
            try:
                found[place] = _value(name, [found[x] for x in on])
            except ZeroDivisionError:
                return False
        if place in program.guards and found[place] != program.guards[place]:
            return False
    return True


def reads(node: Node) -> tuple[int, ...]:
    """The places of the nodes that a node works on."""
    if node[0] in ("wide", "narrow", "constant"):
        return ()
    return node[1:3] if node[0] == "count" else node[1:]


def number(constant: Any) -> Any:
    """What a constant says: a truth, or a number as exact text, which tells -0 from 0."""
    return constant if isinstance(constant, bool) else float.fromhex(constant)
