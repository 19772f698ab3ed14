"""A chat completion of a knowledge base: the answer to the last message of the user, its evidence beside it."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from plumbline.errors import InputError
from rag.config import Parts
from rag.events import Answered, Started
from rag.index.filters import Filter
from rag.knowledge import RAG
from rag.output import AskOutput
from rag.retrieve.access import Access
from rag.serve.host import Asked, Host
from rag.serve.openai_convert import conversation, question, without_effect
from rag.serve.openai_errors import wrong
from rag.serve.openai_gateway import completion_id
from rag.serve.openai_request import ChatBody
from rag.serve.openai_wire import Chunks, framed
from rag.serve.wants import wanted
from rag.types import Answer
from routing.chat import TextDelta, Wants
from routing.errors import UnknownModelError

PREFIX = "kb/"
"""What the names of models that are knowledge bases begin with."""
_AGAIN = "\n\n"  # between the pieces of a model that broke off and the answer of the one that took over


@dataclass(frozen=True, slots=True)
class KnowledgeQuestion:
    """One question to the knowledge base that `body.model` names."""

    host: Host
    body: ChatBody
    asked: Asked

    @classmethod
    def of(cls, body: ChatBody, host: Host, access: Access) -> KnowledgeQuestion:
        """From a body; raises what is wrong with it."""
        name = body.model.removeprefix(PREFIX)
        parts = host.base(name).parts
        reads = parts.settings.retrieval.question.rewrite
        turns = conversation(body) if reads else ()
        text, wants = question(body), _wants(body, host.base(name))
        return cls(host, body, Asked(name, text, access, _condition(body, parts, access), turns, wants))

    @property
    def base(self) -> str:
        """The name of the knowledge base."""
        return self.asked.kb

    async def complete(self) -> tuple[dict[str, Any], Decimal | None]:
        """The completion and its cost; raises as `RAG.aask`."""
        answer = await self.host.ask(self.asked)
        document = framed(
            {"role": "assistant", "content": answer.text, "refusal": None},
            name=completion_id(answer.trace_id),
            created=int(time.time()),
            model=self.body.model,
            finish="stop",
            usage=answer.usage,
        )
        return {**document, "plumbline": self._extension(answer, 0)}, answer.cost

    async def events(self) -> AsyncGenerator[bytes, None]:
        """The chunks; raises as `RAG.astream`, before the first chunk if it fails before the first piece of text."""
        said: list[str] = []
        begin = b""
        async with aclosing(self.host.stream(self.asked)) as events:
            async for happened in events:
                if isinstance(happened, Started):  # always the first
                    chunks = self._chunks(happened.trace_id)
                    begin = chunks.begin()
                elif isinstance(happened, TextDelta):
                    said.append(happened.text)
                    yield begin + chunks.text(happened.text)
                    begin = b""
                elif isinstance(happened, Answered):
                    yield begin + self._end(chunks, happened.answer, "".join(said))

    def _chunks(self, trace_id: str) -> Chunks:
        return Chunks(completion_id(trace_id), int(time.time()), self.body.model, self.body.include_usage)

    def _end(self, chunks: Chunks, answer: Answer, said: str) -> bytes:
        """What is left of the answer; the whole of it where another model had to begin anew."""
        start = 0 if answer.text.startswith(said) else len(said) + len(_AGAIN)
        rest = _AGAIN + answer.text if start else answer.text[len(said) :]
        end = chunks.finish("stop", answer.usage, self._extension(answer, start))
        return (chunks.text(rest) if rest else b"") + end

    def _extension(self, answer: Answer, start: int) -> dict[str, Any]:
        """`text_start` is where in the content the answer's text begins, to which citations count."""
        output = AskOutput.of(answer).model_dump(mode="json", exclude={"text"})
        return {
            "kb": self.base,
            **output,
            "text_start": start,
            "ignored": without_effect(self.body, self.asked.history),
        }


def _wants(body: ChatBody, base: RAG) -> Wants:
    """What the body wants; raises `InvalidValueError` for a model that may not answer."""
    try:
        return wanted(None if body.plumbline is None else body.plumbline.wants, base)
    except UnknownModelError as error:
        raise wrong("plumbline.wants.model", error.message, hint=error.hint) from error


def _condition(body: ChatBody, parts: Parts, access: Access) -> Filter | None:
    """The filter that the body asks for; raises `InvalidValueError` for one that cannot be."""
    text = None if body.plumbline is None else body.plumbline.filter
    if text is None:
        return None
    try:
        return parts.condition(text, access)
    except InputError as error:
        raise wrong("plumbline.filter", error.message, hint=error.hint) from error
