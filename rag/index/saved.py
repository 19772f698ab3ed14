"""An index as arrays for `rag.index.mapped`, and back, checked. This module imports numpy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.index.codes import words_of
from rag.index.columns import Column, Columns
from rag.index.lexical.make import lexical_index
from rag.index.mapped import Content, read_arrays
from rag.index.memory import MemoryIndex
from rag.index.segment import Segment
from rag.index.settings import LexicalSettings
from rag.index.texts import Texts
from rag.index.vectors import Vectors

FORMAT = 2

Arrays = Mapping[str, npt.NDArray[Any]]


def frozen(index: MemoryIndex, lexical: LexicalSettings) -> Content:
    """An index whose tail is empty, as it is now; `lexical` says how its lexical side was made.

    Cheap: copied is what changes in place, all else is replaced when it changes.
    """
    base = index.base
    fields = list(base.columns.fields)
    facts = {"format": FORMAT, "reading": repr(lexical), "last_removal": index.last_removal, "fields": fields}
    facts["worst"] = base.vectors.worst
    arrays = dict(_arrays(base))
    arrays["alive"] = index.alive.copy()
    arrays.update((f"lexical/{name}", array) for name, array in index.lexical.to_arrays().items())
    return Content(facts, arrays)


def load(path: Path, dim: int, lexical: LexicalSettings) -> MemoryIndex | None:
    """The index in the file; `None` when it is missing, damaged in any way, or made otherwise than asked."""
    try:
        content = read_arrays(path)
        if content.facts["format"] != FORMAT or content.facts["reading"] != repr(lexical):
            return None
        return _thawed(content, dim, lexical)
    except Exception:  # noqa: BLE001 (what is damaged raises a dozen kinds, and there is one answer: make it anew)
        return None


def _arrays(base: Segment) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    yield "seqs", base.seqs
    yield "codes", base.codes
    yield "centre", base.centre
    yield from _of_texts("ids", base.ids)
    for number, column in enumerate(base.columns.fields.values()):
        yield f"field/{number}", column.numbers
        yield from _of_texts(f"field/{number}/values", column.values)
    yield "rounded", base.vectors.rounded
    yield "scales", base.vectors.scales
    if base.vectors.full is not None:
        yield "full", base.vectors.full


def _thawed(content: Content, dim: int, settings: LexicalSettings) -> MemoryIndex | None:
    arrays, facts = content.arrays, content.facts
    count = len(arrays["seqs"])
    columns = Columns(count, {name: _column(arrays, number) for number, name in enumerate(facts["fields"])})
    vectors = Vectors(arrays["rounded"], arrays["scales"], float(facts["worst"]), arrays.get("full"))
    parts = _texts(arrays, "ids"), columns, vectors, arrays["codes"], arrays["centre"]
    base = Segment(arrays["seqs"], *parts)
    saved = {name.removeprefix("lexical/"): each for name, each in arrays.items() if name.startswith("lexical/")}
    lexical = lexical_index(settings, saved, check_postings=False)  # their sums were checked
    alive = np.array(arrays["alive"], np.bool_)
    index = MemoryIndex(base, lexical, alive, int(facts["last_removal"]))
    return index if _is_whole(index, dim) else None


def _is_whole(index: MemoryIndex, dim: int) -> bool:
    """Whether the parts have the same length and shapes that fit, and `seqs` ascend."""
    base, count = index.base, len(index)
    lengths = (base.seqs, base.ids, base.vectors, index.lexical)
    return (
        all(len(part) == count for part in lengths)
        and base.seqs.ndim == 1
        and bool(np.all(np.diff(base.seqs) > 0))
        and base.codes.shape == (words_of(dim), count)
        and base.centre.shape == (dim,)
        and base.vectors.rounded.shape == (count, dim)
        and base.vectors.scales.shape == (count,)
        and (base.vectors.full is None or base.vectors.full.shape == (count, dim))
        and base.ids.is_whole()
        and base.columns.is_whole()
        and index.lexical.count == index.count
    )


def _column(arrays: Arrays, number: int) -> Column:
    return Column(arrays[f"field/{number}"], _texts(arrays, f"field/{number}/values"))


def _of_texts(name: str, texts: Texts) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    yield f"{name}/content", texts.content
    yield f"{name}/ends", texts.ends


def _texts(arrays: Arrays, name: str) -> Texts:
    return Texts(arrays[f"{name}/content"], arrays[f"{name}/ends"])
