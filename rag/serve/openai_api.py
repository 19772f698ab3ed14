"""The OpenAI-compatible API: models, and chat completions over knowledge bases ("kb/NAME") and the gateway's models.

A knowledge base answers the last message of the user; those before are read where `retrieval.question.rewrite` is on.
Calls of every other model are passed on: retried and priced, with a ledger row of the purpose "gateway". Nothing takes
the place of a model that is down.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from rag.retrieve.access import Access
from rag.serve.errors import FieldError
from rag.serve.host import Host
from rag.serve.openai_errors import ModelNotFoundError
from rag.serve.openai_gateway import GatewayCall
from rag.serve.openai_question import PREFIX, KnowledgeQuestion
from rag.serve.openai_request import ChatBody, read_chat_body
from rag.serve.openai_wire import dumps, error_event, model_of
from rag.serve.sse import EventStream, attended

COST_HEADER = "x-plumbline-cost"


def routes(host: Host) -> APIRouter:
    """The routes under `/v1/`."""
    router = APIRouter(prefix="/v1", tags=["openai"])
    known = _models(host, int(time.time()))

    @router.get("/models")
    async def models() -> Response:
        """The knowledge bases, then the gateway's models."""
        return _json({"object": "list", "data": list(known.values())})

    @router.get("/models/{name:path}")
    async def model(name: str) -> Response:
        """One of them."""
        return _json(known[_checked(name, known)])

    @router.post("/chat/completions")
    async def chat(request: Request) -> Response:
        """Answer a chat, in one piece or as server-sent events."""
        body = read_chat_body(await request.body())
        _checked(body.model, known)
        work = _work(host, body, request.state.access)
        if body.stream:
            return EventStream(work.events(), host=host, on_error=lambda problem: error_event(problem.openai()))
        document, cost = await attended(request, work.complete())
        return _json(document, {} if cost is None else {COST_HEADER: f"{cost:f}"})

    return router


def _work(host: Host, body: ChatBody, access: Access) -> GatewayCall | KnowledgeQuestion:
    if body.model.startswith(PREFIX):
        return KnowledgeQuestion.of(body, host, access)
    seconds = host.settings.serve.timeout_seconds
    return GatewayCall.of(body, host.gateway(body.model), host.home.tracing, access=access, seconds=seconds)


def _models(host: Host, created: int) -> dict[str, dict[str, Any]]:
    bases = {PREFIX + name: "plumbline" for name in host.bases}
    passed_on = {name: name.partition("/")[0] for name in host.models}
    return {name: model_of(name, owner, created) for name, owner in {**bases, **passed_on}.items()}


def _checked(name: str, known: Iterable[str]) -> str:
    if name in known:
        return name
    message = f"There is no model '{name}'."
    raise ModelNotFoundError(message, hint=f"There are: {', '.join(known)}.", errors=[FieldError("model", message)])


def _json(document: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    return Response(dumps(document), media_type="application/json", headers=dict(headers or {}))
