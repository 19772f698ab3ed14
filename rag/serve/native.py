"""The native API: ask, search, and what the knowledge bases hold."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from plumbline.errors import InputError
from rag.events import AnswerEvent, Retrieved, Started
from rag.index.filters import Filter
from rag.knowledge import RAG
from rag.output import AskOutput, HitOutput, Output
from rag.retrieve.access import Access
from rag.retrieve.explain import explained
from rag.retrieve.output import ExplainOutput
from rag.serve.audience import may_see
from rag.serve.errors import FieldError, InvalidFieldError
from rag.serve.host import Asked, Host
from rag.serve.limits import LONGEST_FILTER
from rag.serve.sse import EventStream, attended, event, problem_event
from rag.serve.wants import WantsInput, wanted
from rag.types import Answer
from routing.chat import TextDelta, Wants
from routing.errors import UnknownModelError

FilterText = Annotated[
    str, Field(max_length=LONGEST_FILTER, description="Limits what is searched: date >= 2023 and type = 'text/html'")
]


class AskInput(BaseModel):
    """The body of `POST /api/ask`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    question: str
    kb: str | None = None
    filter: FilterText | None = None
    wants: WantsInput | None = None
    stream: bool = False


class SearchInput(BaseModel):
    """The body of `POST /api/search`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    query: str
    kb: str | None = None
    filter: FilterText | None = None
    wants: WantsInput | None = None
    top_k: Annotated[int, Field(ge=1, le=1000)] | None = None
    explain: bool = False


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
    async def kbs(request: Request) -> KnowledgeBasesOutput:
        """The knowledge bases that are served, and how much of each may be seen."""
        found = [await _described(name, base, request.state.access) for name, base in host.bases.items()]
        return KnowledgeBasesOutput(kbs=found, default=host.default, auth=host.keys.any())

    @router.post("/ask", response_model=ServedAnswer)
    async def ask(request: Request, body: AskInput) -> Response:
        """Answer a question, in one piece or as server-sent events."""
        name = host.default if body.kb is None else body.kb
        base = host.base(name)
        condition = await _condition(base, body.filter, request.state.access)
        asked = Asked(name, body.question, request.state.access, condition, wants=_wants(base, body.wants))
        if body.stream or "text/event-stream" in request.headers.get("accept", ""):
            request_id = request.state.request_id
            events = _events(name, host.stream(asked))
            return EventStream(events, host=host, on_error=lambda problem: problem_event(problem, request_id))
        answer = await attended(request, host.ask(asked))
        return _json(_served(name, answer))

    @router.post("/search", response_model=HitsOutput | ExplainOutput)
    async def search(request: Request, body: SearchInput) -> Response:
        """The chunks that match best; with `explain`, how each was found."""
        base = host.base(body.kb)
        return _json(await attended(request, _searched(base, body, request.state.access)))

    return router


async def _described(name: str, base: RAG, access: Access) -> KnowledgeBaseOutput:
    """Counts are of what may be seen: how much others have is theirs to tell."""
    parts = base.parts
    if access.everything:
        totals = await asyncio.to_thread(parts.catalogue.totals)
        documents, chunks = totals.documents, totals.chunks
    else:
        audiences = await asyncio.to_thread(parts.catalogue.audiences)
        documents = sum(each["documents"] for each in audiences if may_see(access, each))
        chunks = await parts.store.count(access.condition())
    return KnowledgeBaseOutput(
        name=name, documents=documents, chunks=chunks, model=parts.model_name, embedder=parts.embedder.embedder.name
    )


async def _condition(base: RAG, text: str | None, access: Access) -> Filter | None:
    """The filter that `text` means; raises `InvalidFieldError` for one that cannot be."""
    if text is None:
        return None
    try:
        return await asyncio.to_thread(base.parts.condition, text, access)
    except InputError as error:
        raise InvalidFieldError(error.message, hint=error.hint, errors=[FieldError("filter", error.message)]) from error


def _wants(base: RAG, given: WantsInput | None) -> Wants:
    """What is wanted; raises `InvalidFieldError` for a model that may not answer."""
    try:
        return wanted(given, base)
    except UnknownModelError as error:
        wrong = [FieldError("wants.model", error.message)]
        raise InvalidFieldError(error.message, hint=error.hint, errors=wrong) from error


async def _searched(base: RAG, body: SearchInput, access: Access) -> HitsOutput | ExplainOutput:
    condition = await _condition(base, body.filter, access)
    wants = _wants(base, body.wants)
    found = await base.aexplain(body.query, top_k=body.top_k, condition=condition, access=access, wants=wants)
    if body.explain:
        parts = base.parts
        return ExplainOutput.of(found, await asyncio.to_thread(explained, found, parts.store, parts.catalogue))
    return HitsOutput(hits=[HitOutput.of(hit) for hit in found.hits])


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
