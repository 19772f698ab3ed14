"""The native API: ask, search, and what the knowledge bases hold."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from rag.events import AnswerEvent, Retrieved, Started
from rag.output import AskOutput, HitOutput, Output
from rag.serve.host import Host
from rag.serve.sse import EventStream, attended, event, problem_event
from rag.types import Answer
from routing.chat import TextDelta


class AskInput(BaseModel):
    """The body of `POST /api/ask`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    question: str
    kb: str | None = None
    stream: bool = False


class SearchInput(BaseModel):
    """The body of `POST /api/search`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    query: str
    kb: str | None = None
    top_k: Annotated[int, Field(ge=1, le=1000)] | None = None


class ServedAnswer(AskOutput):
    """An answer, and which knowledge base gave it."""

    kb: str


class HitsOutput(Output):
    """What a search found, best first."""

    hits: list[HitOutput]


class KnowledgeBaseOutput(Output):
    """A knowledge base that is served."""

    name: str
    documents: int
    chunks: int
    model: str
    embedder: str


class KnowledgeBasesOutput(Output):
    """All of them; `auth` is true when API keys are needed."""

    kbs: list[KnowledgeBaseOutput]
    default: str
    auth: bool


def routes(host: Host) -> APIRouter:
    """The routes under `/api/` that ask and search."""
    router = APIRouter(prefix="/api", tags=["native"])

    @router.get("/kbs")
    def kbs() -> KnowledgeBasesOutput:
        """The knowledge bases that are served."""
        found = []
        for name, base in host.bases.items():
            parts = base.parts
            totals = parts.catalogue.totals()
            found.append(
                KnowledgeBaseOutput(
                    name=name,
                    documents=totals.documents,
                    chunks=totals.chunks,
                    model=parts.model_name,
                    embedder=parts.embedder.embedder.name,
                )
            )
        return KnowledgeBasesOutput(kbs=found, default=host.default, auth=host.keys.any())

    @router.post("/ask", response_model=ServedAnswer)
    async def ask(request: Request, body: AskInput) -> Response:
        """Answer a question, in one piece or as server-sent events."""
        name = host.default if body.kb is None else body.kb
        tenant = request.state.tenant
        if body.stream or "text/event-stream" in request.headers.get("accept", ""):
            request_id = request.state.request_id
            events = _events(name, host.stream(name, body.question, tenant))
            return EventStream(events, host=host, on_error=lambda problem: problem_event(problem, request_id))
        answer = await attended(request, host.ask(name, body.question, tenant))
        return _json(_served(name, answer))

    @router.post("/search", response_model=HitsOutput)
    async def search(request: Request, body: SearchInput) -> Response:
        """The chunks that match best."""
        searching = host.base(body.kb).asearch(body.query, top_k=body.top_k, tenant=request.state.tenant)
        hits = await attended(request, searching)
        return _json(HitsOutput(hits=[HitOutput.of(hit) for hit in hits]))

    return router


async def _events(name: str, events: AsyncGenerator[AnswerEvent, None]) -> AsyncGenerator[bytes, None]:
    """The events of a question in their form on the wire."""
    async with aclosing(events):
        async for happened in events:
            if isinstance(happened, TextDelta):
                yield event("delta", json.dumps({"text": happened.text}, ensure_ascii=False))
            elif isinstance(happened, Started):
                started = {"trace_id": happened.trace_id, "kb": name, "question": happened.question}
                yield event("started", json.dumps(started, ensure_ascii=False))
            elif isinstance(happened, Retrieved):
                yield event("hits", HitsOutput(hits=[HitOutput.of(hit) for hit in happened.hits]).model_dump_json())
            else:
                yield event("answer", _served(name, happened.answer).model_dump_json())


def _served(name: str, answer: Answer) -> ServedAnswer:
    return ServedAnswer(kb=name, **dict(AskOutput.of(answer)))


def _json(output: Output) -> Response:
    """The JSON of an output, made once and by pydantic alone."""
    return Response(output.model_dump_json(), media_type="application/json")
