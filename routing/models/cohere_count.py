"""Counts prompts by Cohere's own tokenizer (POST /v1/tokenize), which costs nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from routing.chat import ChatRequest
from routing.errors import AuthenticationError, DeadlineError, ModelError, ModelNotFoundError
from routing.models.clients import ClientPool
from routing.models.cohere_client import CohereClient
from routing.models.context import Count, Counted
from routing.models.failures import Endpoint, calling

_MOST_CHARACTERS = 65_536  # of one request


def prompt_count(clients: ClientPool[CohereClient], endpoint: Endpoint, name: str) -> Count:
    """Counts by asking Cohere, in as many parts as it takes; where that fails, the call itself finds out.

    Where a text is cut, a token may be counted twice. Tools, images and what stands around messages are not counted.
    """

    async def count(request: ChatRequest) -> Counted | None:
        parts = list(_parts(request))
        try:
            async with calling(endpoint, request.deadline):
                client = await clients.get()
                answers = await asyncio.gather(
                    *(client.sdk.tokenize(text=part, model=name, offline=False) for part in parts)
                )
        except DeadlineError:
            raise
        except (ModelNotFoundError, AuthenticationError) as error:
            raise LookupError("nothing is found at /v1/tokenize") from error
        except ModelError:
            return None
        tokens = _tokens(answers)
        return None if tokens is None else Counted(tokens - len(parts), "Cohere")

    return count


def _parts(request: ChatRequest) -> Iterator[str]:
    for message in request.messages:
        for text in (message.content, *(call.arguments for call in message.tool_calls)):
            for start in range(0, len(text), _MOST_CHARACTERS):
                yield text[start : start + _MOST_CHARACTERS]


def _tokens(answers: list[Any]) -> int | None:
    lists = [answer.tokens for answer in answers if isinstance(getattr(answer, "tokens", None), list)]
    return sum(map(len, lists)) if len(lists) == len(answers) else None
