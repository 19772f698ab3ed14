"""Finds secrets and personal data, and masks them: "[API KEY]", "[E-MAIL]".

A mask is not as long as what it hides, which would give part of it away: the offsets of pages and sections are moved
along, so that they and everything cut from the masked document stay exact against its masked text.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from rag.ingest.quality.finding import Finding, Scanned
from rag.ingest.quality.personal import find_personal
from rag.ingest.quality.secrets import find_secrets
from rag.types import Document, MetadataValue

What = Literal["secrets", "personal", "all"]


def find_sensitive(text: str, what: What = "all") -> list[Finding]:
    """The secrets and personal data in `text`, in order, without overlaps: a secret, then the longer, wins."""
    scanned = Scanned.of(text)
    found: list[Finding] = []
    if what != "personal":
        found.extend(find_secrets(scanned))
    if what != "secrets":
        found.extend(find_personal(scanned))
    found.sort(key=lambda each: (each.group != "secrets", each.start - each.end, each.start))
    kept: list[Finding] = []
    covered: list[tuple[int, int]] = []
    for each in found:
        place = bisect_right(covered, (each.start, each.end))
        free_before = place == 0 or covered[place - 1][1] <= each.start
        if free_before and (place == len(covered) or each.end <= covered[place][0]):
            covered.insert(place, (each.start, each.end))
            kept.append(each)
    return sorted(kept, key=lambda each: each.start)


def redact(document: Document, what: What) -> tuple[Document, Mapping[str, int]]:
    """The document with what is sensitive masked in its text, name, heading paths and metadata; how often, by kind.

    `source` stays: it is the address by which the document is found again. Pages and sections keep their meaning; one
    that began inside of something masked begins behind the mask. A document without findings comes back as it is.
    """
    counts: Counter[str] = Counter()

    def masked(text: str) -> str:
        found = find_sensitive(text, what)
        counts.update(each.kind for each in found)
        return _masked(text, found)

    found = find_sensitive(document.text, what)
    counts.update(each.kind for each in found)
    moved = _mover(found)
    paths = {section.path: tuple(map(masked, section.path)) for section in document.sections}
    name, metadata = masked(document.name), {key: _value(value, masked) for key, value in document.metadata.items()}
    if not counts:
        return document, {}
    changed = replace(
        document,
        text=_masked(document.text, found),
        name=name,
        metadata=metadata,
        pages=tuple(replace(page, start=moved(page.start), end=moved(page.end)) for page in document.pages),
        sections=tuple(
            replace(each, path=paths[each.path], start=moved(each.start), end=moved(each.end))
            for each in document.sections
        ),
    )
    return changed, dict(sorted(counts.items()))


def _masked(text: str, found: Sequence[Finding]) -> str:
    if not found:
        return text
    parts, at = [], 0
    for each in found:
        parts += [text[at : each.start], each.mask]
        at = each.end
    return "".join([*parts, text[at:]])


def _mover(found: Sequence[Finding]) -> Callable[[int], int]:
    """From an offset before masking to the one after; inside of a finding, to the end of its mask."""
    starts = [each.start for each in found]
    shifts = [0]
    for each in found:
        shifts.append(shifts[-1] + len(each.mask) - (each.end - each.start))

    def moved(offset: int) -> int:
        index = bisect_right(starts, offset - 1)  # how many findings begin before the offset
        if index and offset < found[index - 1].end:
            return found[index - 1].end + shifts[index]
        return offset + shifts[index]

    return moved


def _value(value: MetadataValue, masked: Callable[[str], str]) -> MetadataValue:
    if isinstance(value, str):
        return masked(value)
    return tuple(map(masked, value)) if isinstance(value, tuple) else value
