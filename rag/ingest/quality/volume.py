"""Volume: is there enough, and not too much of one thing?"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import nlargest

from plumbline.text.tokens import estimate_tokens
from rag.ingest.quality.questions import Coverage
from rag.ingest.quality.scale import Dimension, Example, Examples, Rule, scored, share
from rag.types import Document

LEAST_TOKENS = 2_000
TOKENS_PER_QUESTION = 200
CHUNK_TOKENS = 512
LEAST_RELATED = 2
"""A question's subject is thin when fewer passages say something of it."""
LEAST_DOCUMENTS = 10
"""From so many documents on, one of them may be too much of the whole."""
MOST_TOKENS_PER_QUESTION = 2_000_000
RULES = (
    Rule("missing_tokens", 4.0, 1.0, "{value:.1%} of the text that is needed is missing", "add documents"),
    Rule("thin_subjects", 2.0, 0.5, "{value:.1%} of the questions have fewer than two passages on their subject",
         "add documents on these subjects"),
    Rule("largest_document", 1.0, 0.9, "the largest document is {value:.1%} of the text",
         "see whether it drowns the others; split it"),
    Rule("excess", 1.0, 1.0, "{value:.1%} of the text is more than these questions can need",
         "leave out what nobody asks about"),
)  # fmt: skip


class Volume:
    """Sees every document."""

    def __init__(self) -> None:
        self._sizes: list[tuple[int, str]] = []
        self._documents = self._tokens = 0
        self._examples = Examples()

    def see(self, document: Document) -> None:
        """Take in a document."""
        tokens = estimate_tokens(document.text)
        self._documents += 1
        self._tokens += tokens
        self._sizes = nlargest(1, [*self._sizes, (tokens, document.name)])

    def result(self, coverage: Sequence[Coverage] | None) -> Dimension:
        """The score over all that was seen; `coverage` of the questions, if there were any."""
        questions = len(coverage or ())
        needed = max(LEAST_TOKENS, questions * TOKENS_PER_QUESTION)
        measures: dict[str, float] = {
            "missing_tokens": max(1 - share(self._tokens, needed), 0.0),
            "documents": self._documents,
            "tokens": self._tokens,
            "needed_tokens": needed,
            "chunks": -(-self._tokens // CHUNK_TOKENS),
        }
        if self._documents >= LEAST_DOCUMENTS:
            tokens, name = self._sizes[0]
            largest = share(tokens, self._tokens)
            measures["largest_document"] = largest if largest > 0.5 else 0.0
            self._examples.add("largest_document", Example(name, f"{tokens:,} tokens"))
        if coverage:
            thin = [each for each in coverage if each.related < LEAST_RELATED]
            for each in thin:
                self._examples.add("thin_subjects", Example("", f"{each.question} ({each.related} passages)"))
            measures["thin_subjects"] = share(len(thin), questions)
            measures["excess"] = max(1 - share(questions * MOST_TOKENS_PER_QUESTION, self._tokens), 0.0)
        note = "tokens are estimated" + ("" if coverage else "; no questions were given to compare with")
        return scored("volume", RULES, measures, self._examples, note=note)
