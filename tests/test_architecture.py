"""Holds the package to ARCHITECTURE.md: which rooms there are, and which way imports run.

Two fenced blocks are read there. ``rooms`` has one line for each room, its name first::

    core/    time, parties, ledger
    cli.py   the command line

``import-order`` is one chain, ``core < kernels < … < cli``: a room may import itself and what stands
before it. Rooms joined by a comma stand side by side and do not import each other.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "socialfinance"
DESCRIPTION = ROOT / "ARCHITECTURE.md"
FRONT_DOOR = "__init__"
"""The package's own ``__init__.py`` hands out names from any room. Like ``__main__.py``, it is no room."""
THIN_DOORS = "results"
"""``Result.to_json`` and its like import their writer when used: imports in functions here may go up."""
HEAVY = ("distributed", "numba", "numpy", "pandas", "pydantic", "rich", "ruamel", "scipy")
"""What takes long to import, so only those who use it wait for it."""


class Import(NamedTuple):
    """One import of one of our own modules."""

    file: str
    line: int
    room: str
    target: str
    in_function: bool


# --- what ARCHITECTURE.md says -------------------------------------------------------------------


def fenced(name: str, text: str) -> str:
    """What stands in the fenced block with this name."""
    blocks = re.findall(rf"^```{re.escape(name)}[ \t]*\n(.*?)^```[ \t]*$", text, re.DOTALL | re.MULTILINE)
    if len(blocks) != 1:
        pytest.fail(
            f"ARCHITECTURE.md must hold exactly one block that opens with ```{name}; it has {len(blocks)}"
        )
    return blocks[0]


def rooms_in(text: str) -> list[str]:
    """The rooms named in the block ``rooms``."""
    lines = [line.split() for line in fenced("rooms", text).splitlines()]
    return [line[0].rstrip("/").removesuffix(".py") for line in lines if line]


def levels_in(text: str) -> dict[str, int]:
    """Each room's place in the block ``import-order``, lowest first."""
    levels: dict[str, int] = {}
    for level, together in enumerate(fenced("import-order", text).split("<")):
        for room in together.replace(",", " ").split():
            if room in levels:
                pytest.fail(f"ARCHITECTURE.md: '{room}' stands twice in the import order")
            levels[room] = level
    return levels


# --- what the package does -----------------------------------------------------------------------


def rooms_of(package: Path) -> set[str]:
    """Every folder with Python in it, and every module, at the top of the package."""
    folders = {path.name for path in package.iterdir() if path.is_dir() and any(path.rglob("*.py"))}
    modules = {path.stem for path in package.glob("*.py")}
    return (folders | modules) - {FRONT_DOOR, "__main__", "__pycache__"}


def imports_of(package: Path) -> list[Import]:
    """Every import of our own modules, wherever it stands: at the top, in a function, or for types only."""
    found: list[Import] = []
    for file in sorted(package.rglob("*.py")):
        parts = (package.name, *file.relative_to(package).with_suffix("").parts)
        room = parts[1]
        here = parts[:-1]
        for node, in_function in walk(ast.parse(file.read_text(encoding="utf-8"), str(file))):
            where = (str(file.relative_to(package.parent)), node.lineno, room)
            found += [Import(*where, target, in_function) for target in targets(node, here)]
    return found


