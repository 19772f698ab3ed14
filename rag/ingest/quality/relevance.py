"""Relevance: do the documents answer what is asked, or at least speak of one thing?

This module imports numpy; import it lazily.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from plumbline.text.terms import terms
from rag.ingest.quality.boilerplate import Boilerplate
from rag.ingest.quality.damage import is_prose
from rag.ingest.quality.questions import COVERED, Coverage, QuestionIndex
from rag.ingest.quality.scale import Dimension, Example, Examples, Rule, scored, share
from rag.types import Document

RULES = (
    Rule("uncovered_questions", 5.0, 0.6, "{value:.1%} of the questions are covered by no passage",
         "add documents that answer them"),
    Rule("boilerplate", 2.5, 0.5, "{value:.1%} of the characters are repeated headers, footers, menus or disclaimers",
         "remove them from the documents"),
    Rule("unrelated", 2.5, 0.5, "{value:.1%} of the documents share almost no subject with any other",
         "see whether they are meant to be there"),
)  # fmt: skip
BOILERPLATE_WITH_QUESTIONS = 1.0
"""With questions boilerplate takes no more than this."""
KEY_TERMS = 40
SHARED_TERMS = 0.2
"""A document is unrelated when fewer of its key terms are key terms of another."""
LEAST_DOCUMENTS = 4
WITHOUT_QUESTIONS = (
    "no questions were given: scored from boilerplate and from how much the documents have in common; "
    "--questions FILE asks for more"
)


class Relevance:
    """Sees every document."""

    def __init__(self, questions: QuestionIndex | None = None) -> None:
        self.questions = questions
        self._boilerplate = Boilerplate()
        self._keys: list[frozenset[str]] = []
        self._names: list[str] = []
        self._frequency: Counter[str] = Counter()
        self._examples = Examples()

    def see(self, document: Document) -> None:
        """Take in a document."""
        for line in self._boilerplate.add(document):
            self._examples.add("boilerplate", line.example)
        if self.questions is not None:
            self.questions.add(document)
            return
        if not is_prose(document.media_type):
            return
        counts = Counter(term for term in terms(document.text, document.language or "en") if not term.isdigit())
        keys = frozenset(term for term, _ in counts.most_common(KEY_TERMS))
        self._frequency.update(keys)
        self._keys.append(keys)
        self._names.append(document.name)

    def result(self, coverage: Sequence[Coverage] | None) -> Dimension:
        """The score over all that was seen; `coverage` of the questions, if there were any."""
        for line in self._boilerplate.over_documents():
            self._examples.add("boilerplate", line.example)
        measures = {"boilerplate": self._boilerplate.share()}
        if coverage is None:
            measures["unrelated"] = self._unrelated()
            return scored("relevance", RULES, measures, self._examples, note=WITHOUT_QUESTIONS)
        missed = [each for each in coverage if each.share < COVERED]
        for each in sorted(missed, key=lambda one: one.share):
            name = each.best.document if each.best else ""
            says = f"{each.question} ({each.share:.0%} of its terms" + (" at best)" if each.best else ")")
            start, end = (each.best.start, each.best.end) if each.best else (None, None)
            self._examples.add("uncovered_questions", Example(name, says, None, start, end))
        measures["uncovered_questions"] = share(len(missed), len(coverage))
        measures["questions"] = len(coverage)
        rules = [
            Rule(r.measure, BOILERPLATE_WITH_QUESTIONS, r.limit, r.says, r.do) if r is RULES[1] else r for r in RULES
        ]
        return scored("relevance", rules, measures, self._examples)

    def _unrelated(self) -> float:
        if len(self._keys) < LEAST_DOCUMENTS:
            return 0.0
        alone = 0
        for keys, name in zip(self._keys, self._names, strict=True):
            common = share(sum(self._frequency[term] > 1 for term in keys), len(keys))
            if common < SHARED_TERMS:
                alone += 1
                self._examples.add("unrelated", Example(name, f"{common:.0%} of its key terms are in any other"))
        return share(alone, len(self._keys))
