"""How many chunks change when one paragraph does? Those are embedded again; all others keep their vectors.

    python benchmarks/chunk_edits.py --data FOLDER [--size 512 --overlap 50 --edits 16 --seed 0]

FOLDER holds texts of at least 30,000 characters (*.md, *.txt; headings of Markdown make sections). Each of `--edits`
random paragraphs of each text is changed in three ways: a word is replaced, a sentence is added, a paragraph is added
before it. Per chunker and kind: the mean, the 95th percentile and the most chunks with a new `Chunk.hash`; and how full
chunks are. The floor is 1: the edited chunk itself. "fixed" is the measure: it falls into step again by chance only.
"""

from __future__ import annotations

import argparse
import random
import re
import statistics
from pathlib import Path

from rag.ingest.chunk.build import Splitter, build_splitter
from rag.ingest.settings import ChunkingSettings
from rag.ingest.source.given import document_from_text
from rag.types import Document

NAMES = ("fixed", "recursive", "sentence", "structure", "parent_child")
KINDS = ("word", "sentence", "paragraph")
LEAST_CHARS = 30_000
ADDED = {
    "word": "unquestionably",
    "sentence": "This sentence was added by the editor of the second edition of the text. ",
    "paragraph": "This paragraph was added. It says that the figures of the year before were restated, as the "
    "board decided in May. Nothing else was changed by it, and the auditors agreed to that in writing.\n\n",
}
_PARAGRAPH = re.compile(r"[^\n]{80,}")
_WORD = re.compile(r"\b[a-z]{3,}\b")


def edited(text: str, kind: str, chance: random.Random) -> str:
    """`text` with one edit of `kind` at a random place."""
    paragraph = chance.choice([match for match in _PARAGRAPH.finditer(text) if _WORD.search(match.group())])
    if kind == "word":
        word = chance.choice(list(_WORD.finditer(text, *paragraph.span())))
        return text[: word.start()] + ADDED[kind] + text[word.end() :]
    stop = paragraph.group().find(". ") if kind == "sentence" else -1
    at = paragraph.start() + (stop + 2 if stop >= 0 else 0)
    return text[:at] + ADDED[kind] + text[at:]


def changes(splitter: Splitter, texts: list[tuple[str, str]], kind: str, edits: int, seed: int) -> list[int]:
    """For each edit of each text, how many chunks are new."""
    chance = random.Random(seed)
    found = []
    for name, text in texts:
        known = {chunk.hash for chunk in splitter.split(document(name, text))}
        for _ in range(edits):
            chunks = splitter.split(document(name, edited(text, kind, chance)))
            found.append(sum(chunk.hash not in known for chunk in chunks))
    return found


def document(name: str, text: str) -> Document:
    """The text as ingestion reads it."""
    return document_from_text(text, source=name, media_type="text/markdown")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--overlap", type=int, default=50)
    parser.add_argument("--edits", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    paths = [path for path in sorted(arguments.data.iterdir()) if path.suffix in (".md", ".txt")]
    texts = [(path.name, path.read_text(encoding="utf-8")) for path in paths]
    texts = [(name, text) for name, text in texts if len(text) >= LEAST_CHARS]
    print(f"{len(texts)} texts, {arguments.edits} edits of each kind in each: mean, 95th percentile, most")
    print(f"{'chunker':14}{'chunks':>8}{'tokens':>8}" + "".join(f"{kind:>20}" for kind in KINDS))
    for name in NAMES:
        read = {
            "chunker": name,
            "size": arguments.size,
            "overlap": arguments.overlap,
            "parent_size": 4 * arguments.size,
        }
        splitter = build_splitter(ChunkingSettings.model_validate(read))
        assert splitter is not None
        whole = [chunk.tokens for each in texts for chunk in splitter.split(document(*each))]
        row = f"{name:14}{len(whole):>8}{statistics.mean(whole):>8.0f}"
        for kind in KINDS:
            found = sorted(changes(splitter, texts, kind, arguments.edits, arguments.seed))
            row += f"{statistics.mean(found):>11.2f}{found[int(0.95 * len(found))]:>4}{found[-1]:>5}"
        print(row, flush=True)


if __name__ == "__main__":
    main()
