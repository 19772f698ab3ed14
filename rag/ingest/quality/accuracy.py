"""Accuracy: is the text what was written, and does it contradict itself?"""

from __future__ import annotations

from collections import Counter

from rag.ingest.quality.contradictions import Contradictions
from rag.ingest.quality.damage import find_damage, is_prose
from rag.ingest.quality.scale import Dimension, Example, Examples, Rule, scored, share
from rag.types import Document

RULES = (
    Rule("dropped", 2.0, 0.002, "{value:.2%} of the characters were dropped while reading",
         "export these files again, as UTF-8"),
    Rule("replaced", 4.0, 0.005, "{value:.2%} of the words hold a replacement character (U+FFFD)",
         "export these files again, as UTF-8: what they held is lost"),
    Rule("mojibake", 5.0, 0.03, "{value:.2%} of the words were decoded with a wrong encoding",
         "decode these files as UTF-8"),
    Rule("garbled", 5.0, 0.03, "{value:.2%} of the words are garbled, as bad OCR leaves them",
         "recognise these files again, or leave them out"),
    Rule("contradictions", 2.0, 0.05, "{value:.1%} of the statements with numbers stand in two documents with other "
         "numbers", "find out which is right and remove the other"),
)  # fmt: skip


class Accuracy:
    """Sees every document."""

    def __init__(self) -> None:
        self._words = self._prose_words = self._characters = self._dropped = 0
        self._damage: Counter[str] = Counter()
        self._statements = Contradictions()
        self._examples = Examples()

    def see(self, document: Document) -> None:
        """Take in a document."""
        words, prose = len(document.text.split()), is_prose(document.media_type)
        self._words += words
        self._prose_words += words if prose else 0
        self._characters += len(document.text) + document.dropped
        self._dropped += document.dropped
        if document.dropped:
            self._examples.add("dropped", Example(document.name, f"{document.dropped:,} characters dropped"))
        for kind, start, end in find_damage(document.text, prose=prose):
            self._damage[kind] += 1
            # A little of what stands around it lets people find and judge it.
            self._examples.add(kind, Example.of(document, max(start - 20, 0), min(end + 20, len(document.text))))
        self._statements.add(document)

    def result(self) -> Dimension:
        """The score over all that was seen."""
        found = self._statements.found()
        for contradiction in found:
            for example in contradiction:
                self._examples.add("contradictions", example)
        measures = {
            "dropped": share(self._dropped, self._characters),
            "replaced": share(self._damage["replaced"], self._words),
            "mojibake": share(self._damage["mojibake"], self._words),
            "garbled": share(self._damage["garbled"], self._prose_words),
            "contradictions": share(len(found), self._statements.count),
            "words": self._words,
        }
        return scored("accuracy", RULES, measures, self._examples)
