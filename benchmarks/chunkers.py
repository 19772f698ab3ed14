"""Chunkers at 512 tokens of cl100k_base: how fast cold, and do they keep their promises?

    python benchmarks/chunkers.py --data FOLDER [--size 512 --overlap 50 --rounds 5 --peers PYTHON]

FOLDER holds texts (*.md, *.txt). "MB/s" is the median over fresh processes of one first pass over all of them on one
thread, in CPU time, with the tokenizer loaded before; "of floor" is that beside one pass of tiktoken, which no chunker
with exact counts can beat, measured in the same process right before. "over" counts chunks above the budget, "words
cut" boundaries inside a word, "not a span" chunks that are not text[start:end]. Peers run in the Python given by
--peers (a virtual environment of their own), else in this one; those that are not installed are left out. chonkie's
recursive chunker and semantic-text-splitter are shown as they are used: without overlap the former, which has none.
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
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha1
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any

Piece = tuple[int, int, str]
Cut = Callable[[str], Iterable[Piece]]
RANKS_URL = "https://openaipublic.blob.core.windows.net/encodings/cl100k_base.tiktoken"


def plumbline_cut(name: str) -> Callable[[int, int], Cut]:
    """One of ours."""

    def factory(size: int, overlap: int) -> Cut:
        from rag.ingest.chunk.build import build_splitter
        from rag.ingest.settings import ChunkingSettings
        from rag.types import Document

        read = {"chunker": name, "size": size, "overlap": overlap, "parent_size": 4 * size}
        chunker = build_splitter(ChunkingSettings.model_validate(read))
        assert chunker is not None

        def cut(text: str) -> Iterable[Piece]:
            document = Document(id="x", source="x", name="x", text=text, hash="", media_type="text/plain")
            return [(chunk.start, chunk.end, chunk.text) for chunk in chunker.split(document)]

        cut("load")
        return cut

    return factory


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


def text_splitter_cut(size: int, overlap: int) -> Cut:
    """semantic-text-splitter (Rust), counting with tiktoken's Rust twin."""
    splitter = import_module("semantic_text_splitter").TextSplitter.from_tiktoken_model("gpt-4", size, overlap)

    def cut(text: str) -> Iterable[Piece]:
        return [(start, start + len(piece), piece) for start, piece in splitter.chunk_indices(text)]

    return cut


def llama_index_cut(size: int, overlap: int) -> Cut:
    """LlamaIndex's SentenceSplitter, counting with tiktoken; it tells no offsets, so they are looked for."""
    import tiktoken
    from llama_index.core.node_parser import SentenceSplitter

    encode = tiktoken.get_encoding("cl100k_base").encode
    splitter = SentenceSplitter(chunk_size=size, chunk_overlap=overlap, tokenizer=encode)

    def cut(text: str) -> Iterable[Piece]:
        at = 0
        for piece in splitter.split_text(text):
            at = max(text.find(piece, at), at)
            yield at, at + len(piece), piece

    return cut


OURS = ("recursive", "fixed", "sentence", "structure", "parent_child")
NO_OVERLAP = "recursive, no overlap"
CUTS: dict[str, tuple[str, Callable[[int, int], Cut], bool]] = {
    **{name: ("rag", plumbline_cut(name), True) for name in OURS},
    NO_OVERLAP: ("rag", plumbline_cut("recursive"), False),
    "chonkie recursive": ("chonkie", chonkie_cut, False),
    "semchunk": ("semchunk", semchunk_cut, True),
    "langchain recursive": ("langchain_text_splitters", langchain_cut, True),
    "semantic-text-splitter": ("semantic_text_splitter", text_splitter_cut, True),
    "llama-index sentence": ("llama_index.core", llama_index_cut, True),
}
"""Each with the package it needs, how to make it, and whether it is given the overlap."""


def measure(name: str, data: Path, size: int, overlap: int) -> dict[str, Any]:
    """One pass of tiktoken, one cold pass of the chunker, then the checks."""
    import tiktoken

    _, factory, overlaps = CUTS[name]
    texts = [path.read_text(encoding="utf-8") for path in sorted(data.iterdir()) if path.suffix in (".md", ".txt")]
    encoding = tiktoken.get_encoding("cl100k_base")
    encoding.encode_ordinary("load")
    cut = factory(size, overlap if overlaps else 0)
    floor, _ = _timed(lambda: [encoding.encode_ordinary(text) for text in texts])
    seconds, pieces = _timed(lambda: [list(cut(text)) for text in texts])
    counts = [len(encoding.encode_ordinary(piece)) for each in pieces for _, _, piece in each]
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    return {
        "rate": megabytes / seconds,
        "floor": megabytes / floor,
        "chunks": len(counts),
        "tokens": statistics.mean(counts),
        "over": sum(count > size for count in counts),
        "words_cut": sum(_cuts_word(text, at) for text, each in zip(texts, pieces, strict=True) for at in _cuts(each)),
        "no_span": sum(
            text[start:end] != piece for text, each in zip(texts, pieces, strict=True) for start, end, piece in each
        ),
    }


def _timed(run: Callable[[], Any]) -> tuple[float, Any]:
    started = time.process_time()
    result = run()
    return time.process_time() - started, result


def _cuts(pieces: Iterable[Piece]) -> set[int]:
    return {offset for start, end, _ in pieces for offset in (start, end)}


def _cuts_word(text: str, offset: int) -> bool:
    return 0 < offset < len(text) and text[offset - 1].isalnum() and text[offset].isalnum()


def run_apart(name: str, arguments: argparse.Namespace, cache: Path) -> dict[str, Any] | None:
    """`measure` in a fresh process, `None` if its package is missing. The ranks lie in `cache`: no network is used."""
    package = CUTS[name][0]
    python = sys.executable if package == "rag" else arguments.peers
    command = [python, __file__, "--data", str(arguments.data), "--one", name]
    command += ["--size", str(arguments.size), "--overlap", str(arguments.overlap)]
    environment = {**os.environ, "TIKTOKEN_CACHE_DIR": str(cache), "OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    if f"No module named '{package.partition('.')[0]}" in done.stderr:
        return None
    done.check_returncode()
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def show(name: str, rounds: Sequence[dict[str, Any]]) -> None:
    """One row of the table."""
    row = rounds[0]
    rate = statistics.median(each["rate"] for each in rounds)
    share = statistics.median(each["rate"] / each["floor"] for each in rounds)
    print(
        f"{name:24}{rate:>7.1f}{share:>10.2f}{row['chunks']:>8}{row['tokens']:>8.0f}{row['over']:>6}"
        f"{row['words_cut']:>11}{row['no_span']:>12}",
        flush=True,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--overlap", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", default=sys.executable, help="the Python that has the peers installed")
    parser.add_argument("--one", choices=CUTS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one, arguments.data, arguments.size, arguments.overlap)))
        return
    head = f"{'chunker':24}{'MB/s':>7}{'of floor':>10}{'chunks':>8}{'tokens':>8}{'over':>6}{'words cut':>11}"
    print(f"{head}{'not a span':>12}")
    with tempfile.TemporaryDirectory() as folder:
        ranks = files("plumbline.data").joinpath("cl100k_base.tiktoken.xz").read_bytes()
        (Path(folder) / sha1(RANKS_URL.encode()).hexdigest()).write_bytes(lzma.decompress(ranks))
        for name in CUTS:
            rounds = [run_apart(name, arguments, Path(folder)) for _ in range(arguments.rounds)]
            measured = [each for each in rounds if each is not None]
            if measured:
                show(name, measured)
            else:
                print(f"{name:24} not installed")


if __name__ == "__main__":
    main()
