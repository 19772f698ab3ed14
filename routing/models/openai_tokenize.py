"""Counts prompts by the tokenizer of a vLLM server (POST /tokenize), which also says how much its model reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from routing.chat import ChatRequest
from routing.errors import AuthenticationError, DeadlineError, ModelError, ModelNotFoundError
from routing.models.clients import ClientPool
from routing.models.context import Count, Counted
from routing.models.failures import Endpoint, calling
from routing.models.openai_request import messages_and_tools

if TYPE_CHECKING:
    from openai import AsyncOpenAI


def server_count(clients: ClientPool[AsyncOpenAI], endpoint: Endpoint, name: str) -> Count:
    """Counts by asking the server; where that fails, the call itself finds out.

    Images are not counted: the server puts them in only when it answers.
    """
    url = endpoint.address.rstrip("/").removesuffix("/v1") + "/tokenize"

    async def count(request: ChatRequest) -> Counted | None:
        body = {"model": name, **messages_and_tools(request, with_images=False)}
        try:
            async with calling(endpoint, request.deadline):
                client = await clients.get()
                answer: Any = await client.post(url, body=body, cast_to=object)
        except DeadlineError:
            raise
        except (ModelNotFoundError, AuthenticationError) as error:
            raise LookupError(f"nothing is found at {url}") from error
        except ModelError as error:
            if error.status == 405:
                raise LookupError(f"nothing is found at {url}") from error
            return None
        return _counted(answer)

    return count


def _counted(answer: Any) -> Counted | None:
    if not isinstance(answer, Mapping) or not isinstance(answer.get("count"), int):
        return None
    context = answer.get("max_model_len")
    return Counted(answer["count"], "the server", context if isinstance(context, int) else None)
