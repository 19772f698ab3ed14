"""Chat models that record what another model does, and that do it again without it.

    recording = RecordingChatModel(chat_model("openai/gpt-5-mini"), "tests/answers.jsonl")   # once, with a key
    replaying = ReplayingChatModel("tests/answers.jsonl")                                    # in every test after

Both have the recorded model's name, so that limits, prices and the ledger see no difference. What is on the tape, and
what is not, says `routing.testing.tape`; embedders and rerankers are recorded by `routing.testing.recording_vectors`.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

from pydantic import TypeAdapter

from routing.chat import ChatEvent, ChatModel, ChatRequest, ChatResponse, Completed, TextDelta
from routing.errors import DeadlineError, InvalidResponseError, ModelError
from routing.testing.scripted import pieces_of
from routing.testing.tape import Line, Tape, error_of, error_to_json, key_of, sent, write_line

_RESPONSE = TypeAdapter(ChatResponse)


class RecordingChatModel:
    """Asks `model`, and adds every answer and every error to the tape at `path`, which may exist.

    A call that is cancelled, a stream that is left early, and a call that runs out of its own deadline leave nothing.
    """

    def __init__(self, model: ChatModel, path: str | Path) -> None:
        self._model = model
        self._path = Path(path)

    @property
    def name(self) -> str:
        """The recorded model's name."""
        return self._model.name

    async def complete(self, request: ChatRequest) -> ChatResponse:
        """The model's answer; raises what the model raises."""
        try:
            response = await self._model.complete(request)
        except ModelError as error:
            self._failed(request, error)
            raise
        self._write(request, response=response)
        return response

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        """The model's answer in pieces; raises what the model raises."""
        pieces: list[str] = []
        try:
            async with aclosing(_generator(self._model, request)) as events:
                async for event in events:
                    if isinstance(event, Completed):
                        self._write(request, response=event.response, pieces=pieces)
                    else:
                        pieces.append(event.text)
                    yield event
        except ModelError as error:
            self._failed(request, error, pieces)
            raise

    async def close(self) -> None:
        """Close the model."""
        await self._model.close()

    def _failed(self, request: ChatRequest, error: ModelError, pieces: list[str] | None = None) -> None:
        if isinstance(error, DeadlineError) and _is_over(request):
            return
        self._write(request, error=error, pieces=pieces)

    def _write(
        self,
        request: ChatRequest,
        *,
        response: ChatResponse | None = None,
        error: ModelError | None = None,
        pieces: list[str] | None = None,
    ) -> None:
        asked = sent(request)
        # What a router adds belongs to its own call.
        own = None if response is None else replace(response, cost=None, attempts=())
        line = Line(
            kind="chat",
            model=self.name,
            key=key_of("chat", self.name, asked),
            request=asked,
            response=None if own is None else _RESPONSE.dump_python(own, mode="json", exclude_defaults=True),
            error=None if error is None else error_to_json(error),
            pieces=pieces or None,
        )
        write_line(self._path, line)


class ReplayingChatModel:
    """Does what the tape at `path` says that the model did; needs no key and no network.

    `model` names one of several on the tape. What was recorded in one piece is streamed word by word, what was recorded
    as a stream also comes in one piece. A request that was never recorded raises `UnrecordedError`, which shows what is
    different about the nearest one.
    """

    def __init__(self, path: str | Path, *, model: str | None = None) -> None:
        self._tape = Tape(path, ("chat",), model)

    @property
    def name(self) -> str:
        """The recorded model's name."""
        return self._tape.model

    async def complete(self, request: ChatRequest) -> ChatResponse:
        """The recorded answer; raises what was recorded as raised."""
        line = self._play(request)
        if line.error is not None:
            raise error_of(line)
        return _response(line)

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        """The recorded answer in its pieces; raises what was recorded as raised, after as many of them."""
        line = self._play(request)
        pieces = line.pieces
        if pieces is None:
            pieces = pieces_of(_response(line).text)
        for piece in pieces:
            yield TextDelta(piece)
        if line.error is not None:
            raise error_of(line)
        yield Completed(_response(line))

    async def close(self) -> None:
        """Nothing to give back."""

    def _play(self, request: ChatRequest) -> Line:
        if _is_over(request):
            raise DeadlineError(f"The time allowed was over before {self.name} was asked.", model=self.name)
        return self._tape.play("chat", sent(request))


def _response(line: Line) -> ChatResponse:
    if line.response is None:
        raise InvalidResponseError(f"The recording {line.key} of {line.model} has no answer.", model=line.model)
    return _RESPONSE.validate_python(line.response)


def _is_over(request: ChatRequest) -> bool:
    return request.deadline is not None and time.monotonic() >= request.deadline


async def _generator(model: ChatModel, request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
    """The model's stream as something that can be closed, also when it is an iterator only."""
    stream = model.stream(request)
    try:
        async for event in stream:
            yield event
    finally:
        if isinstance(stream, AsyncGenerator):
            await stream.aclose()
