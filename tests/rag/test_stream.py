"""A question as a stream of events: the same answer, nothing spliced, nothing left running."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from plumbline.errors import InputError
from plumbline.trace import read_trace
from rag import RAG
from rag.events import Answered, AnswerEvent, Retrieved, Started
from routing.chat import ChatEvent, ChatRequest, TextDelta
from routing.errors import ConnectionFailedError
from routing.testing.fakes import ScriptedChatModel

QUESTION = "How long is the refund window?"
REPLY = "Unopened goods may be returned within 30 days of delivery [Source: returns.md]."
QUICK = {"routing.retry.first_wait_seconds": 0, "routing.retry.longest_wait_seconds": 0.01}


class Breaking(ScriptedChatModel):
    """Breaks off after `said`."""

    said = "Unopened goods may "

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        self.requests.append(request)
        if self.said:
            yield TextDelta(self.said)
        raise ConnectionFailedError("the line went dead", model=self.name)


class Silent(Breaking):
    """Breaks off before it says anything."""

    said = ""


class Hanging(ScriptedChatModel):
    """Says one piece, then hangs until it is cancelled."""

    ended = ""

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        yield TextDelta("Unopened ")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.ended = "cancelled"
            raise


def opened(tmp_path: Path, docs: Path, model: ScriptedChatModel, **settings: object) -> RAG:
    base = RAG.open(tmp_path / "kb", home=tmp_path / "home", model=model, environ={}, settings={**QUICK, **settings})
    base.ingest(docs)
    return base


def text_of(events: list[AnswerEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def test_events_come_in_order_and_end_with_the_answer_that_ask_gives(tmp_path: Path, docs: Path) -> None:
    with opened(tmp_path, docs, ScriptedChatModel(REPLY)) as kb:
        events = list(kb.stream(QUESTION))
        asked = kb.ask(QUESTION)
    started, retrieved, *pieces, answered = events
    assert isinstance(started, Started)
    assert isinstance(retrieved, Retrieved)
    assert isinstance(answered, Answered)
    assert all(isinstance(piece, TextDelta) for piece in pieces)
    assert len(pieces) > 3
    answer = answered.answer
    assert text_of(events) == answer.text == asked.text
    assert (answer.citations, answer.claims, answer.confidence) == (asked.citations, asked.claims, asked.confidence)
    assert started.trace_id == answer.trace_id
    assert retrieved.hits == answer.hits[: len(retrieved.hits)]
    assert len(retrieved.hits) == 3


def test_the_extractive_model_streams_too(kb: RAG, docs: Path) -> None:
    kb.ingest(docs)
    events = list(kb.stream(QUESTION))
    assert isinstance(events[-1], Answered)
    assert text_of(events) == events[-1].answer.text


def test_a_model_that_breaks_off_is_replaced_by_the_fallback_and_nothing_is_spliced(tmp_path: Path, docs: Path) -> None:
    with opened(tmp_path, docs, Breaking("x")) as kb:
        events = list(kb.stream(QUESTION))
        spent = kb.spent()
    assert text_of(events) == Breaking.said
    assert isinstance(events[-1], Answered)
    answer = events[-1].answer
    assert "30 days" in answer.text
    assert Breaking.said not in answer.text or answer.text.startswith("Unopened goods may be returned")
    assert (answer.model, answer.refused) == ("extractive/default", False)
    assert "did not answer" in (answer.degraded or "")
    assert spent.calls >= 2


def test_before_the_first_piece_the_fallback_is_invisible(tmp_path: Path, docs: Path) -> None:
    with opened(tmp_path, docs, Silent("x")) as kb:
        events = list(kb.stream(QUESTION))
    assert isinstance(events[-1], Answered)
    assert text_of(events) == events[-1].answer.text != ""
    assert events[-1].answer.degraded is not None


@pytest.mark.parametrize("model", [Breaking("x"), Silent("x")])
def test_without_a_fallback_the_error_comes_after_what_was_said(tmp_path: Path, docs: Path, model: Breaking) -> None:
    settings = {"routing.fallback": "none"}
    seen: list[AnswerEvent] = []
    with opened(tmp_path, docs, model, **settings) as kb, pytest.raises(ConnectionFailedError, match="went dead"):
        seen.extend(kb.stream(QUESTION))
    assert text_of(seen) == model.said
    assert not any(isinstance(event, Answered) for event in seen)


async def test_a_reader_that_stops_ends_the_call_and_the_ledger_knows(tmp_path: Path, docs: Path) -> None:
    model = Hanging("x", name="openai/gpt-5-mini")
    base = await asyncio.to_thread(opened, tmp_path, docs, model)
    async with base as kb:
        events = kb.astream(QUESTION)
        trace_id = ""
        async for event in events:
            if isinstance(event, Started):
                trace_id = event.trace_id
            if isinstance(event, TextDelta):
                break
        await asyncio.create_task(closed(events))
        assert model.ended == "cancelled"
        chat = [row for row in kb.parts.home.ledger.of_trace(trace_id) if row.kind == "chat"]
        assert [(row.model, row.usage.estimated, row.error) for row in chat] == [
            ("openai/gpt-5-mini", True, "CancelledError")
        ]
        kb.parts.home.tracing.flush()
        spans = {span.name: span.error for span in read_trace(kb.parts.home.engine, trace_id)}
        assert spans["ask"] == spans["generate"] == spans["chat openai/gpt-5-mini"] == "cancelled"
        assert spans["retrieve"] is None


async def closed(events: object) -> None:
    await events.aclose()  # type: ignore[attr-defined]  # any async generator


def test_a_wrong_question_fails_at_once(kb: RAG, docs: Path) -> None:
    kb.ingest(docs)
    with pytest.raises(InputError, match="empty"):
        kb.stream("  ")


def test_an_empty_knowledge_base_is_an_error_not_an_answer(kb: RAG) -> None:
    with pytest.raises(InputError, match="is empty"):
        list(kb.stream(QUESTION))


def test_two_streams_at_a_time_have_bills_of_their_own(tmp_path: Path, docs: Path) -> None:
    with opened(tmp_path, docs, ScriptedChatModel(REPLY)) as kb:
        first, second = kb.stream(QUESTION), kb.stream(QUESTION)
        ends: list[AnswerEvent] = []
        for pair in zip(first, second, strict=True):
            ends = list(pair)
        answers = [event.answer for event in ends if isinstance(event, Answered)]
    assert len(answers) == 2
    assert answers[0].usage == answers[1].usage
    assert answers[0].trace_id != answers[1].trace_id
