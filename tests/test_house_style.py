"""The rules of CONTRIBUTING.md that no other tool checks; docstrings and annotations are ruff's and mypy's."""

from __future__ import annotations

import ast
import io
import re
import statistics
import tokenize
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TypeVar

import grimp
import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("plumbline", "routing", "rag", "evals")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
EVERYTHING = SOURCES + sorted(
    path
    for folder in ("prompts", "configs", "benchmarks", "examples", "tests")
    for path in (ROOT / folder).rglob("*.py")
)
SUPPRESSION = re.compile(
    r"#\s*(?:noqa|type:\s*ignore|mypy:\s*|ruff:\s*|fmt:\s*off|pragma:\s*no)[^#(]*(?P<reason>[#(].*)?"
)

Node = TypeVar("Node", bound=ast.AST)
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def nodes(kind: type[Node]) -> Iterator[tuple[str, Node]]:
    for path in SOURCES:
        for node in ast.walk(tree(path)):
            if isinstance(node, kind):
                yield f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}", node


def test_files_are_short() -> None:
    assert not {str(path.relative_to(ROOT)): lines(path) for path in EVERYTHING if lines(path) > 600}
    assert statistics.median(lines(path) for path in SOURCES if path.name != "__init__.py") <= 150


def test_functions_are_short() -> None:
    lengths = [(node.end_lineno or node.lineno) - node.lineno + 1 for kind in FUNCTIONS for _, node in nodes(kind)]
    assert statistics.quantiles(lengths, n=10)[-1] <= 30


FUNCTIONS: tuple[type[Function], ...] = (ast.FunctionDef, ast.AsyncFunctionDef)


def test_classes_are_small() -> None:
    for place, node in nodes(ast.ClassDef):
        methods = [member for member in node.body if isinstance(member, FUNCTIONS)]
        assert len(methods) <= 20, f"{place}: {node.name} has {len(methods)} methods"


def test_classes_are_shallow() -> None:
    """At most two classes of ours above any, errors aside: their tree is there to be caught at the right height.

    Bases are matched by name, which is enough while names are unique.
    """
    bases = {
        node.name: [base.id for base in node.bases if isinstance(base, ast.Name)] for _, node in nodes(ast.ClassDef)
    }

    def above(name: str) -> int:
        return max((1 + above(base) for base in bases[name] if base in bases), default=0)

    assert not {name: above(name) for name in bases if above(name) > 2 and not name.endswith("Error")}


def test_no_cycles_between_files() -> None:
    """Imports inside functions count; imports for the type checker alone do not: they never load a file."""
    graph = grimp.build_graph(*PACKAGES, exclude_type_checking_imports=True, cache_dir=None)
    try:
        list(
            TopologicalSorter(
                {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
            ).static_order()
        )
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def suppressions() -> Iterator[tuple[str, str, bool]]:
    """Place, text, and whether a reason stands after it or on the comment line above."""
    for path in EVERYTHING:
        text = path.read_text(encoding="utf-8")
        above = [line.strip() for line in text.splitlines()]
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            match = SUPPRESSION.search(token.string) if token.type == tokenize.COMMENT else None
            if match:
                row = token.start[0]
                reason = bool(match["reason"]) or above[row - 2].startswith("#")
                yield f"{path.relative_to(ROOT)}:{row}", token.string, reason


def test_suppressions_have_reasons_and_are_rare() -> None:
    found = list(suppressions())
    assert not [f"{place}: {text}" for place, text, reason in found if not reason]
    assert len(found) < sum(map(lines, EVERYTHING)) / 1000


def test_skips_have_reasons() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    marks = re.findall(r"@pytest\.mark\.(?:skip|skipif|xfail)\b[^\n]*", text)
    assert not [mark for mark in marks if "reason=" not in mark]
