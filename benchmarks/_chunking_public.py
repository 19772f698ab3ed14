"""The chunkers of brandonstarxel/chunking_evaluation, where that package is installed."""

from __future__ import annotations

import lzma
import os
from collections.abc import Callable, Sequence
from hashlib import sha1
from importlib.resources import files
from pathlib import Path
from typing import Any

from benchmarks.chunkers import RANKS_URL
from rag.ingest.chunk import chunks_from
from rag.types import Chunk, Document

Embed = Callable[[Sequence[str]], Any]


def public_chunks(documents: Sequence[Document], embed: Embed, folder: Path) -> dict[str, Callable[[], list[Chunk]]]:
    """Functions that cut all `documents`, by name; none when the package cannot be imported.

    Places are found as the package finds them. It counts with tiktoken, which downloads its ranks unless
    `TIKTOKEN_CACHE_DIR` has them: without that, ours are put into `folder`.
    """
    os.environ.setdefault("TIKTOKEN_CACHE_DIR", _with_ranks(folder))
    try:
        from chunking_evaluation.chunking import ClusterSemanticChunker, FixedTokenChunker, RecursiveTokenChunker
        from chunking_evaluation.utils import openai_token_count, rigorous_document_search
    except ImportError:
        return {}

    def cut_with(chunker: Any) -> Callable[[], list[Chunk]]:
        def cut() -> list[Chunk]:
            found: list[Chunk] = []
            for document in documents:
                places = [rigorous_document_search(document.text, text) for text in chunker.split_text(document.text)]
                found += chunks_from(document, [(start, end, 0) for _, start, end in places])
            return found

        return cut

    def semantic(size: int) -> Any:
        return ClusterSemanticChunker(lambda texts: embed(texts).tolist(), size, 50, openai_token_count)

    recursive = RecursiveTokenChunker(
        chunk_size=200,
        chunk_overlap=0,
        length_function=openai_token_count,
        separators=["\n\n", "\n", ".", "?", "!", " ", ""],
    )
    return {
        "public ClusterSemantic 200": cut_with(semantic(200)),
        "public ClusterSemantic 400": cut_with(semantic(400)),
        "public Token 250/125": cut_with(FixedTokenChunker("cl100k_base", chunk_size=250, chunk_overlap=125)),
        "public Recursive 200/0": cut_with(recursive),
    }


def _with_ranks(folder: Path) -> str:
    """`folder`, with the ranks of cl100k_base under the name that tiktoken looks for."""
    ranks = files("plumbline.data").joinpath("cl100k_base.tiktoken.xz").read_bytes()
    (folder / sha1(RANKS_URL.encode(), usedforsecurity=False).hexdigest()).write_bytes(lzma.decompress(ranks))
    return str(folder)
