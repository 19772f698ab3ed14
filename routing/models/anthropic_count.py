"""Counts prompts by Anthropic's own tokenizer (POST /v1/messages/count_tokens), which costs nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from routing.chat import ChatRequest
from routing.errors import AuthenticationError, DeadlineError, ModelError, ModelNotFoundError
from routing.models.anthropic_request import MessagesFormat
from routing.models.clients import ClientPool
from routing.models.context import Count, Counted
from routing.models.failures import Endpoint, calling

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

_PATH = "/v1/messages/count_tokens"
_COUNTED = ("model", "messages", "system", "tools", "tool_choice", "thinking", "output_config")


def prompt_count(clients: ClientPool[AsyncAnthropic], endpoint: Endpoint, form: MessagesFormat) -> Count:
    """Counts by asking Anthropic; where that fails, the call itself finds out."""

    async def count(request: ChatRequest) -> Counted | None:
        body = {key: value for key, value in form.body(request).items() if key in _COUNTED}
        try:
            async with calling(endpoint, request.deadline):
                client = await clients.get()
                answer: Any = await client.post(_PATH, body=body, cast_to=object)
        except DeadlineError:
            raise
        except (ModelNotFoundError, AuthenticationError) as error:
            raise LookupError(f"nothing is found at {_PATH}") from error
        except ModelError:
            return None
        tokens = answer.get("input_tokens") if isinstance(answer, Mapping) else None
        return Counted(tokens, "Anthropic") if isinstance(tokens, int) else None

    return count
