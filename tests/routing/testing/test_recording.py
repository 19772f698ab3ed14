from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from plumbline.errors import InputError
from routing.chat import (
    ChatEvent,
    ChatOptions,
    ChatRequest,
    ChatResponse,
    Completed,
    Evidence,
    EvidenceSpan,
    Image,
    Message,
    Tags,
    TextDelta,
    TokenLogprob,
    Tool,
    ToolCall,
    Usage,
    Wants,
)
from routing.errors import ConnectionFailedError, DeadlineError, ModelError, RateLimitError
from routing.meter import Meter
from routing.router import Router
from routing.settings import RetrySettings
from routing.testing.chat import REQUEST, check_chat_model
from routing.testing.fakes import ScriptedChatModel
from routing.testing.recording import RecordingChatModel, ReplayingChatModel
from routing.testing.tape import UnrecordedError, read_lines, sent

NAME = "openai/priced"
WHOLE = ChatResponse(
    "Thirty days.",
    NAME,
    Usage(10, 3, cached_input_tokens=4, cache_write_1h_tokens=1, reasoning_tokens=2),
    finish_reason="tool_calls",
    tool_calls=(ToolCall("c", "look", "{}"),),
    citations=(EvidenceSpan(0, 1, 2, 3, 4),),
    confidence=0.5,
    refused=True,
    tier="priority",
    logprobs=(TokenLogprob("Thirty", -0.5, (("Sixty", -1.5),)),),
)


class BrokenModel(ScriptedChatModel):
    """Streams two pieces and breaks off."""

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        yield TextDelta("The ")
        yield TextDelta("refund ")
        raise ConnectionFailedError("broken off", model=self.name)


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    return tmp_path / "tapes" / "tape.jsonl"


def written(tape: Path) -> str:
    return tape.read_text(encoding="utf-8") if tape.exists() else ""


async def events(model: ScriptedChatModel | RecordingChatModel | ReplayingChatModel) -> list[ChatEvent]:
    return [event async for event in model.stream(REQUEST)]


async def test_both_keep_the_contract(tape: Path) -> None:
    recording = RecordingChatModel(ScriptedChatModel("The refund window is 30 days.", name=NAME), tape)
    await check_chat_model(recording)
    await check_chat_model(ReplayingChatModel(tape))


async def test_everything_of_an_answer_comes_back(tape: Path) -> None:
    recording = RecordingChatModel(ScriptedChatModel(replace(WHOLE, cost=Decimal(1)), name=NAME), tape)
    await recording.complete(REQUEST)
    await recording.close()
    replaying = ReplayingChatModel(tape)
    assert replaying.name == NAME
    assert await replaying.complete(REQUEST) == WHOLE
    assert not {"cost", "attempts"} & set(read_lines(tape)[0].response or {})
    await replaying.close()


async def test_streams_come_back_in_their_pieces(tape: Path) -> None:
    recorded = await events(RecordingChatModel(ScriptedChatModel("one two  three\n", name=NAME), tape))
    replaying = ReplayingChatModel(tape)
    assert await events(replaying) == recorded
    assert (await replaying.complete(REQUEST)).text == "one two  three\n"


async def test_what_came_in_one_piece_can_be_streamed(tape: Path) -> None:
    response = await RecordingChatModel(ScriptedChatModel("one two", name=NAME), tape).complete(REQUEST)
    assert await events(ReplayingChatModel(tape)) == [TextDelta("one"), TextDelta(" two"), Completed(response)]


async def test_errors_come_back_in_their_turn(tape: Path) -> None:
    slow = RateLimitError("slow down", model=NAME, status=429, retry_after=3.0, hint="Wait.")
    slow.usage = Usage(5, 0)
    recording = RecordingChatModel(ScriptedChatModel(slow, "first", "second", name=NAME), tape)
    with pytest.raises(RateLimitError):
        await recording.complete(REQUEST)
    await recording.complete(REQUEST)
    await recording.complete(REQUEST)
    replaying = ReplayingChatModel(tape)
    with pytest.raises(RateLimitError) as raised:
        await replaying.complete(REQUEST)
    again = raised.value
    assert again.usage == Usage(5, 0)
    assert (again.message, again.status, again.retry_after, again.hint) == ("slow down", 429, 3.0, "Wait.")
    assert [(await replaying.complete(REQUEST)).text for _ in range(3)] == ["first", "second", "second"]


