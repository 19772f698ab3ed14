"""What a request wants of whoever is asked, as it comes over the wire."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from rag.knowledge import RAG
from routing.chat import NO_WISH, Latency, Wants

_Word = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]


class WantsInput(BaseModel):
    """What is wanted: `local` says that nothing of the request may leave the machine; see docs/routing.md."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    model: _Word | None = None
    latency: Latency | None = None
    local: bool = False
    task: _Word | None = None
    language: _Word | None = None

    def value(self) -> Wants:
        """The same for `RAG.aask`."""
        return Wants(self.model, self.latency, self.local, self.task, self.language)


def wanted(given: WantsInput | None, base: RAG) -> Wants:
    """What is wanted of `base`; raises `UnknownModelError` for a model that may not answer there."""
    return NO_WISH if given is None else base.parts.wants(given.value())
