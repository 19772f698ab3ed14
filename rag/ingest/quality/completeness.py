"""Completeness: could everything be read, and is anything in it?"""

from __future__ import annotations

import re
from itertools import zip_longest

from plumbline.text.stopwords import STOPWORDS
from rag.ingest.quality.collection import Unread
from rag.ingest.quality.damage import is_prose
from rag.ingest.quality.scale import LONGEST_EXAMPLE, Dimension, Example, Examples, Rule, scored, share
from rag.types import Document, Section

RULES = (
    Rule("unread", 5.0, 0.5, "{value:.1%} of the files could not be read", "repair them or export them again"),
    Rule("unknown_format", 1.5, 0.5, "{value:.1%} of the files have a format that is not read",
         "convert them, or leave them out"),
    Rule("pages_without_text", 3.0, 0.5, "{value:.1%} of the pages have no text", "read them by OCR: loading.ocr=true"),
    Rule("truncated", 2.0, 0.2, "{value:.1%} of the documents end within a sentence", "look for the whole documents"),
    Rule("empty_sections", 1.0, 0.3, "{value:.1%} of the headings have nothing under them", "fill or remove them"),
    Rule("nearly_empty", 1.0, 0.5, "{value:.1%} of the documents have fewer than 20 words", "fill or remove them"),
)  # fmt: skip
LEAST_LETTERS = 20
"""A page with fewer letters and digits has no text."""
LEAST_WORDS = 20
_LETTER = re.compile(r"[^\W_]")
_LAST_LINE = re.compile(r"[^\n]*\Z")
_CUT_MARK = re.compile(r"[,;(\[{\u2013-]\Z|\[(?:truncated|cut|\u2026|\.\.\.)\]?\Z", re.IGNORECASE)


class Completeness:
    """Sees every document and every file without one."""

    def __init__(self) -> None:
        self._files = self._unread = self._unknown = self._documents = 0
        self._pages = self._blank = self._sections = self._empty = self._truncated = self._tiny = 0
        self._examples = Examples()

    def skip(self, file: Unread) -> None:
        """Take in a file that gave no document."""
        if file.failed:
            self._unread += 1
            self._examples.add("unread", Example(file.name, file.reason))
        elif "format" in file.reason:
            self._unknown += 1
            self._examples.add("unknown_format", Example(file.name, file.reason))

    def see(self, document: Document) -> None:
        """Take in a document."""
        self._documents += 1
        text = document.text
        for page in document.pages:
            self._pages += 1
            if len(_LETTER.findall(text, page.start, page.end)) < LEAST_LETTERS:
                self._blank += 1
                where = Example(document.name, "no text on this page", page.number, page.start, page.end)
                self._examples.add("pages_without_text", where)
        for section in _leaves(document):
            self._sections += 1
            if _is_empty(text, section):
                self._empty += 1
                self._examples.add("empty_sections", Example.of(document, section.start, section.end))
        if len(text.split(None, LEAST_WORDS)) < LEAST_WORDS:
            self._tiny += 1
            self._examples.add("nearly_empty", Example.of(document, 0, len(text)))
        if is_prose(document.media_type) and (start := _cut_at(text, document.language)) is not None:
            self._truncated += 1
            self._examples.add("truncated", Example.of(document, max(start, len(text) - LONGEST_EXAMPLE), len(text)))

    def result(self) -> Dimension:
        """The score over all that was seen."""
        files = self._documents + self._unread
        measures = {
            "unread": share(self._unread, files),
            "unknown_format": share(self._unknown, files + self._unknown),
            "pages_without_text": share(self._blank, self._pages),
            "truncated": share(self._truncated, self._documents),
            "empty_sections": share(self._empty, self._sections),
            "nearly_empty": share(self._tiny, self._documents),
            "documents": self._documents,
            "pages": self._pages,
        }
        return scored("completeness", RULES, measures, self._examples)


def _leaves(document: Document) -> list[Section]:
    """The sections without subsections: those whose next one does not begin inside of them."""
    starts = [section.start for section in document.sections[1:]]
    return [
        section for section, after in zip_longest(document.sections, starts) if after is None or after >= section.end
    ]


def _is_empty(text: str, section: Section) -> bool:
    body = text[section.start : section.end].strip().lstrip("#").strip()
    return not _LETTER.search(body.removeprefix(section.path[-1].strip()))


def _cut_at(text: str, language: str | None) -> int | None:
    """Where the last line begins when it ends as no sentence does: in a comma, an open bracket, a function word."""
    end = len(text.rstrip())
    match = _LAST_LINE.search(text, max(end - 2000, 0), end)
    words = match[0].split() if match else []
    if match is None or len(words) < 6:
        return None
    stopwords = STOPWORDS.get((language or "en")[:2], STOPWORDS["en"])
    return match.start() if _CUT_MARK.search(match[0]) or words[-1] in stopwords else None
