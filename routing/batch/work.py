"""What a batch is made of: chat requests, or the texts of embeddings, in the form of their provider."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from routing.batch.provider import Batches
from routing.call import Kind, Most, most_tokens
from routing.chat import ChatRequest, ChatResponse, Tags, Usage
from routing.errors import BadRequestError, UnsupportedError
from routing.models.context import bound_tokens
from routing.models.facts import chat_facts
from routing.vectors import Embeddings

if TYPE_CHECKING:
    from pydantic import BaseModel

Item = TypeVar("Item")
Answer = TypeVar("Answer")
_WITHOUT = frozenset({"vllm"})
"""Providers whose servers speak OpenAI's interface and know no batches."""


class Work(Protocol[Item, Answer]):
    """One kind of request to one model: how it is written, kept, and its answer read. Methods raise `ModelError`."""

    kind: Kind
    model: str
    batches: Batches

    def path(self, item: Item) -> str:
        """Where it is answered."""
        ...

    def body(self, item: Item) -> dict[str, Any]:
        """What is sent."""
        ...

    def inputs(self, item: Item) -> int:
        """How many it counts for where a provider counts texts."""
        ...

    def most(self, item: Item) -> Most:
        """What it uses at most."""
        ...

    def tags(self, item: Item) -> Tags:
        """Whose it is."""
        ...

    def dump(self, item: Item) -> str:
        """The request as text, from which `load` makes it again; raises `BadRequestError` for what is no text."""
        ...

    def load(self, text: str) -> Item:
        """The request that `dump` wrote."""
        ...

    def read(self, item: Item, document: Any, status: int) -> tuple[Answer, Usage]:
        """The answer in what came back for it, and what it used."""
        ...

    def priced(self, answer: Answer, cost: Decimal | None) -> Answer:
        """The answer with its price."""
        ...


class BatchableModel(Protocol):
    """A chat model whose provider takes batches: those of OpenAI and Anthropic are."""

    @property
    def name(self) -> str:
        """The name, "provider/name"."""
        ...

    def path(self, request: ChatRequest) -> str:
        """Where a request is answered."""
        ...

    def body(self, request: ChatRequest) -> dict[str, Any]:
        """What is sent for it."""
        ...

    def read(self, request: ChatRequest, document: Any, *, status: int = 200) -> ChatResponse:
        """The response in what comes back."""
        ...

    def batches(self) -> Batches:
        """Where its batches are sent."""
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...


def takes_batches(name: str) -> bool:
    """Whether the chat model "provider/name" is asked at a provider of which it is known that it takes batches."""
    return name.partition("/")[0] in ("openai", "anthropic")


class ChatWork:
    """Requests to a chat model. Raises `UnsupportedError` for one whose provider takes no batches."""

    kind: Kind = "chat"

    def __init__(self, model: BatchableModel) -> None:
        if not hasattr(model, "batches") or model.name.partition("/")[0] in _WITHOUT:
            raise UnsupportedError(
                f"{model.name} takes no batches.",
                model=model.name,
                hint="OpenAI's and Anthropic's models do; ask others one by one.",
            )
        self.model = model.name
        self.batches = model.batches()
        self._model = model
        self._facts = chat_facts(model.name)

    def path(self, item: ChatRequest) -> str:
        """As `Work.path`."""
        return self._model.path(item)

    def body(self, item: ChatRequest) -> dict[str, Any]:
        """As `Work.body`."""
        return self._model.body(item)

    def inputs(self, item: ChatRequest) -> int:
        """One."""
        del item
        return 1

    def most(self, item: ChatRequest) -> Most:
        """As `Work.most`."""
        output = item.options.max_tokens or self._facts.max_output or self._facts.context
        images = sum(len(message.images) for message in item.messages)
        return Most(bound_tokens(item, self._facts, with_evidence=True), output, images=images)

    def tags(self, item: ChatRequest) -> Tags:
        """Those of the request."""
        return item.tags

    def dump(self, item: ChatRequest) -> str:
        """As JSON; deadlines are of a clock that no other process has, and left out."""
        try:
            return _kept()(request=replace(item, deadline=None)).model_dump_json()
        except ValueError as error:  # halves of characters
            raise BadRequestError(f"A request to {self.model} is no text: {error}", model=self.model) from error

    def load(self, text: str) -> ChatRequest:
        """From JSON."""
        request: ChatRequest = _kept().model_validate_json(text).request  # type: ignore[attr-defined]  # made below
        return request

    def read(self, item: ChatRequest, document: Any, status: int) -> tuple[ChatResponse, Usage]:
        """As `Work.read`."""
        response = self._model.read(item, document, status=status)
        return replace(response, tier="batch"), response.usage

    def priced(self, answer: ChatResponse, cost: Decimal | None) -> ChatResponse:
        """As `Work.priced`."""
        return replace(answer, cost=cost)

    async def close(self) -> None:
        """Close the model."""
        await self._model.close()


class BatchableEmbedder(Protocol):
    """An embedder whose provider takes batches: OpenAI's is one."""

    @property
    def name(self) -> str:
        """The name, "provider/name"."""
        ...

    def body(self, texts: Sequence[str]) -> dict[str, Any]:
        """What is sent for some texts, as many as one request takes."""
        ...

    def read(self, texts: Sequence[str], document: Any, *, status: int = 200) -> Embeddings:
        """Their vectors in what comes back."""
        ...

    def batches(self) -> Batches:
        """Where its batches are sent."""
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...


class EmbeddingWork:
    """Texts for an embedder, each request as many as go into one: `embedder.requests` says which."""

    kind: Kind = "embedding"

    def __init__(self, embedder: BatchableEmbedder, tags: Tags = Tags("ingest")) -> None:
        if not hasattr(embedder, "batches") or embedder.name.partition("/")[0] in _WITHOUT:
            raise UnsupportedError(
                f"{embedder.name} takes no batches.", model=embedder.name, hint="OpenAI's embedders do."
            )
        self.model = embedder.name
        self.batches = embedder.batches()
        self._embedder = embedder
        self._tags = tags

    def path(self, item: Sequence[str]) -> str:
        """As `Work.path`."""
        del item
        return "/embeddings"

    def body(self, item: Sequence[str]) -> dict[str, Any]:
        """As `Work.body`."""
        return self._embedder.body(item)

    def inputs(self, item: Sequence[str]) -> int:
        """As many as are sent of long texts."""
        return len(self._embedder.body(item)["input"])

    def most(self, item: Sequence[str]) -> Most:
        """As `Work.most`."""
        return Most(most_tokens(item))

    def tags(self, item: Sequence[str]) -> Tags:
        """Those of all."""
        del item
        return self._tags

    def dump(self, item: Sequence[str]) -> str:
        """As JSON."""
        return json.dumps(list(item))

    def load(self, text: str) -> Sequence[str]:
        """From JSON."""
        texts: list[str] = json.loads(text)
        return texts

    def read(self, item: Sequence[str], document: Any, status: int) -> tuple[Embeddings, Usage]:
        """As `Work.read`."""
        embeddings = self._embedder.read(item, document, status=status)
        return embeddings, embeddings.usage

    def priced(self, answer: Embeddings, cost: Decimal | None) -> Embeddings:
        """Vectors carry no price: the result does."""
        del cost
        return answer

    async def close(self) -> None:
        """Close the embedder."""
        await self._embedder.close()


@cache
def _kept() -> type[BaseModel]:
    """The form in which a chat request is kept, pictures in base 64."""
    from pydantic import ConfigDict, create_model

    config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")
    return create_model("KeptRequest", __config__=config, request=(ChatRequest, ...))
