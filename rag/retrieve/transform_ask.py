"""What a model makes of a question before it is searched for: four prompts, their answers read strictly."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from plumbline.prompts import load_prompt
from routing.chat import NO_WISH, ChatOptions, ChatRequest, Message, Tags, Wants
from routing.errors import InvalidResponseError
from routing.router import Router

LONGEST_TEXT = 2000
"""Characters of what a model makes of a question; more is not a question."""
LONGEST_HISTORY = 12_000
"""Characters of a conversation that are shown, the latest turns first."""

_OPTIONS = ChatOptions(temperature=0.0, max_tokens=2000)
_Text = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]


class _Reply(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, str_strip_whitespace=True)


class _Question(_Reply):
    question: _Text


class _Questions(_Reply):
    questions: list[_Text]


Reply = TypeVar("Reply", _Question, _Questions)


def _schema(name: str, form: Mapping[str, Any]) -> dict[str, Any]:
    """As plain as providers enforce it; what they do not enforce is checked when the answer is read."""
    return {"type": "object", "properties": {name: form}, "required": [name], "additionalProperties": False}


_SCHEMAS: Mapping[type[_Reply], Mapping[str, Any]] = {
    _Question: _schema("question", {"type": "string"}),
    _Questions: _schema("questions", {"type": "array", "items": {"type": "string"}}),
}


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks the model behind `make_router`, which is made at the first call; a call has `seconds`, and says `wants`.

    Each method raises `ModelError`: `InvalidResponseError` when the answer is not of the form that was asked for.
    """

    make_router: Callable[[], Router]
    seconds: float
    wants: Wants = NO_WISH

    async def standalone(self, question: str, history: Sequence[Message], tags: Tags) -> str:
        """The question as it can be understood without the conversation before it."""
        turn = f"Conversation:\n\n{shown(history)}\n\nLast question: {question}"
        return (await self._read("rewrite", {}, turn, _Question, tags)).question

    async def passage(self, question: str, tags: Tags) -> str:
        """A passage that would answer the question (HyDE: Gao et al., "Precise Zero-Shot Dense Retrieval", 2022)."""
        text, model = await self._write("hyde", {}, question, None, tags)
        if not text.strip():
            raise InvalidResponseError(f"{model} wrote no passage.", model=model)
        return text.strip()[:LONGEST_TEXT]

    async def variants(self, question: str, count: int, tags: Tags) -> list[str]:
        """At most `count` other wordings of the question."""
        return await self._several("variants", question, count, tags)

    async def parts(self, question: str, count: int, tags: Tags) -> list[str]:
        """At most `count` questions of which the question is made; none when it asks for one thing."""
        found = await self._several("decompose", question, count, tags)
        return found if len(found) > 1 else []

    async def _several(self, prompt: str, question: str, count: int, tags: Tags) -> list[str]:
        reply = await self._read(prompt, {"count": str(count)}, question, _Questions, tags)
        distinct = {each.casefold(): each for each in (question, *reversed(reply.questions))}
        del distinct[question.casefold()]
        return list(distinct.values())[::-1][:count]

    async def _read(self, prompt: str, places: Mapping[str, str], turn: str, form: type[Reply], tags: Tags) -> Reply:
        text, model = await self._write(prompt, places, turn, _SCHEMAS[form], tags)
        try:
            return form.model_validate_json(_unfenced(text))
        except ValidationError as error:
            what = error.errors(include_url=False, include_input=False)[0]
            raise InvalidResponseError(
                f"{model} did not answer the prompt '{prompt}' in the form asked for: {what['msg']}.", model=model
            ) from error

    async def _write(
        self, prompt: str, places: Mapping[str, str], turn: str, schema: Mapping[str, Any] | None, tags: Tags
    ) -> tuple[str, str]:
        """The model's text, and which model wrote it."""
        request = ChatRequest(
            messages=(Message("system", load_prompt(prompt).render(places)), Message("user", turn)),
            options=_OPTIONS,
            response_schema=schema,
            cache_system=True,
            deadline=time.monotonic() + self.seconds,
            tags=replace(tags, purpose=prompt),
            wants=self.wants,
        )
        response = await self.make_router().complete(request)
        if response.refused:
            raise InvalidResponseError(f"{response.model} refused the prompt '{prompt}'.", model=response.model)
        return response.text, response.model


def shown(history: Sequence[Message]) -> str:
    """The latest turns of a conversation as text, at most `LONGEST_HISTORY` characters."""
    lines: list[str] = []
    left = LONGEST_HISTORY
    for turn in reversed(history):
        if turn.role not in ("user", "assistant") or not turn.content.strip():
            continue
        line = f"{turn.role}: {turn.content.strip()}"
        if len(line) > left:
            lines.append(f"{line[: left - 1]}…" if not lines else "…")
            break
        lines.append(line)
        left -= len(line)
    return "\n".join(reversed(lines))


def _unfenced(text: str) -> str:
    """Without the fence that models like to put around JSON."""
    text = text.strip()
    if text.startswith("```") and text.endswith("```"):
        text = text.strip("`").removeprefix("json")
    return text
