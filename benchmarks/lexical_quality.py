"""How well the lexical side finds: nDCG@10 of BM25 alone, for its settings, weights of the title, and languages.

    python benchmarks/lexical_quality.py --data FOLDER

The folder holds SciFact (training queries), Cranfield and XQuAD as `benchmarks/_retrieval_data.py` reads them.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks._retrieval_data import RetrievalSet, cranfield, scifact, xquad
from benchmarks.embedders import ndcg
from rag.index.lexical import LexicalIndex
from rag.index.lexical.fields import FieldReader
from rag.index.lexical.query import LexicalQuery
from rag.index.settings import LexicalSettings
from rag.index.store import Point, Search

SETTINGS = ((1.2, 0.75), (0.9, 0.4), (1.5, 0.75), (1.2, 0.5), (1.6, 0.6), (2.0, 0.75), (1.2, 0.9))
TITLE_WEIGHTS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0)
NOTHING = np.empty(0, np.float32)

Ask = Callable[[str], LexicalQuery]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    data: Path = parser.parse_args().data
    sets = [found for found in (scifact(data), cranfield(data), xquad(data), xquad(data, "es")) if found is not None]
    for k1, b in SETTINGS:
        reader = FieldReader(LexicalSettings(k1=k1, b=b))
        print(f"k1 {k1} b {b:4}", *(f"{each.name} {plain(each, reader).mean():.4f}" for each in sets))
    for each in (each for each in sets if each.titles):
        split = list(zip(each.titles, each.passages, strict=True))
        for weight in TITLE_WEIGHTS:
            reader = FieldReader(LexicalSettings(title_weight=weight))
            points = [
                Point(str(at), NOTHING, text.removeprefix(title), title=title) for at, (title, text) in enumerate(split)
            ]
            values = scores(_index(points, reader), each, partial(_asked, reader))
            print(f"{each.name}, title weighs {weight}: {values[::2].mean():.4f} / {values[1::2].mean():.4f}")
    if len(sets) == 4:
        mixed(sets[2:])
        apart(sets[2:])


def plain(data: RetrievalSet, reader: FieldReader) -> npt.NDArray[np.float64]:
    """nDCG of each question, passages in one field."""
    points = [Point(str(at), NOTHING, text, {"language": data.language}) for at, text in enumerate(data.passages)]
    index = _index(points, reader)
    return scores(index, data, lambda text: reader.query(Search(10, text=text), index.languages))


def mixed(sets: Sequence[RetrievalSet]) -> None:
    """One index of several languages: questions read as they are, in all languages, and all as English."""
    reader = FieldReader(LexicalSettings())
    points = [Point("", NOTHING, text, {"language": each.language}) for each in sets for text in each.passages]
    index, english = _index(points, reader), _index([Point("", NOTHING, point.text) for point in points], reader)
    first = 0

    def united(text: str) -> LexicalQuery:
        words: Counter[str] = Counter()
        for each in sets:
            words |= Counter(reader.read(text, each.language))
        return LexicalQuery(tuple(words.elements()))

    for each in sets:
        own = scores(index, each, lambda text: reader.query(Search(10, text=text), index.languages), first)
        union = scores(index, each, united, first)
        as_english = scores(english, each, partial(_asked, reader), first)
        print(f"mixed, {each.name}: {own.mean():.4f}, in all languages {union.mean():.4f}, ", end="")
        print(f"all as English {as_english.mean():.4f}")
        first += len(each.passages)


def apart(sets: Sequence[RetrievalSet]) -> None:
    """One index that holds each passage in one language only, by turns; questions in that language and in others."""
    reader = FieldReader(LexicalSettings())
    turns = [sets[at % len(sets)] for at in range(len(sets[0].passages))]
    points = [Point("", NOTHING, each.passages[at], {"language": each.language}) for at, each in enumerate(turns)]
    index = _index(points, reader)
    for each in sets:
        own = np.array([turns[next(iter(gains))] is each for gains in each.qrels])
        ways: Mapping[str, Ask] = {
            "as they are": lambda text: reader.query(Search(10, text=text), index.languages),
            "in their own language": partial(_asked, FieldReader(LexicalSettings(language=each.language))),
        }
        for name, ask in ways.items():
            values = scores(index, each, ask)
            print(f"apart, {each.name} {name}: same language {values[own].mean():.4f}, ", end="")
            print(f"other {values[~own].mean():.4f}")


def scores(index: LexicalIndex, data: RetrievalSet, ask: Ask, first: int = 0) -> npt.NDArray[np.float64]:
    """nDCG@10 of each question that has an answer; passages begin at position `first`."""
    found = []
    for question, gains in zip(data.questions, data.qrels, strict=True):
        if gains:
            ranked = index.search(ask(question), 10)[0].tolist()
            found.append(ndcg({at + first: gain for at, gain in gains.items()}, ranked))
    return np.array(found)


def _asked(reader: FieldReader, text: str) -> LexicalQuery:
    return reader.query(Search(10, text=text))


def _index(points: Sequence[Point], reader: FieldReader) -> LexicalIndex:
    index = LexicalIndex(k1=reader.settings.k1, b=reader.settings.b)
    languages = [reader.language(point) if point.language else None for point in points]
    index.append(map(reader.weighted, points), languages)
    return index


if __name__ == "__main__":
    main()
