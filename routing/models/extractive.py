"""The model without a model: it answers with the sentences of the evidence that answer, word for word, or not at all.

A linear ranker over lexical features picks the sentences, a logistic model of the best ones' features says how sure
it is, and below a threshold it abstains. It needs no key and no network, gives equal answers to equal requests, and
bills nothing: the answer of a fresh installation, and the last fallback when every provider is down.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from routing.chat import ChatEvent, ChatRequest, ChatResponse, Completed, Evidence, EvidenceSpan, TextDelta
from routing.errors import ModelError
from routing.models.capabilities import check_supported
from routing.models.extractive_features import Candidate, Reading, read
from routing.models.extractive_rank import Ranking, confidence_features, logistic, rank, weighted_sum
from routing.models.extractive_weights import LEXICAL, WITH_WORDS, Weights
from routing.models.extractive_words import WordVectors
from routing.models.facts import chat_facts
from routing.vectors import Embedder

NAME = "extractive/default"
REFUSAL = "I don't have enough information."
MAX_EVIDENCE_CHARS = 400_000
_AT_ONCE = 50_000  # characters read on the event loop itself, about ten milliseconds; more goes to a thread
DEFAULT_MARGIN = 5.0
"""A sentence whose log-odds are this far below the best one's is left out: on the development data that made one
answer in seven a single sentence and lost one right answer in a thousand."""


class ExtractiveModel:
    """A `ChatModel` that quotes `ChatRequest.evidence` in answer to `ChatRequest.question`.

    It returns at most `max_sentences` sentences in the order of the evidence, joined by one space, each with its
    citation; `confidence` in [0, 1] estimates that they hold the answer. Below `threshold`, or without a question or
    evidence, it says `REFUSAL` with `refused` set and cites nothing; the confidence is then the rejected answer's.

    `embedder` lets it see that different words mean the same. Give it static word vectors
    (`routing.models.embedded`): it is asked for the vector of every new word. Without one, or should it fail, the
    words themselves decide. The default threshold goes with the weights in use and is not certified.

    Of evidence longer than `MAX_EVIDENCE_CHARS` in all, the beginning is read. Messages and what
    shapes the sampling are ignored; a schema, tools, images and log-probabilities are refused, as nobody who asks for
    them could use a quotation. Usage is zero: no billed token is read or written.
    """

    name = NAME
    continues = False

    def __init__(
        self, *, max_sentences: int = 2, threshold: float | None = None, embedder: Embedder | None = None
    ) -> None:
        self._max_sentences = max_sentences
        self._threshold = threshold
        self._words = None if embedder is None else WordVectors(embedder)

    async def complete(self, request: ChatRequest) -> ChatResponse:
        """Answer in one piece; raises `UnsupportedError` for what it cannot do, and no other `ModelError`."""
        check_supported(request, chat_facts(NAME), NAME)
        evidence = _readable(request.evidence)
        if sum(len(passage.text) for passage in evidence) <= _AT_ONCE:
            reading = read(request.question or "", evidence)
        else:
            reading = await asyncio.to_thread(read, request.question or "", evidence)
        if reading is None:
            return _refusal(0.0)
        if self._words is not None:
            try:
                return await self._answer_with(self._words, reading)
            except ModelError:
                # The last fallback must not fail with what it leans on; the lexical features are enough to answer.
                return self._answer(reading)
        return self._answer(reading)

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        """One `TextDelta` per sentence, then `Completed`."""
        response = await self.complete(request)
        starts = [span.answer_start for span in response.citations] or [0]
        for start, end in zip(starts, [*starts[1:], len(response.text)], strict=True):
            yield TextDelta(response.text[start:end])
        yield Completed(response)

    async def close(self) -> None:
        """Nothing to give back."""

    async def _answer_with(self, words: WordVectors, reading: Reading) -> ChatResponse:
        ranking = rank(reading, WITH_WORDS.rank, await words.align(reading))
        best = reading.candidates[ranking.order[0]]
        similarity = await words.similarity(reading.question.text, best.text)
        features = confidence_features(reading, ranking, similarity)
        return self._decide(reading, ranking, features, WITH_WORDS)

    def _answer(self, reading: Reading) -> ChatResponse:
        ranking = rank(reading, LEXICAL.rank)
        return self._decide(reading, ranking, confidence_features(reading, ranking), LEXICAL)

    def _decide(
        self, reading: Reading, ranking: Ranking, features: Mapping[str, float], weights: Weights
    ) -> ChatResponse:
        confidence = logistic(weights.bias + weighted_sum(features, weights.confidence))
        threshold = weights.default_threshold if self._threshold is None else self._threshold
        if confidence < threshold:
            return _refusal(confidence)
        floor = ranking.scores[ranking.order[0]] - DEFAULT_MARGIN
        # A heading may be all there is, but adds nothing to a sentence.
        good = (
            reading.candidates[i]
            for place, i in enumerate(ranking.order)
            if place == 0 or (ranking.scores[i] >= floor and not ranking.rows[i]["label"])
        )
        return _quote(list(islice(_distinct(good), self._max_sentences)), confidence)


def _distinct(candidates: Iterable[Candidate]) -> Iterator[Candidate]:
    """The candidates without repeats: overlapping chunks and yearly reports hold the same sentence twice."""
    seen: set[str] = set()
    for candidate in candidates:
        words = " ".join(candidate.text.casefold().split())
        if words not in seen:
            seen.add(words)
            yield candidate


def _readable(evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """The first passages, the last one cut, that together stay within `MAX_EVIDENCE_CHARS`."""
    kept: list[Evidence] = []
    room = MAX_EVIDENCE_CHARS
    for passage in evidence:
        kept.append(passage if len(passage.text) <= room else replace(passage, text=passage.text[:room]))
        room -= len(passage.text)
        if room <= 0:
            break
    return tuple(kept)


def _quote(chosen: Sequence[Candidate], confidence: float) -> ChatResponse:
    """The chosen sentences as an answer, each cited where it stands."""
    pieces: list[str] = []
    spans: list[EvidenceSpan] = []
    at = 0
    for candidate in sorted(chosen, key=lambda c: (c.passage, c.start)):
        spans.append(EvidenceSpan(candidate.passage, candidate.start, candidate.end, at, at + len(candidate.text)))
        pieces.append(candidate.text)
        at += len(candidate.text) + 1
    return ChatResponse(" ".join(pieces), NAME, citations=tuple(spans), confidence=confidence)


def _refusal(confidence: float) -> ChatResponse:
    return ChatResponse(REFUSAL, NAME, finish_reason="refusal", confidence=confidence, refused=True)
