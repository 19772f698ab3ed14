"""BM25F over an inverted index in memory or in mapped files, in numpy. This module imports numpy; import it lazily."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from plumbline.errors import CorruptStateError, InputError
from rag.index.blocks import Blocks
from rag.index.lexical.build import build
from rag.index.lexical.frozen import FORMAT, FrozenLexical
from rag.index.lexical.languages import Languages
from rag.index.lexical.part import Part
from rag.index.lexical.parts import Completions, Parts
from rag.index.lexical.phrases import Fields, holding
from rag.index.lexical.prepare import Preparation
from rag.index.lexical.query import LexicalQuery, Phrase, Prefix
from rag.index.lexical.scoring import Floats, Formula, Idf
from rag.index.lexical.topk import Sums, Weighted, added, looked_up
from rag.index.lexical.vocabulary import Vocabulary

Chunk = Sequence[str] | Mapping[str, float]
Arrays = Mapping[str, npt.NDArray[np.generic]]
Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

Kind = TypeVar("Kind", bound=np.generic)


class LexicalIndex:
    """An inverted index over chunks given as terms; the n-th chunk ever appended is at position n - 1.

    A chunk is a sequence of terms or a mapping from terms to frequencies, which are kept in sixteenths. Positions are
    never reused: a removed chunk leaves an empty place, is not found, and is not counted in document frequencies and
    lengths, so scores are those of an index that never held it. Appending adds a part; what was read from a file stays
    as it is. Not safe for concurrent changes; concurrent searches of an index that does not change are safe.

    `k1`, `b` and `idf` are those of `rag.index.lexical.scoring.Formula`.
    """

    def __init__(self, chunks: Iterable[Chunk] = (), *, k1: float = 1.2, b: float = 0.75, idf: Idf = "lucene") -> None:
        self._formula = Formula(k1, b, idf)
        self._parts = Parts()
        self._lengths: npt.NDArray[np.int32] = np.zeros(0, np.int32)
        self._alive: Flags = np.zeros(0, np.bool_)
        self._languages = Languages()
        self._present: tuple[str, ...] | None = None
        self._changed()
        self.append(chunks)

    def __len__(self) -> int:
        """How many positions there are, removed ones included: the length of `scores` and of a mask."""
        return len(self._lengths)

    @property
    def count(self) -> int:
        """How many chunks can be found."""
        return self._prepared.count

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages of the chunks that can be found, where they were given; sorted."""
        if self._present is None:
            self._present = self._languages.of(self._alive)
        return self._present

    def append(self, chunks: Iterable[Chunk], languages: Sequence[str | None] | None = None) -> None:
        """Add chunks behind the last position, and say in which language each is. Append many at once."""
        new = [chunk if isinstance(chunk, Mapping) else Counter(chunk) for chunk in chunks]
        if languages is not None and len(languages) != len(new):
            raise InputError(f"{len(new)} chunks need as many languages; {len(languages)} were given.")
        if not new:
            return
        part, lengths = build(new, len(self))
        self._parts.append(part)
        self._lengths = np.concatenate([self._lengths, lengths])
        self._alive = np.concatenate([self._alive, np.ones(len(new), np.bool_)])
        self._languages.append([None] * len(new) if languages is None else languages)
        self._changed()

    def remove(self, positions: Collection[int]) -> None:
        """Take chunks out; their positions stay empty, and their postings until `to_arrays` leaves them out."""
        if not positions:
            return
        at = np.fromiter(positions, np.int64, len(positions))
        if at.min() < 0 or at.max() >= len(self):
            raise InputError(f"Positions to remove must be in 0..{len(self) - 1}; {at.min()}..{at.max()} were given.")
        self._alive[at] = False
        self._lengths[at] = 0
        self._changed()

    def scores(self, query: Sequence[str]) -> Floats:
        """The score of every position, float64; 0 where no query term occurs. A term asked twice counts twice."""
        return added(self._asked(LexicalQuery(tuple(query))), len(self))

    def scores_at(self, query: LexicalQuery, positions: Ints) -> Floats:
        """The scores of some positions, ascending; phrases count as words."""
        return looked_up(self._asked(query), positions)

    def search(
        self,
        query: Sequence[str] | LexicalQuery,
        k: int,
        mask: Flags | None = None,
        fields: Fields | None = None,
    ) -> tuple[Ints, Floats]:
        """The positions and scores of the `k` best chunks with a score above 0, best first, equal ones by position.

        `mask`, bool of length `len(self)`, is true where a chunk may be found; removed chunks never are, and `None` is
        faster than a mask of all others. A query with phrases needs `fields`, which reads chunks to look at.
        """
        asked = query if isinstance(query, LexicalQuery) else LexicalQuery(tuple(query))
        if mask is not None and mask.shape != self._alive.shape:
            raise InputError(f"The mask has shape {mask.shape}; this index needs ({len(self)},).")
        if not asked.phrases:
            return self._sums.best(self._asked(asked), min(k, len(self)), mask)
        if fields is None:
            raise InputError("A query with phrases needs the texts of chunks to look at; give `fields`.")
        possible = self._possible(asked.phrases, mask)
        return holding(asked.phrases, k, fields, *self._sums.best(self._asked(asked), len(self), possible))

    def completions(self, prefix: Prefix) -> Completions:
        """What a prefix stands for: the forms of its word that are here, and the terms that begin so."""
        return self._prepared.completions(prefix)

    def postings_of(self, positions: Sequence[int]) -> list[dict[str, float]]:
        """For each position its terms and their frequencies. Costs time in the size of the index: ask for many."""
        return self._parts.of(positions, self._alive)

    def positions(self) -> Ints:
        """The positions of the chunks that can be found, ascending."""
        return np.flatnonzero(self._alive)

    def _asked(self, query: LexicalQuery) -> list[Weighted]:
        words = [(self._prepared.word(term), times) for term, times in Counter(query.words).items()]
        return words + [(self._prepared.prefix(prefix), 1) for prefix in query.prefixes]

    def _possible(self, phrases: Sequence[Phrase], mask: Flags | None) -> Flags:
        """The positions that hold all terms of each phrase, in one of its readings."""
        possible = self._alive.copy() if mask is None else mask.copy()
        for phrase in phrases:
            held = np.zeros(len(self), np.bool_)
            for reading in phrase.readings:
                rarest, *others = sorted((self._prepared.word(term).chunks for term in set(reading)), key=len)
                for other in others:
                    rarest = rarest[np.isin(rarest, other, assume_unique=True)]
                held[rarest] = True
            possible &= held
        return possible

    def _changed(self) -> None:
        """Forget what was computed from the chunks."""
        self._present = None
        self._prepared = Preparation(self._formula, self._parts, self._lengths, self._alive)
        self._sums = Sums(len(self))

    def to_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Everything but the settings k1, b and idf, as arrays that `numpy.savez` takes and no change reaches; see
        `from_arrays`.
        """
        frozen = self.frozen().arrays()
        return {name: each.whole() if isinstance(each, Blocks) else each for name, each in frozen.items()}

    def frozen(self) -> FrozenLexical:
        """What `to_arrays` gives, as it is now, to be made later and some at a time."""
        alive = None if self._prepared.alive is None else self._alive.copy()
        return FrozenLexical(self._parts.now(), self._lengths.copy(), alive, self._languages.to_arrays())

    @classmethod
    def from_arrays(
        cls, arrays: Arrays, *, k1: float = 1.2, b: float = 0.75, idf: Idf = "lucene", check_postings: bool = True
    ) -> LexicalIndex:
        """The index that `to_arrays` took apart; postings and vocabulary are used where they lie, which may be a file.

        Raises `CorruptStateError` when the arrays do not fit together. `check_postings=False` leaves out the checks
        that read every posting, for arrays whose sums have been checked.
        """
        index = cls(k1=k1, b=b, idf=idf)
        try:
            if int(np.asarray(arrays["format"], np.int64)[0]) != FORMAT:
                raise ValueError("another format")
            part = Part(
                Vocabulary(_array(arrays, "vocabulary", np.uint8), _array(arrays, "vocabulary_ends", np.int64)),
                _array(arrays, "indptr", np.int64),
                _array(arrays, "chunks", np.int32),
                _array(arrays, "frequencies", np.uint16),
            )
            index._lengths = np.array(arrays["lengths"], np.int32)
            index._alive = np.array(arrays["alive"], np.bool_)
            index._languages = Languages.from_arrays(arrays)
            if not len(index._lengths) == len(index._alive) == len(index._languages):
                raise ValueError("its parts differ in length")
            part.check(len(index), postings=check_postings)
        except (KeyError, ValueError, IndexError, TypeError) as error:
            raise CorruptStateError(
                f"The lexical index is damaged: {error}.", hint="Rebuild it from the stored chunks."
            ) from error
        index._parts = Parts([part])
        index._changed()
        return index


def _array(arrays: Arrays, name: str, kind: type[Kind]) -> npt.NDArray[Kind]:
    """The array where it lies; one of another kind is damage."""
    found = np.asarray(arrays[name])
    if found.dtype != kind or found.ndim != 1:
        raise ValueError(f"{name} holds {found.dtype} in {found.ndim} dimensions")
    return found.view(kind)
