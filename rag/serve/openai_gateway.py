"""A chat completion of one of the gateway's models: passed on through the router, in one piece or in pieces."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from plumbline.aio import emitted
from plumbline.trace import Tracing, current_ids
from rag.retrieve.access import Access
from rag.serve.openai_convert import chat_request
from rag.serve.openai_request import ChatBody
from rag.serve.openai_wire import Chunks, completion
from routing.chat import ChatRequest, Interrupted, TextDelta
from routing.router import Router

PURPOSE = "gateway"


@dataclass(frozen=True, slots=True)
class GatewayCall:
    """One call; its trace has a root span of its own, so that every try is found under the completion's id."""

    name: str
    request: ChatRequest
    router: Router
    tracing: Tracing
    include_usage: bool

    @classmethod
    def of(cls, body: ChatBody, router: Router, tracing: Tracing, *, access: Access, seconds: float) -> GatewayCall:
        """From a body; the call may take `seconds`, retries included. Raises what is wrong with the body."""
        request = chat_request(body, tags=access.tags(PURPOSE), deadline=time.monotonic() + seconds)
        return cls(body.model, request, router, tracing, body.include_usage)

    async def complete(self) -> tuple[dict[str, Any], Decimal | None]:
        """The completion and its cost; raises `ModelError`."""
        with self.tracing.span(PURPOSE):
            response = await self.router.complete(self.request)
            return completion(response, name=completion_id(), created=int(time.time()), model=self.name), response.cost

    def events(self) -> AsyncGenerator[bytes, None]:
        """The chunks; raises `ModelError`. What fails before the model's first piece fails before the first chunk."""

        async def produce(emit: Callable[[bytes], None]) -> None:
            with self.tracing.span(PURPOSE):
                chunks = Chunks(completion_id(), int(time.time()), self.name, self.include_usage)
                begin = chunks.begin()
                async with aclosing(self.router.stream(self.request)) as events:
                    async for event in events:
                        if isinstance(event, Interrupted):
                            raise event.error
                        rest = chunks.text(event.text) if isinstance(event, TextDelta) else chunks.end(event.response)
                        emit(begin + rest)
                        begin = b""

        return emitted(produce)


def completion_id(trace_id: str | None = None) -> str:
    """The id of a completion: its trace's, by default the current one's."""
    return f"chatcmpl-{trace_id or current_ids()[0]}"
