"""What users may import, as a list, so that a change of it is a decision; and what importing costs."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXPORTS = {
    "rag": ["RAG", "Answer", "Chunk", "Citation", "Claim", "Document", "Hit", "Page", "PlumblineError", "Section"],
}
HEAVY = (
    "anthropic",
    "kreuzberg",
    "numpy",
    "openai",
    "opentelemetry.sdk",
    "rank_bm25",
    "sqlalchemy",
    "tokenizers",
    "wordllama",
)


@pytest.mark.parametrize("package", EXPORTS)
def test_exports(package: str) -> None:
    module = importlib.import_module(package)
    assert sorted(module.__all__) == sorted(EXPORTS[package])
    assert not [name for name in module.__all__ if not hasattr(module, name)]


def test_version_is_the_distributions() -> None:
    import rag

    assert rag.__version__ == importlib.metadata.version("plumbline")
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = rag.nothing


def modules_of() -> list[str]:
    files = [path for package in ("plumbline", "routing", "rag", "evals") for path in (ROOT / package).rglob("*.py")]
    return [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in sorted(files)]


@pytest.mark.parametrize("name", [name for name in modules_of() if not name.endswith("__init__")])
def test_named_exports_exist(name: str) -> None:
    """Every module can be imported by itself, and what it lists in `__all__` is there."""
    module = importlib.import_module(name)
    assert not [exported for exported in getattr(module, "__all__", ()) if not hasattr(module, exported)]


@pytest.mark.parametrize("statement", ["from rag import RAG", "import plumbline.cli", "import rag.cli"])
def test_imports_load_nothing_heavy(statement: str) -> None:
    code = f"import sys; {statement}; print([name for name in {HEAVY} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
