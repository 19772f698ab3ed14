"""Chunkers at 512 tokens of cl100k_base: how fast cold, and do they keep their promises?

    python benchmarks/chunkers.py --data FOLDER [--size 512 --overlap 50 --rounds 5]

FOLDER holds texts (*.md, *.txt). "MB/s" is the median over fresh processes of one first pass over all of them on one
thread, with the tokenizer loaded before. "over" counts chunks above the budget, "words cut" boundaries inside a word,
"not a span" chunks that are not text[start:end]. Peers that are not installed are left out; chonkie's recursive
chunker has no overlap, so ours is also shown without.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from hashlib import sha1
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

Piece = tuple[int, int, str]
Cut = Callable[[str], Iterable[Piece]]
RANKS_URL = "https://openaipublic.blob.core.windows.net/encodings/cl100k_base.tiktoken"


def plumbline_cut(size: int, overlap: int) -> Cut:
    """Ours."""
    from rag.ingest.chunk.recursive import RecursiveChunker
    from rag.types import Document

    chunker = RecursiveChunker(size=size, overlap=overlap)
    chunker.split(Document(id="", source="", name="", text="load", hash="", media_type=""))

    def cut(text: str) -> Iterable[Piece]:
        document = Document(id="x", source="x", name="x", text=text, hash="", media_type="text/plain")
        return [(chunk.start, chunk.end, chunk.text) for chunk in chunker.split(document)]

    return cut


def chonkie_cut(size: int, _overlap: int) -> Cut:
    """chonkie's RecursiveChunker, which knows no overlap."""
    import tiktoken
    from chonkie import RecursiveChunker

    chunker = RecursiveChunker(tokenizer=tiktoken.get_encoding("cl100k_base"), chunk_size=size)
    return lambda text: [(chunk.start_index, chunk.end_index, chunk.text) for chunk in chunker.chunk(text)]


def langchain_cut(size: int, overlap: int) -> Cut:
    """LangChain's RecursiveCharacterTextSplitter, counting with tiktoken."""
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    splitter = RecursiveCharacterTextSplitter.from_tiktoken_encoder(
        "cl100k_base", chunk_size=size, chunk_overlap=overlap, add_start_index=True
    )

    def cut(text: str) -> Iterable[Piece]:
        for found in splitter.create_documents([text]):
            start = found.metadata["start_index"]
            yield start, start + len(found.page_content), found.page_content

    return cut


def semchunk_cut(size: int, overlap: int) -> Cut:
    """semchunk, counting with tiktoken."""
    import semchunk
    import tiktoken

    chunker = semchunk.chunkerify(tiktoken.get_encoding("cl100k_base"), size)

    def cut(text: str) -> Iterable[Piece]:
        chunks, offsets = chunker(text, offsets=True, overlap=overlap or None)
        return [(start, end, chunk) for chunk, (start, end) in zip(chunks, offsets, strict=True)]

    return cut


PEERS: dict[str, tuple[str, Callable[[int, int], Cut], bool]] = {
    "plumbline recursive": ("tiktoken", plumbline_cut, True),
    "plumbline, no overlap": ("tiktoken", plumbline_cut, False),
    "chonkie recursive": ("chonkie", chonkie_cut, False),
    "semchunk": ("semchunk", semchunk_cut, True),
    "langchain recursive": ("langchain_text_splitters", langchain_cut, True),
}


def measure(name: str, data: Path, size: int, overlap: int) -> dict[str, Any]:
    """One cold pass, then the checks."""
    _, factory, overlaps = PEERS[name]
    texts = [path.read_text(encoding="utf-8") for path in sorted(data.iterdir()) if path.suffix in (".md", ".txt")]
    cut = factory(size, overlap if overlaps else 0)
    started = time.process_time()
    pieces = [list(cut(text)) for text in texts]
    seconds = time.process_time() - started
    from plumbline.text.tokens import tokenizer

    counts = [tokenizer().count(piece) for each in pieces for _, _, piece in each]
    return {
        "rate": sum(len(text.encode()) for text in texts) / 1e6 / seconds,
        "chunks": len(counts),
        "tokens": statistics.mean(counts),
        "over": sum(count > size for count in counts),
        "words_cut": sum(_cuts_word(text, at) for text, each in zip(texts, pieces, strict=True) for at in _cuts(each)),
        "no_span": sum(
            text[start:end] != piece for text, each in zip(texts, pieces, strict=True) for start, end, piece in each
        ),
    }


def _cuts(pieces: Iterable[Piece]) -> set[int]:
    return {offset for start, end, _ in pieces for offset in (start, end)}


def _cuts_word(text: str, offset: int) -> bool:
    return 0 < offset < len(text) and text[offset - 1].isalnum() and text[offset].isalnum()


def run_apart(name: str, arguments: argparse.Namespace, cache: Path) -> dict[str, Any]:
    """`measure` in a fresh process, the peers' ranks in a folder so that nobody needs a network."""
    command = [sys.executable, __file__, "--data", str(arguments.data), "--one", name]
    command += ["--size", str(arguments.size), "--overlap", str(arguments.overlap)]
    environment = {**os.environ, "TIKTOKEN_CACHE_DIR": str(cache), "OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
    output = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    result: dict[str, Any] = json.loads(output)
    return result


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--overlap", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--one", choices=PEERS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one, arguments.data, arguments.size, arguments.overlap)))
        return
    print(f"{'chunker':24}{'MB/s':>7}{'chunks':>8}{'tokens':>8}{'over':>6}{'words cut':>11}{'not a span':>12}")
    with tempfile.TemporaryDirectory() as folder:
        ranks = files("plumbline.data").joinpath("cl100k_base.tiktoken.xz").read_bytes()
        (Path(folder) / sha1(RANKS_URL.encode()).hexdigest()).write_bytes(lzma.decompress(ranks))
        for name, (package, _, _) in PEERS.items():
            if find_spec(package) is None:
                print(f"{name:24} not installed")
                continue
            rounds = [run_apart(name, arguments, Path(folder)) for _ in range(arguments.rounds)]
            row, rate = rounds[0], statistics.median(each["rate"] for each in rounds)
            print(
                f"{name:24}{rate:>7.1f}{row['chunks']:>8}{row['tokens']:>8.0f}{row['over']:>6}"
                f"{row['words_cut']:>11}{row['no_span']:>12}"
            )


if __name__ == "__main__":
    main()