async def test_a_stream_that_broke_off_breaks_off_again(tape: Path) -> None:
    for make in (lambda: RecordingChatModel(BrokenModel("x", name=NAME), tape), lambda: ReplayingChatModel(tape)):
        stream = make().stream(REQUEST)
        assert [await anext(stream), await anext(stream)] == [TextDelta("The "), TextDelta("refund ")]
        with pytest.raises(ConnectionFailedError, match="broken off"):
            await anext(stream)
    with pytest.raises(ConnectionFailedError):
        await ReplayingChatModel(tape).complete(REQUEST)


async def test_an_unknown_kind_of_error_is_a_model_error(tape: Path) -> None:
    class NewError(ModelError):
        pass

    for name in ("NewError", "annotations"):
        NewError.__name__ = name
        recording = RecordingChatModel(ScriptedChatModel(NewError("what", model=NAME), name=NAME), tape)
        with pytest.raises(NewError):
            await recording.complete(REQUEST)
    with pytest.raises(ModelError, match="what") as raised:
        await ReplayingChatModel(tape).complete(REQUEST)
    assert type(raised.value) is ModelError


async def test_what_ends_by_the_caller_leaves_nothing(tape: Path) -> None:
    recording = RecordingChatModel(ScriptedChatModel("one two three", name=NAME), tape)
    stream = recording.stream(REQUEST)
    assert isinstance(stream, AsyncGenerator)
    await anext(stream)
    await stream.aclose()
    with pytest.raises(DeadlineError):
        await recording.complete(replace(REQUEST, deadline=time.monotonic() - 1))
    assert not written(tape)
    await recording.complete(REQUEST)
    with pytest.raises(DeadlineError):
        await ReplayingChatModel(tape).complete(replace(REQUEST, deadline=time.monotonic() - 1))


async def test_requests_are_known_by_what_is_sent(tape: Path) -> None:
    await RecordingChatModel(ScriptedChatModel("yes", name=NAME), tape).complete(REQUEST)
    replaying = ReplayingChatModel(tape)
    evidence = tuple(replace(passage, score=0.7) for passage in REQUEST.evidence)
    same = replace(
        REQUEST, deadline=time.monotonic() + 60, tags=Tags(tenant="t"), wants=Wants(local=True), evidence=evidence
    )
    assert (await replaying.complete(same)).text == "yes"
    for other in (
        replace(REQUEST, options=ChatOptions(temperature=0.0, max_tokens=2048, seed=1)),
        replace(REQUEST, evidence=(Evidence("other", "terms.txt"),)),
        replace(REQUEST, tools=(Tool("look", "", {}),)),
        replace(REQUEST, cache_system=True),
    ):
        with pytest.raises(UnrecordedError):
            await replaying.complete(other)


async def test_what_was_never_recorded_is_compared_with_the_nearest(tape: Path) -> None:
    recording = RecordingChatModel(ScriptedChatModel("yes", name=NAME), tape)
    for text in ("How long is the refund window?", "Who pays for shipping?"):
        await recording.complete(ChatRequest((Message("user", text),)))
    with pytest.raises(UnrecordedError) as raised:
        await ReplayingChatModel(tape).complete(ChatRequest((Message("user", "How long is the refund term?"),)))
    lines = str(raised.value).split("\n")
    assert lines[1:] == [
        '-   "content": "How long is the refund window?",',
        '+   "content": "How long is the refund term?", Record it again, or ask as it was recorded.',
    ]
    with pytest.raises(UnrecordedError, match="more lines"):
        await ReplayingChatModel(tape).complete(
            ChatRequest(tuple(Message("user", str(number)) for number in range(30)))
        )


