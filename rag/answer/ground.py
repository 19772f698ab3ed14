"""Checks an answer against its evidence: every citation's span and quote, every sentence's support.

Citations come in two forms: spans that a model gives natively, and "[Source: document, page X]" markers in its text.
Both end as spans of the stored document, read back from the catalogue and compared; a citation of something that was
not among the evidence is reported as "not_found", never dropped.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from plumbline.text.sentences import sentences
from plumbline.text.terms import terms
from rag.answer.markers import Marker, Source, find_markers, plain_name
from rag.answer.support import Best, Sentence, Weights, best_span, split, support, verdict, weights
from rag.index.catalogue import Catalogue
from rag.types import Citation, Claim, Hit
from routing.chat import ChatResponse, EvidenceSpan

# Stands in for a marker while sentences are found: no word, and no space, which would look like a gap between columns.
_MASK = "\u2060"


@dataclass(frozen=True, slots=True)
class Grounding:
    """The checked citations and claims of an answer."""

    citations: tuple[Citation, ...]
    claims: tuple[Claim, ...]

    @property
    def support(self) -> float:
        """The mean support of the claims, 0 when there are none."""
        return sum(claim.support for claim in self.claims) / len(self.claims) if self.claims else 0.0


@dataclass(frozen=True, slots=True)
class _Statement:
    """answer[start:end] without the markers that cite for it."""

    start: int
    end: int
    terms: frozenset[str]
    sources: tuple[Source, ...]


def ground(response: ChatResponse, hits: Sequence[Hit], catalogue: Catalogue) -> Grounding:
    """Check the answer of a model that was given `hits` as evidence, in this order."""
    passages = [split(hit.chunk.text) for hit in hits]
    weight = weights(passages)
    statements = list(_statements(response.text, {hit.document for hit in hits}))
    checker = _Checker(hits, passages, weight, catalogue)
    if response.citations:
        citations = [checker.native(span, response.text) for span in response.citations]
    else:
        citations = [checker.marked(statement, source) for statement in statements for source in statement.sources]
    claims = [checker.claim(statement, response.text, citations) for statement in statements]
    return Grounding(tuple(citations), tuple(claims))


@dataclass(frozen=True, slots=True)
class _Checker:
    hits: Sequence[Hit]
    passages: Sequence[Sequence[Sentence]]
    weight: Weights
    catalogue: Catalogue

    def native(self, span: EvidenceSpan, answer: str) -> Citation:
        """A citation the model gave as a span of one passage."""
        cited = answer[span.answer_start : span.answer_end]
        if not (
            0 <= span.index < len(self.hits) and 0 <= span.start < span.end <= len(self.hits[span.index].chunk.text)
        ):
            return _not_found(f"passage {span.index + 1}", span.answer_start, span.answer_end)
        hit = self.hits[span.index]
        quote = hit.chunk.text[span.start : span.end]
        value = 1.0 if quote == cited else support(frozenset(terms(cited)), frozenset(terms(quote)), self.weight)
        return self._citation(hit, Best(span.start, span.end, value), span.answer_start, span.answer_end)

    def marked(self, statement: _Statement, source: Source) -> Citation:
        """A citation the model wrote as "[Source: document, page X]"."""
        best: tuple[Hit, Best] | None = None
        for position in self._named(source):
            span = best_span(statement.terms, self.passages[position], self.weight)
            if span is not None and (best is None or span.support > best[1].support):
                best = self.hits[position], span
        if best is None:
            return _not_found(source.written, statement.start, statement.end)
        return self._citation(*best, statement.start, statement.end)

    def claim(self, statement: _Statement, answer: str, citations: Sequence[Citation]) -> Claim:
        """One sentence of the answer, judged by what it cites; a sentence that cites nothing by all evidence."""
        quotes = [
            frozenset(terms(citation.quote))
            for citation in citations
            if citation.verdict != "not_found"
            and citation.answer_start < statement.end
            and statement.start < citation.answer_end
        ]
        if quotes:
            value = support(statement.terms, frozenset().union(*quotes), self.weight)
        else:
            spans = (best_span(statement.terms, passage, self.weight) for passage in self.passages)
            value = max((span.support for span in spans if span is not None), default=0.0)
        text = answer[statement.start : statement.end]
        return Claim(text, statement.start, statement.end, verdict(value), value)

    def _named(self, source: Source) -> list[int]:
        wanted = plain_name(source.name)
        same_name = [i for i, hit in enumerate(self.hits) if plain_name(hit.document) == wanted]
        if not source.pages:
            return same_name
        return [i for i in same_name if any(_overlap(self._pages(self.hits[i]), pages) for pages in source.pages)]

    def _pages(self, hit: Hit) -> range:
        first = hit.chunk.page
        if first is None:
            return range(0)
        last, _ = self.catalogue.locate(hit.chunk.document_id, hit.chunk.end - 1)
        return range(first, (last or first) + 1)

    def _citation(self, hit: Hit, span: Best, answer_start: int, answer_end: int) -> Citation:
        start, end = hit.chunk.start + span.start, hit.chunk.start + span.end
        quote = hit.chunk.text[span.start : span.end]
        stored = self.catalogue.span(hit.chunk.document_id, start, end)
        if stored is None or stored.text != quote:
            return _not_found(hit.document, answer_start, answer_end)
        return Citation(
            hit.document,
            hit.chunk.document_id,
            stored.page,
            stored.section,
            start,
            end,
            answer_start,
            answer_end,
            quote,
            verdict(span.support),
        )


def _statements(answer: str, names: Collection[str]) -> Iterator[_Statement]:
    """The sentences of the answer; a marker after a sentence's stop still cites for that sentence."""
    markers = find_markers(answer, names)
    masked = _masked(answer, markers)
    spans = [(start, end) for start, end in (_trim(masked, *span) for span in sentences(masked)) if start < end]
    starts = [marker.start for marker in markers]
    for number, (start, end) in enumerate(spans):
        begin = 0 if number == 0 else start
        until = spans[number + 1][0] if number + 1 < len(spans) else len(answer)
        cited = markers[bisect_left(starts, begin) : bisect_left(starts, until)]
        sources = tuple(source for marker in cited for source in marker.sources)
        yield _Statement(start, end, frozenset(terms(masked[start:end].replace(_MASK, " "))), sources)


def _masked(answer: str, markers: Sequence[Marker]) -> str:
    parts, at = [], 0
    for marker in markers:
        parts += [answer[at : marker.start], _MASK * (marker.end - marker.start)]
        at = marker.end
    return "".join([*parts, answer[at:]])


def _overlap(one: range, other: range) -> bool:
    return max(one.start, other.start) < min(one.stop, other.stop)


def _trim(masked: str, start: int, end: int) -> tuple[int, int]:
    while start < end and (masked[start] == _MASK or masked[start].isspace()):
        start += 1
    while start < end and (masked[end - 1] == _MASK or masked[end - 1].isspace()):
        end -= 1
    return start, end


def _not_found(document: str, answer_start: int, answer_end: int) -> Citation:
    return Citation(document, None, None, None, 0, 0, answer_start, answer_end, "", "not_found")
