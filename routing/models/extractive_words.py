"""Whether a sentence says in other words what a question asks: best cosine of each question word with its words.

The greedy word alignment of BERTScore (Zhang et al., 2020) over static word vectors: meant for
`routing.models.embedded`, where a word costs microseconds and no money. numpy is imported on first use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from plumbline.text.stopwords import STOPWORDS
from plumbline.text.terms import terms
from routing.models.extractive_features import Reading, raw_words
from routing.vectors import Embedder

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_MEMO = 2**14  # words remembered, 16 MB at 256 dimensions
_MAX_QUESTION_WORDS = 32


Alignment = Mapping[str, Sequence[float]]
"""One column of features per name, one value in [0, 1] per sentence.

alike: the mean over the question's words; alike_weighted: the same weighted as the terms are; alike_previous,
alike_following: what the neighbour in the passage adds to that; alike_passage: the same of the whole passage.
"""


class WordVectors:
    """Aligns by the vectors of an embedder and remembers the words seen. Raises `routing.errors.ModelError`."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._memo: dict[str, npt.NDArray[np.float32]] = {}

    async def align(self, reading: Reading) -> Alignment:
        """Align every sentence of `reading` to its question."""
        language = reading.question.language
        asked = list(dict.fromkeys(_content_words(reading.question.text, language)))[:_MAX_QUESTION_WORDS]
        told = [_content_words(candidate.text, language) for candidate in reading.candidates]
        vocabulary = list(dict.fromkeys([*asked, *(word for words in told for word in words)]))
        if not asked or not any(told):
            return {}
        vectors = await self._vectors(vocabulary)
        best = _best_cosines(vectors, {word: i for i, word in enumerate(vocabulary)}, told, len(asked))
        asked_terms = [terms(word, language) for word in asked]
        weights = [_weight(own, reading) for own in asked_terms]
        return _columns(best, weights, [candidate.passage for candidate in reading.candidates])

    async def similarity(self, question: str, sentence: str) -> float:
        """The cosine between a question and a sentence as wholes."""
        both = (await self._embedder.embed_passages([question, sentence])).vectors
        return float(both[0] @ both[1])

    async def _vectors(self, words: Sequence[str]) -> npt.NDArray[np.float32]:
        import numpy as np

        memo = self._memo
        new = [word for word in words if word not in memo]
        if new:
            found = dict(zip(new, (await self._embedder.embed_passages(new)).vectors, strict=True))
            if len(memo) + len(new) > _MEMO:
                found |= {word: memo[word] for word in words if word in memo}
                memo = self._memo = {}
            memo.update(found)
        return np.stack([memo[word] for word in words])


def _content_words(text: str, language: str) -> list[str]:
    stopwords = STOPWORDS.get(language, frozenset())
    return [word for word in raw_words(text) if word not in stopwords]


def _weight(own: Sequence[str], reading: Reading) -> float:
    weights = reading.matches.weights
    return max((weights[term] for term in own if term in weights), default=0.3)


def _best_cosines(
    vectors: npt.NDArray[np.float32], places: Mapping[str, int], told: Sequence[Sequence[str]], asked: int
) -> npt.NDArray[np.float64]:
    """[asked, sentences]: the best cosine of each question word with a sentence's words, 0 where it has none.

    `vectors` holds one row per word of `places`, the question's words first.
    """
    import numpy as np

    cosines = np.clip(vectors[:asked] @ vectors.T, 0.0, 1.0)
    spoken = [i for i, words in enumerate(told) if words]
    columns = np.array([places[word] for i in spoken for word in told[i]])
    starts = np.cumsum([0] + [len(told[i]) for i in spoken[:-1]])
    best = np.zeros((asked, len(told)))
    best[:, spoken] = np.maximum.reduceat(cosines[:, columns], starts, axis=1)
    return best


def _columns(best: npt.NDArray[np.float64], weights: Sequence[float], passages: Sequence[int]) -> Alignment:
    import numpy as np

    share = np.asarray(weights) / sum(weights)
    own = share @ best
    beside = share @ np.maximum(best[:, 1:], best[:, :-1])
    together = np.diff(passages) == 0
    _, starts, sizes = np.unique(passages, return_index=True, return_counts=True)
    return {
        "alike": best.mean(axis=0).tolist(),
        "alike_weighted": own.tolist(),
        "alike_previous": np.concatenate([[0.0], np.where(together, beside - own[1:], 0.0)]).tolist(),
        "alike_following": np.concatenate([np.where(together, beside - own[:-1], 0.0), [0.0]]).tolist(),
        "alike_passage": np.repeat(share @ np.maximum.reduceat(best, starts, axis=1), sizes).tolist(),
    }