async def test_no_secret_is_stored(tape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYCO_API_KEY", "hunter2-hunter2")
    text = "use sk-proj-0123456789abcdef0123 or hunter2-hunter2, Bearer abcdefgh12345678; skandinavienurlaubsplanung"
    request = ChatRequest((Message("user", text, images=(Image(b"private"),)),))
    recording = RecordingChatModel(ScriptedChatModel(f"you said {text}", name=NAME), tape)
    await recording.complete(request)
    stored = written(tape)
    for secret in ("sk-proj", "hunter2", "abcdefgh1234", "private"):
        assert secret not in stored
    assert "skandinavienurlaubsplanung" in stored
    answer = (await ReplayingChatModel(tape).complete(request)).text
    assert answer.startswith("you said use [secret] or [secret], Bearer [secret];")


async def test_lines_can_be_read_by_people(tape: Path) -> None:
    await RecordingChatModel(ScriptedChatModel("Dreißig Tage.", name=NAME), tape).complete(REQUEST)
    (line,) = written(tape).splitlines()
    assert "Dreißig Tage." in line
    content = json.loads(line)
    assert list(content) == ["kind", "model", "key", "request", "response"]
    assert content["request"]["messages"][0] == {
        "role": "system",
        "content": "Answer from the context only, in one sentence.",
    }
    assert "deadline" not in content["request"]
    (read,) = read_lines(tape)
    assert read.key == content["key"]


def test_the_key_of_a_request_stays_the_same() -> None:
    """Tapes outlive versions: a new field with a usual value must not change what is hashed."""
    request = ChatRequest(
        (Message("user", "u", images=(Image(b"x"),)),),
        options=ChatOptions(temperature=0.0),
        tools=(Tool("look", "Looks.", {"type": "object"}),),
        tool_choice="required",
    )
    assert sent(request) == {
        "messages": [
            {
                "role": "user",
                "content": "u",
                "images": [{"data": "sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"}],
            }
        ],
        "options": {"temperature": 0.0},
        "tools": [{"name": "look", "description": "Looks.", "parameters": {"type": "object"}}],
        "tool_choice": "required",
    }


async def test_a_tape_of_several_models(tape: Path) -> None:
    for name in ("openai/a", "openai/b"):
        await RecordingChatModel(ScriptedChatModel(name, name=name), tape).complete(REQUEST)
    with pytest.raises(InputError, match="openai/a, openai/b"):
        ReplayingChatModel(tape)
    assert (await ReplayingChatModel(tape, model="openai/b").complete(REQUEST)).text == "openai/b"
    with pytest.raises(InputError, match="not of openai/c"):
        ReplayingChatModel(tape, model="openai/c")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "no tape at"),
        ("", "no such model"),
        ("\n{", "line 2"),
        ('{"kind": "chat"}', "line 1 is not of a tape: model"),
        ('{"kind": "song", "model": "a/b", "key": "k", "request": {}}', "kind"),
    ],
)
def test_what_is_no_tape(tape: Path, content: str | None, says: str) -> None:
    if content is not None:
        tape.parent.mkdir()
        tape.write_text(content)
    with pytest.raises(InputError, match=says):
        ReplayingChatModel(tape)


async def test_a_replayed_model_is_routed_and_priced_like_the_recorded_one(tape: Path, meter: Meter) -> None:
    retry = RetrySettings(attempts=2, first_wait_seconds=0.001)
    overloaded = RateLimitError("slow", model=NAME)
    model = ScriptedChatModel(overloaded, ChatResponse("yes", NAME, Usage(1000, 500)), name=NAME)
    recorded = await Router([RecordingChatModel(model, tape)], meter=meter, retry=retry).complete(REQUEST)
    replayed = await Router([ReplayingChatModel(tape)], meter=meter, retry=retry).complete(REQUEST)
    assert replayed.cost == recorded.cost == Decimal("0.002")
    assert [attempt.error for attempt in replayed.attempts] == [attempt.error for attempt in recorded.attempts]
    assert len(replayed.attempts) == 2


async def test_text_with_ends_of_lines_that_are_none_of_json_is_recorded(tape: Path) -> None:
    said = "one\u2028two\u2029three\x85four\x0cfive\r\nsix"
    recording = RecordingChatModel(ScriptedChatModel(said), tape)
    request = replace(REQUEST, messages=(Message("user", said),))
    assert (await recording.complete(request)).text == said
    assert (await ReplayingChatModel(tape).complete(request)).text == said
