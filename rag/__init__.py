"""Plumbline: answers from documents, each with its evidence, its price and a measured confidence.

from rag import RAG
kb = RAG.open("kb"); kb.ingest("docs/")
print(kb.ask("How long is the refund window?"))
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from plumbline.errors import PlumblineError
from rag.knowledge import RAG
from rag.types import Answer, Chunk, Citation, Claim, Document, Hit, Page, Section

__all__ = ["RAG", "Answer", "Chunk", "Citation", "Claim", "Document", "Hit", "Page", "PlumblineError", "Section"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return version("plumbline")
    raise AttributeError(f"module 'rag' has no attribute {name!r}")