def walk(node: ast.AST, in_function: bool = False) -> Iterator[tuple[ast.stmt | ast.expr, bool]]:
    """Every statement and expression, and whether it runs only when a function is called."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt | ast.expr):
            yield child, in_function
        yield from walk(
            child, in_function or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        )


def targets(node: ast.AST, here: tuple[str, ...]) -> list[str]:
    """The rooms one node imports from; the front door where a name is taken from the package itself."""
    package = here[0]
    modules: list[str] = []
    if isinstance(node, ast.Import):
        modules = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        base = list(here[: len(here) - node.level + 1]) if node.level else []
        module = ".".join([*base, *([node.module] if node.module else [])])
        # `from socialfinance import core` names a room; `__version__` and its like come from no room
        own = [f"{module}.{alias.name}" for alias in node.names if not alias.name.startswith("__")]
        modules = own if module == package else [module]
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        name = node.args[0].value
        modules = [name] if called in {"import_module", "__import__"} and isinstance(name, str) else []
    ours = [name.split(".") for name in modules if name == package or name.startswith(f"{package}.")]
    return [parts[1] if len(parts) > 1 else FRONT_DOOR for parts in ours]


def arrows_up(imports: list[Import], levels: dict[str, int]) -> list[str]:
    """The imports that run the wrong way, each as a line that says where it stands."""
    top = max(levels.values())
    wrong: list[str] = []
    for item in imports:
        if item.room not in levels or item.room == item.target:
            continue  # the front door, or a room importing itself
        if item.room == THIN_DOORS and item.in_function:
            continue
        mine = levels[item.room]
        allowed = levels.get(item.target, top - 0.5) < mine  # the front door: only for the room at the top
        if not allowed:
            name = "the package itself" if item.target == FRONT_DOOR else item.target
            wrong.append(f"{item.file}:{item.line}: {item.room} imports {name}")
    return wrong


# --- the package is as described -----------------------------------------------------------------


@pytest.fixture(scope="module")
def description() -> str:
    if not DESCRIPTION.exists():
        pytest.fail("ARCHITECTURE.md is missing: it names the rooms of the package and the order of imports")
    return DESCRIPTION.read_text(encoding="utf-8")


def test_every_room_is_described_and_every_described_room_exists(description):
    described = rooms_in(description)

    assert len(described) == len(set(described)), "a room stands twice in the block `rooms`"
    assert rooms_of(PACKAGE) - set(described) == set(), "in the package, not in ARCHITECTURE.md"
    assert set(described) - rooms_of(PACKAGE) == set(), "in ARCHITECTURE.md, not in the package"


def test_the_import_order_names_every_room(description):
    assert set(levels_in(description)) == set(rooms_in(description))


def test_imports_run_one_way(description):
    wrong = arrows_up(imports_of(PACKAGE), levels_in(description))

    assert not wrong, "against the import order of ARCHITECTURE.md:\n" + "\n".join(wrong)


@pytest.mark.parametrize(
    "code",
    [
        "import socialfinance; assert 'simulate' in dir(socialfinance)",
        "from socialfinance.cli import parser; parser().format_help()",
    ],
    ids=["import", "help"],
)
def test_nothing_heavy_is_imported_before_it_is_used(code):
    told = (
        f"{code}; import sys; print(*sorted({{name.split('.')[0] for name in sys.modules}} & {set(HEAVY)}))"
    )
    done = subprocess.run([sys.executable, "-c", told], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.split() == []


# --- the checks catch what they are for ----------------------------------------------------------

SMALL = """
```rooms
core/      the bottom
left/      one side
right/     the other
results/   tables
reports/   writers
cli.py     the top
```

```import-order
core < left, right
     < results < reports < cli
```
"""


@pytest.mark.parametrize(
    ("file", "source", "expected"),
    [
        ("left/a.py", "from socialfinance.core.time import Quarter", []),
        ("left/a.py", "from socialfinance.left.b import thing", []),
        ("left/a.py", "from .b import thing", []),
        ("left/a.py", "from socialfinance import __version__", []),
        ("left/a.py", "import numpy\nfrom socialfinancex.cli import main", []),
        ("core/a.py", "import socialfinance.left.b", ["core imports left"]),
        ("core/a.py", "from socialfinance import cli, left", ["core imports cli", "core imports left"]),
        ("core/a.py", "from ..left import b", ["core imports left"]),
        ("core/deep/a.py", "from ...left import b", ["core imports left"]),
        ("core/deep/__init__.py", "from ...cli import main", ["core imports cli"]),
        ("core/__init__.py", "from .. import cli", ["core imports cli"]),
        ("core/a.py", "if TYPE_CHECKING:\n    from socialfinance.left import b", ["core imports left"]),
        ("core/a.py", "def f():\n    import socialfinance.left", ["core imports left"]),
        ("core/a.py", "importlib.import_module('socialfinance.left.b')", ["core imports left"]),
        ("left/a.py", "from socialfinance.right import b", ["left imports right"]),
        ("core/a.py", "import socialfinance", ["core imports the package itself"]),
        ("core/a.py", "from socialfinance import simulate", ["core imports simulate"]),
        ("cli.py", "import socialfinance as sf\nfrom socialfinance.core import time", []),
        ("__init__.py", "from .cli import main", []),
        ("__main__.py", "from socialfinance.cli import main", []),
        (
            "results/a.py",
            "class R:\n    def to_json(self):\n        from socialfinance.reports import w",
            [],
        ),
        ("results/a.py", "from socialfinance.reports import w", ["results imports reports"]),
    ],
)
def test_an_arrow_up_is_found(tmp_path, file, source, expected):
    place = tmp_path / "socialfinance" / file
    place.parent.mkdir(parents=True)
    place.write_text(source, encoding="utf-8")

    wrong = arrows_up(imports_of(tmp_path / "socialfinance"), levels_in(SMALL))

    assert [line.split(": ", 1)[1] for line in wrong] == expected


def test_the_blocks_are_read():
    assert rooms_in(SMALL) == ["core", "left", "right", "results", "reports", "cli"]
    assert levels_in(SMALL) == {"core": 0, "left": 1, "right": 1, "results": 2, "reports": 3, "cli": 4}


def test_only_folders_with_python_are_rooms(tmp_path):
    for file in ("core/a.py", "data/table.csv", "cli.py", "__init__.py", "py.typed", "__pycache__/a.pyc"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()

    assert rooms_of(tmp_path) == {"core", "cli"}
