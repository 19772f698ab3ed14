"""Leaves out documents whose text is there already, for the same readers, where the settings ask for that."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from rag.index.catalogue import Catalogue, fingerprint
from rag.ingest.prepare import Cut


@dataclass(slots=True)
class Copies:
    """Knows the texts in `catalogue` and those it was shown; without `skip` nothing is a copy."""

    catalogue: Catalogue
    skip: bool
    _seen: dict[str, str] = field(default_factory=dict)

    async def left_out(self, cuts: Iterable[Cut]) -> tuple[list[Cut], dict[str, str]]:
        """Of the documents of a file those to keep, and where the text of each other was met first, by fingerprint."""
        kept: list[Cut] = []
        copies: dict[str, str] = {}
        for cut in cuts:
            first = await self._first(cut) if self.skip else None
            if first is None:
                kept.append(cut)
            else:
                copies[fingerprint(cut.document)] = first
        return kept, copies

    async def _first(self, cut: Cut) -> str | None:
        text = fingerprint(cut.document)
        if text in self._seen:
            return self._seen[text]
        other = await asyncio.to_thread(self.catalogue.same_text, cut.document)
        self._seen[text] = other or cut.document.source
        return other
