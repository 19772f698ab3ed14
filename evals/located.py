"""Finds the gold spans of a data set in the texts of a corpus, so that they are offsets and nothing is guessed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import replace

from evals.dataset import Dataset, Example, GoldSpan
from plumbline.errors import InputError


def located(dataset: Dataset, texts: Mapping[str, str]) -> Dataset:
    """The data set with every gold span found in the corpus; `texts` maps the names of its documents to their texts.

    A quote matches whatever white space stands between its words. Raises `InputError` naming the example when a
    document is not in the corpus, a span ends behind its document, or a quote is not there.
    """
    return replace(dataset, examples=tuple(_located(example, texts) for example in dataset.examples))


def _located(example: Example, texts: Mapping[str, str]) -> Example:
    named = [*example.documents, *(name for name, _ in example.pages), *(span.document for span in example.spans)]
    for name in named:
        if name not in texts:
            near = difflib.get_close_matches(name, texts, n=1)
            raise InputError(
                f"Example '{example.id}' names the document '{name}', which the corpus does not hold.",
                hint=f"Did you mean '{near[0]}'?" if near else None,
            )
    return replace(example, spans=tuple(_found(example.id, span, texts[span.document]) for span in example.spans))


def _found(example: str, span: GoldSpan, text: str) -> GoldSpan:
    if span.start < 0:
        match = _quoted(span.quote or "").search(text)
        if match is None:
            raise InputError(f"Example '{example}': {span.document} does not hold the quote '{_short(span.quote)}'.")
        return replace(span, start=match.start(), end=match.end())
    if span.end > len(text):
        raise InputError(
            f"Example '{example}': the gold span {span.start}-{span.end} lies outside {span.document}, "
            f"which has {len(text):,} characters.",
            hint="Offsets count Unicode code points of the text as it was read (rag status, RAG.document).",
        )
    if span.quote is not None and span.quote.split() != text[span.start : span.end].split():
        raise InputError(
            f"Example '{example}': {span.document}[{span.start}:{span.end}] reads "
            f"'{_short(text[span.start : span.end])}' and not '{_short(span.quote)}'."
        )
    return span


def _quoted(quote: str) -> re.Pattern[str]:
    return re.compile(r"\s+".join(map(re.escape, quote.split())))


def _short(text: str | None) -> str:
    words = " ".join((text or "").split())
    return words if len(words) <= 80 else words[:79] + "…"
