"""PDF reading: is each evidence text found on the page it is labelled with, how fast, with how much memory?

    python benchmarks/pages.py --data FOLDER [--readers plumbline pymupdf pypdfium2]

FOLDER is laid out as FinanceBench: `questions.jsonl` with `evidence` (`text`, `doc_name`, zero-based `page_index`)
and `pdfs/NAME.pdf`. The page of an evidence text is the one with the most of its words (as a multiset; of equals the
shortest page). Peers that are not installed are left out. Each reader runs in a process of its own, on one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

Pages = list[str]
WORD = re.compile(r"\w+")


def plumbline_pages(path: Path) -> Pages:
    """Our loader."""
    from rag.ingest.load import read_document

    document = read_document(path)
    return [document.text[page.start : page.end] for page in document.pages]


def pymupdf_pages(path: Path) -> Pages:
    """PyMuPDF's plain text."""
    import pymupdf

    with pymupdf.open(path) as pdf:
        return [page.get_text() for page in pdf]


def pypdfium2_pages(path: Path) -> Pages:
    """PDFium's text, page by page."""
    import pypdfium2

    pdf = pypdfium2.PdfDocument(path)
    return [pdf[number].get_textpage().get_text_range() for number in range(len(pdf))]


READERS: dict[str, tuple[str, Callable[[Path], Pages]]] = {
    "plumbline": ("pypdfium2", plumbline_pages),
    "pymupdf": ("pymupdf", pymupdf_pages),
    "pypdfium2": ("pypdfium2", pypdfium2_pages),
}


def best_page(evidence: str, pages: Sequence[Counter[str]]) -> int:
    """The index of the page that shares most words with the evidence."""
    wanted = Counter(WORD.findall(evidence.lower()))
    return max(range(len(pages)), key=lambda index: ((wanted & pages[index]).total(), -pages[index].total()))


def measure(reader: Callable[[Path], Pages], data: Path) -> dict[str, Any]:
    """Read every PDF, then look each evidence text up."""
    started = time.process_time()
    texts = {path.stem: reader(path) for path in sorted((data / "pdfs").glob("*.pdf"))}
    seconds = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "darwin" else 1024)
    pages = {name: [Counter(WORD.findall(text.lower())) for text in each] for name, each in texts.items()}
    with (data / "questions.jsonl").open(encoding="utf-8") as file:
        evidence = [item for line in file for item in json.loads(line)["evidence"]]
    missed = [
        f"{item['doc_name']} {item['page_index']} -> {found}"
        for item in evidence
        if (found := best_page(item["text"], pages[item["doc_name"]])) != item["page_index"]
    ]
    count = sum(map(len, texts.values()))
    return {"evidence": len(evidence), "missed": missed, "pages": count, "seconds": seconds, "peak_mb": peak}


def run_apart(name: str, data: Path) -> dict[str, Any]:
    """`measure` in a fresh process, so that peaks of memory are its own."""
    command = [sys.executable, __file__, "--data", str(data), "--one", name]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
    output = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    result: dict[str, Any] = json.loads(output)
    return result


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--readers", nargs="+", choices=READERS, default=list(READERS))
    parser.add_argument("--one", choices=READERS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(READERS[arguments.one][1], arguments.data)))
        return
    print(f"{'reader':12}{'on labelled page':>18}{'pages':>8}{'pages/CPU-s':>13}{'peak MB':>9}")
    for name in arguments.readers:
        if find_spec(READERS[name][0]) is None:
            print(f"{name:12}{'not installed':>18}")
            continue
        result = run_apart(name, arguments.data)
        right = f"{result['evidence'] - len(result['missed'])} of {result['evidence']}"
        rate = result["pages"] / result["seconds"]
        print(f"{name:12}{right:>18}{result['pages']:>8}{rate:>13.0f}{result['peak_mb']:>9.0f}")
        for missed in result["missed"]:
            print(f"    {missed}")


if __name__ == "__main__":
    main()
