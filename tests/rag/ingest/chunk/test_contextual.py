import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from plumbline.text.tokens import tokenizer
from rag.ingest.chunk import PricedChunker
from rag.ingest.chunk.contextual import CONTEXT_TOKENS, ContextualChunker
from rag.testing.chunker import check_chunker
from rag.types import Document
from routing.chat import Message
from routing.cost.prices import Price, PriceTable
from routing.errors import OverloadedError
from routing.meter import billed
from routing.router import Router
from routing.testing.fakes import ScriptedChatModel

FREE = PriceTable({})
CACHING = PriceTable({"acme/small": Price(Decimal(1), Decimal(4), cached_input=Decimal("0.1"))})
TEXT = "The quarterly report of Acme speaks about revenue. " * 120


def contextual(
    routed: Callable[[ScriptedChatModel], Router], model: ScriptedChatModel, prices: PriceTable, **settings: Any
) -> ContextualChunker:
    return ContextualChunker(model.name, lambda: routed(model), prices, **settings)


def document(text: str = TEXT) -> Document:
    return Document("doc", "s", "acme-q3.txt", text, "", "text/plain")


async def test_conformance(routed):
    chunker = contextual(routed, ScriptedChatModel("It is about returns."), FREE, size=64, overlap=8)
    assert isinstance(chunker, PricedChunker)
    await check_chunker(chunker, max_tokens=64, count=tokenizer().count)


async def test_what_the_model_writes_stands_before_the_chunk_and_in_its_hash(routed):
    model = ScriptedChatModel(lambda request: f"About  {request.messages[-1].content[:13]}\nin Q3. ")
    chunks = await contextual(routed, model, FREE, size=64, overlap=0).chunk(document())
    assert chunks[0].context == "acme q3\nAbout The quarterly in Q3."
    assert chunks[0].indexed_text.endswith(chunks[0].text)
    plain = await contextual(routed, ScriptedChatModel("Else."), FREE, size=64, overlap=0).chunk(document())
    assert [chunk.id for chunk in plain] == [chunk.id for chunk in chunks]
    assert plain[0].hash != chunks[0].hash


async def test_every_call_begins_with_the_same_document_and_asks_to_cache_it(routed):
    model = ScriptedChatModel("Context.")
    chunks = await contextual(routed, model, FREE, size=64, overlap=8).chunk(document())
    assert len(model.requests) == len(chunks) > 5
    assert len({request.messages[0] for request in model.requests}) == 1
    assert TEXT in model.requests[0].messages[0].content
    assert all(request.cache_system and request.tags.purpose == "ingest" for request in model.requests)
    assert {request.messages[1] for request in model.requests} == {Message("user", chunk.text) for chunk in chunks}


class Counting(ScriptedChatModel):
    """Knows how many calls were open at once, and how many the first one had beside it."""

    def __init__(self) -> None:
        super().__init__("Context.")
        self.open = self.most = self.beside_first = 0

    async def complete(self, request):
        self.open += 1
        first = not self.requests
        response = await super().complete(request)
        for _ in range(20):
            await asyncio.sleep(0)
            self.beside_first = max(self.beside_first, self.open - 1) if first else self.beside_first
        self.most = max(self.most, self.open)
        self.open -= 1
        return response


async def test_the_first_call_is_alone_and_the_others_are_few_at_a_time(routed):
    model = Counting()
    await contextual(routed, model, FREE, size=64, overlap=8, concurrency=3).chunk(document())
    assert (model.beside_first, model.most) == (0, 3)


async def test_a_long_document_is_shown_around_the_chunk(routed):
    text = "\n\n".join(f"Paragraph {n} speaks about item {n} of the inventory." for n in range(400))
    model = ScriptedChatModel("Context.")
    chunks = await contextual(routed, model, FREE, size=32, overlap=0, reads=1000).chunk(document(text))
    heads = {request.messages[0].content for request in model.requests}
    assert 3 < len(heads) < len(chunks) / 5
    assert max(map(len, heads)) < len(text) / 2
    assert all(request.messages[1].content in request.messages[0].content for request in model.requests)
    assert [chunk.index for chunk in chunks] == list(range(len(chunks)))


async def test_a_failing_call_is_raised_and_ends_the_others(routed):
    model = ScriptedChatModel("Context.", OverloadedError("busy", model="scripted/chat"), "Context.")
    with pytest.raises(OverloadedError, match="busy"):
        await contextual(routed, model, FREE, size=32, overlap=8, concurrency=2).chunk(document())
    assert len(model.requests) < 10


async def test_the_forecast_is_near_what_is_used(routed):
    model = ScriptedChatModel("Acme's report for the third quarter, the part on revenue.")
    chunker = contextual(routed, model, FREE, size=64, overlap=8)
    forecast = chunker.forecast(document())
    assert not model.requests
    with billed() as bill:
        chunks = await chunker.chunk(document())
    assert (forecast.calls, forecast.cost, forecast.usage.estimated) == (len(chunks), Decimal(0), True)
    assert forecast.usage.input_tokens == bill.usage.input_tokens
    assert forecast.usage.output_tokens == len(chunks) * CONTEXT_TOKENS


def test_the_forecast_knows_what_is_read_from_the_cache(routed):
    chunker = contextual(routed, ScriptedChatModel("C.", name="acme/small"), CACHING, size=64, overlap=8)
    found = chunker.forecast(document())
    usage = found.usage
    head = usage.cached_input_tokens / (found.calls - 1)
    assert 0 < usage.input_tokens - usage.cached_input_tokens < head + found.calls * 100
    plain = usage.input_tokens - usage.cached_input_tokens
    expected = plain + Decimal("0.1") * usage.cached_input_tokens + 4 * usage.output_tokens
    assert found.cost == expected / 1_000_000
    small = chunker.forecast(document(TEXT[:1000]))
    assert small.usage.cached_input_tokens == 0  # shorter than what providers cache


def test_an_unknown_price_is_unknown(routed):
    chunker = contextual(routed, ScriptedChatModel("C.", name="acme/else"), CACHING, size=64, overlap=8)
    assert chunker.forecast(document()).cost is None
    assert chunker.forecast(document(" ")).calls == 0


def test_the_name_holds_model_and_prompt(routed):
    name = contextual(routed, ScriptedChatModel("C."), FREE).name
    assert name.startswith("contextual scripted/chat ")
    assert name.endswith(" recursive 512/50 cl100k_base")
