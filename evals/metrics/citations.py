"""Whether an answer cites the right evidence.

What is right is taken from the finest label there is: gold spans, else pages, else documents. A citation is right when
it shares a character with a gold span, names a gold page, or a gold document. A citation of something that was not
among the evidence ("not_found") is never right.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from evals.metrics.pages import Page
from evals.metrics.spans import Span
from plumbline.errors import InputError
from rag.types import Answer, Citation


@dataclass(frozen=True, slots=True)
class GoldEvidence:
    """Where the answer stands; the finest of the three that is not empty decides."""

    spans: Sequence[Span] = ()
    pages: Collection[Page] = ()
    documents: Collection[str] = ()

    def __post_init__(self) -> None:
        for document, start, end in self.spans:
            if not 0 <= start < end:
                raise InputError(
                    f"The gold span {document}[{start}:{end}] holds no character.",
                    hint="Spans given by a quote are looked up with evals.dataset.located first.",
                )

    def __bool__(self) -> bool:
        return bool(self.spans or self.pages or self.documents)


def citation_precision(citations: Sequence[Citation], gold: GoldEvidence) -> float | None:
    """The share of the citations that are right; the same place cited twice counts once.

    `None` without labels, and without citations: then nothing was claimed to be evidence, and recall is 0.
    """
    places = {(c.document, c.page, c.start, c.end): c for c in citations}
    if not gold or not places:
        return None
    return sum(_right(citation, gold) for citation in places.values()) / len(places)


def citation_recall(citations: Sequence[Citation], gold: GoldEvidence) -> float | None:
    """The share of the gold spans (pages, documents) that are cited; `None` without labels."""
    found = [citation for citation in citations if citation.verdict != "not_found"]
    if gold.spans:
        return _share([any(_shares(citation, span) for citation in found) for span in gold.spans])
    if gold.pages:
        return _share([any((c.document, c.page) == page for c in found) for page in gold.pages])
    if gold.documents:
        return _share([any(c.document == document for c in found) for document in gold.documents])
    return None


def supported_claims(answer: Answer) -> float | None:
    """The share of the answer's claims with a citation that supports them; `None` for an answer without claims."""
    supporting = [citation for citation in answer.citations if citation.verdict == "supported"]
    return _share(
        [
            any(citation.answer_start < claim.end and claim.start < citation.answer_end for citation in supporting)
            for claim in answer.claims
        ]
    )


def _right(citation: Citation, gold: GoldEvidence) -> bool:
    if citation.verdict == "not_found":
        return False
    if gold.spans:
        return any(_shares(citation, span) for span in gold.spans)
    if gold.pages:
        return (citation.document, citation.page) in gold.pages
    return citation.document in gold.documents


def _shares(citation: Citation, span: Span) -> bool:
    document, start, end = span
    return citation.document == document and citation.start < end and start < citation.end


def _share(found: Sequence[bool]) -> float | None:
    return sum(found) / len(found) if found else None
