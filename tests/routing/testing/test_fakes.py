from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from routing.chat import ChatResponse, Completed, TextDelta
from routing.errors import DeadlineError, RateLimitError
from routing.testing.chat import REQUEST
from routing.testing.embedder import check_embedder
from routing.testing.fakes import FakeEmbedder, FakeReranker, ScriptedChatModel, hashed_vector


async def test_replies_come_in_order_and_the_last_one_stays() -> None:
    response = ChatResponse("second", "scripted/chat")
    model = ScriptedChatModel(
        "first", response, RateLimitError("slow", model="scripted/chat"), lambda request: request.question or ""
    )
    assert (await model.complete(REQUEST)).text == "first"
    assert await model.complete(REQUEST) is response
    with pytest.raises(RateLimitError):
        await model.complete(REQUEST)
    assert (await model.complete(REQUEST)).text == REQUEST.question
    assert (await model.complete(REQUEST)).text == REQUEST.question
    assert len(model.requests) == 5
    await model.close()
    assert model.closed


def test_a_model_without_replies() -> None:
    with pytest.raises(ValueError, match="at least one"):
        ScriptedChatModel()


@pytest.mark.parametrize("text", ["one", "one two  three\n", " lead", "a\n\nb "])
async def test_streams_word_by_word_lose_nothing(text: str) -> None:
    events = [event async for event in ScriptedChatModel(text).stream(REQUEST)]
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == text
    assert len(events) == len(text.split()) + 1
    assert isinstance(events[-1], Completed)


async def test_a_slow_model_keeps_the_deadline() -> None:
    model = ScriptedChatModel("late", delay=60)
    with pytest.raises(DeadlineError):
        await model.complete(replace(REQUEST, deadline=time.monotonic() + 0.02))


async def test_the_embedder_keeps_the_contract() -> None:
    await check_embedder(FakeEmbedder())


async def test_vectors_of_texts_that_share_words_are_near() -> None:
    vectors = (await FakeEmbedder(256).embed_passages(["the red fox", "a red fox", "blue whale song"])).vectors
    assert vectors[0] @ vectors[1] > 0.5 > vectors[0] @ vectors[2]


@pytest.mark.parametrize("text", ["", " ", "!?", "東京", "a b c"])
def test_hashed_vectors(text: str) -> None:
    length = float(np.linalg.norm(hashed_vector(text, 16)))
    assert length == pytest.approx(1.0 if text else 0.0)


def test_words_that_cancel_out_still_have_a_direction() -> None:
    opposed = next(
        f"x y{i}" for i in range(999) if np.allclose(np.add(hashed_vector("x", 2), hashed_vector(f"y{i}", 2)), 0)
    )
    assert float(np.linalg.norm(hashed_vector(opposed, 2))) == pytest.approx(1.0)


async def test_the_reranker_counts_shared_words() -> None:
    reranker = FakeReranker()
    scores = await reranker.score("refund window days", ["refund window", "nothing", "days window refund now"])
    assert scores.values.tolist() == pytest.approx([2 / 3, 0, 1])
    assert scores.values.dtype == np.float32
    assert scores.usage.input_tokens > 0
    assert (await reranker.score("", ["a"])).values.tolist() == [0.0]
    assert (await reranker.score("a", [])).values.shape == (0,)
    assert reranker.queries == ["refund window days", "", "a"]
