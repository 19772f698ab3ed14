"""Measures what the first line costs: CPU seconds of `from rag import RAG`, beside the same line of its peers.

    python benchmarks/import_time.py [--runs 7] [--check]

Each import runs in a fresh interpreter; the time of an interpreter that imports nothing is taken off, and the median of
the runs is printed. Peers that are not installed are left out; to have them, in an environment of their own:
`pip install langchain langchain-community llama-index-core haystack-ai`. `--check` fails above the limit of .3 CPU-s.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping

LIMIT = 0.3
"""CPU seconds that `from rag import RAG` may take."""

PEERS: Mapping[str, str] = {
    "Plumbline": "from rag import RAG",
    "LangChain": "from langchain_core.documents import Document; from langchain_core.vectorstores import "
    "InMemoryVectorStore; from langchain.chat_models import init_chat_model",
    "LlamaIndex": "from llama_index.core import SimpleDirectoryReader, VectorStoreIndex",
    "Haystack": "from haystack import Pipeline; from haystack.components.builders import PromptBuilder; "
    "from haystack.components.retrievers import InMemoryBM25Retriever",
}


def main() -> None:
    """Print a table; with `--check`, exit with 1 when the limit is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=7, help="imports per line, after one that fills the caches")
    parser.add_argument("--check", action="store_true", help=f"fail above {LIMIT} CPU-s")
    arguments = parser.parse_args()
    empty = cpu_seconds("pass", arguments.runs)
    print(f"{'':12}CPU-s   import")
    ours = 0.0
    for name, statement in PEERS.items():
        if missing := _missing(statement):
            print(f"{name:12}    -   {missing} is not installed")
            continue
        taken = cpu_seconds(statement, arguments.runs) - empty
        ours = taken if name == "Plumbline" else ours
        print(f"{name:12}{taken:5.2f}   {statement}")
    if arguments.check and ours > LIMIT:
        sys.exit(f"from rag import RAG takes {ours:.2f} CPU-s; at most {LIMIT} are allowed.")


def cpu_seconds(statement: str, runs: int) -> float:
    """The median CPU seconds (user and system) of a fresh interpreter that runs `statement`."""
    _run(statement)
    return statistics.median(_run(statement) for _ in range(runs))


def _run(statement: str) -> float:
    before = os.times()
    subprocess.run([sys.executable, "-c", statement], check=True)
    after = os.times()
    return after.children_user - before.children_user + after.children_system - before.children_system


def _missing(statement: str) -> str | None:
    packages = [part.split()[1].split(".")[0] for part in statement.split("; ")]
    return next((package for package in packages if importlib.util.find_spec(package) is None), None)


if __name__ == "__main__":
    main()
