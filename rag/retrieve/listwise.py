"""Reranks with a chat model, which is shown the passages together and says their order.

The permutation and the window that slides from the last passages to the first are RankGPT's (Sun et al., "Is ChatGPT
Good at Search? Investigating Large Language Models as Re-Ranking Agents", EMNLP 2023).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from plumbline.prompts import load_prompt
from routing.chat import ChatOptions, ChatRequest, Message, Tags
from routing.errors import InvalidResponseError
from routing.router import Router

if TYPE_CHECKING:
    from routing.vectors import Vectors

WINDOW = 20
STEP = 10
SHOWN_CHARACTERS = 2_000
"""Of a longer passage the model is shown the beginning: the order of many is asked for, not their every word."""
_MOST_TOKENS = 4_096  # of an answer: a few for each number, and what a model that reasons thinks before them


class ListwiseReranker:
    """The reranker "llm": the model behind `router` orders up to `WINDOW` passages in one call.

    More passages take a call for each `STEP`, and the best climb from window to window. The answer must be a
    permutation; one that is not gets one turn to be put right, after which `InvalidResponseError` is raised. The router
    sees to retries, price and ledger; `model` is the name of its first model. A call has `seconds`, retries included.
    """

    def __init__(self, router: Callable[[], Router], model: str, *, seconds: float) -> None:
        self._router = router
        self._model = model
        self._seconds = seconds

    @property
    def name(self) -> str:
        """ "llm/" and the model's name."""
        return f"llm/{self._model}"

    async def score(self, query: str, passages: Sequence[str], tags: Tags) -> Vectors:
        """float32[n] in (0, 1]: 1 for the first in the model's order, less by 1/n for each one after it."""
        import numpy as np

        order = list(range(len(passages)))
        if len(order) > 1:
            for start in _starts(len(order)):
                window = order[start : start + WINDOW]
                places = await self._ordered(query, [passages[index] for index in window], tags)
                order[start : start + WINDOW] = [window[place] for place in places]
        values = np.zeros(len(passages), np.float32)
        for rank, index in enumerate(order):
            values[index] = 1 - rank / len(order)
        return values

    async def close(self) -> None:
        """Nothing to give back: the router belongs to whoever made it."""

    async def _ordered(self, query: str, passages: Sequence[str], tags: Tags) -> list[int]:
        """The places of the passages, best first."""
        count = len(passages)
        turns = [Message("user", _question(query, passages))]
        for _ in range(2):
            request = _request(turns, tags, time.monotonic() + self._seconds)
            response = await self._router().complete(request)
            order, problem = parse_order(response.text, count)
            if order is not None:
                return order
            repair = load_prompt("rerank_repair").render({"problem": problem, "count": str(count)})
            turns += [Message("assistant", response.text), Message("user", repair)]
        raise InvalidResponseError(
            f"{self._model} did not order the passages: {problem}.",
            model=self._model,
            hint="Name a model that follows instructions, or another reranker.",
        )


def parse_order(text: str, count: int) -> tuple[list[int] | None, str]:
    """The places (from 0) that `{"order": [...]}` holds, or `None` and what is wrong with it."""
    try:
        answer = json.loads(text)
    except ValueError:
        return None, "it is not JSON"
    numbers = answer.get("order") if isinstance(answer, dict) else None
    if not isinstance(numbers, list) or not all(type(number) is int for number in numbers):
        return None, 'it is not an object with a list of whole numbers under "order"'
    expected = set(range(1, count + 1))
    if missing := sorted(expected - set(numbers)):
        return None, f"it lacks {_shown(missing)}"
    if strange := sorted(set(numbers) - expected):
        return None, f"there is no passage {_shown(strange)}"
    if len(numbers) != count:
        return None, "it names a passage twice"
    return [number - 1 for number in numbers], ""


def _starts(count: int) -> list[int]:
    """Where the windows begin, the last one first, so that the best of the end can climb to the top."""
    starts = list(range(max(count - WINDOW, 0), 0, -STEP))
    return [*starts, 0]


def _question(query: str, passages: Sequence[str]) -> str:
    shown = "\n\n".join(f"[{number}] {_beginning(passage)}" for number, passage in enumerate(passages, 1))
    return load_prompt("rerank").render({"question": query, "passages": shown, "count": str(len(passages))})


def _beginning(passage: str) -> str:
    return passage if len(passage) <= SHOWN_CHARACTERS else f"{passage[:SHOWN_CHARACTERS]}…"


def _request(turns: Sequence[Message], tags: Tags, deadline: float) -> ChatRequest:
    options = ChatOptions(temperature=0.0, max_tokens=_MOST_TOKENS)
    tags = replace(tags, purpose="rerank")
    return ChatRequest(tuple(turns), options, response_schema=_SCHEMA, deadline=deadline, tags=tags)


def _shown(numbers: Sequence[int]) -> str:
    listed = ", ".join(map(str, numbers[:5]))
    return listed if len(numbers) <= 5 else f"{listed} and {len(numbers) - 5} more"


_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"order": {"type": "array", "items": {"type": "integer"}}},
    "required": ["order"],
    "additionalProperties": False,
}
