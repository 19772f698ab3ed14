"""An index as arrays for `rag.index.mapped`, and back, checked. This module imports numpy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.index.blocks import Blocks, behind, beside
from rag.index.codes import words_of
from rag.index.columns import Column, Columns
from rag.index.lexical.frozen import FrozenLexical
from rag.index.lexical.make import lexical_index
from rag.index.mapped import Content, Mapped, read_arrays
from rag.index.memory import MemoryIndex
from rag.index.segment import Segment
from rag.index.settings import LexicalSettings
from rag.index.texts import Texts
from rag.index.vectors import Vectors

FORMAT = 3

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Frozen:
    """An index as it was at a moment, to be written with its tail as a part of the base."""

    parts: Sequence[Segment]
    alive: npt.NDArray[np.bool_]
    last_removal: int
    lexical: FrozenLexical
    reading: str
    full_bytes: int

    def content(self) -> Content:
        """What the file is to hold. Long arrays come some at a time: the whole index does not fit beside itself."""
        columns = reduce(Columns.extended, (part.columns for part in self.parts))
        worst = max(part.vectors.worst for part in self.parts)
        facts = {"format": FORMAT, "reading": self.reading, "last_removal": self.last_removal, "worst": worst}
        arrays = {**self._dense(), **dict(_of_columns(columns)), "alive": self.alive}
        arrays |= {f"lexical/{name}": array for name, array in self.lexical.arrays().items()}
        return Content({**facts, "fields": list(columns.fields)}, arrays)

    def _dense(self) -> dict[str, npt.NDArray[Any] | Blocks]:
        vectors = [part.vectors for part in self.parts]
        full = [each.full for each in vectors if each.full is not None]
        held = len(full) == len(vectors) and sum(each.nbytes for each in full) <= self.full_bytes
        return {
            "seqs": behind([part.seqs for part in self.parts]),
            "codes": beside([part.codes for part in self.parts]),
            "centre": self.parts[0].centre,
            **dict(_of_texts("ids", Texts.joined([part.ids for part in self.parts]))),
            "rounded": behind([each.rounded for each in vectors]),
            "scales": behind([each.scales for each in vectors]),
            **({"full": behind(full)} if held else {}),
        }


def frozen(index: MemoryIndex, lexical: LexicalSettings, full_bytes: int) -> Frozen:
    """An index as it is now; `lexical` says how its lexical side was made.

    Cheap: copied is what changes in place, all else is replaced when it changes.
    """
    parts = [index.base, *([index.tail.segment()] if len(index.tail) else [])]
    alive, words = index.alive.copy(), index.lexical.frozen()
    return Frozen(parts, alive, index.last_removal, words, repr(lexical), full_bytes)


def load(path: Path, dim: int, lexical: LexicalSettings) -> MemoryIndex | None:
    """The index in the file; `None` when it is missing, damaged in any way, or made otherwise than asked."""
    try:
        content = read_arrays(path)
        if content.facts["format"] != FORMAT or content.facts["reading"] != repr(lexical):
            return None
        return _thawed(content, dim, lexical)
    except Exception:  # noqa: BLE001 (what is damaged raises a dozen kinds, and there is one answer: make it anew)
        return None


def _of_columns(columns: Columns) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    for number, column in enumerate(columns.fields.values()):
        yield f"field/{number}", column.numbers
        yield from _of_texts(f"field/{number}/values", column.values)


def _thawed(content: Mapped, dim: int, settings: LexicalSettings) -> MemoryIndex | None:
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
