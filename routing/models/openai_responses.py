"""OpenAI's responses (/v1/responses): how a request is written, and how an answer and its stream are read.

Nothing is kept at the provider, so each request carries the whole conversation. What a model thought in earlier turns
is not part of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from routing.chat import ChatRequest, FinishReason, Message, Tool, ToolCall, Usage
from routing.errors import UnsupportedError
from routing.models.endings import fitting
from routing.models.openai_answer import Answer
from routing.models.openai_request import Setting, image_address
from routing.models.usage import checked_usage, part_of, text_of

_INCOMPLETE: Mapping[object, FinishReason] = {"max_output_tokens": "length", "content_filter": "content_filter"}
_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})
_ANYTIME = _ENDS | {"error"}  # believed whatever their number: an end has the whole text, which is compared


def responses_body(setting: Setting, request: ChatRequest) -> dict[str, Any]:
    """The body of a request to /v1/responses; a seed is left out: there is no place for one.

    Raises `UnsupportedError` for stop words.
    """
    options = request.options
    if options.stop:
        raise UnsupportedError(
            f"{setting.model} does not stop at words where it is asked through /v1/responses.",
            model=setting.model,
            hint="Leave stop out.",
        )
    effort, schema = setting.effort_of(request), request.response_schema
    body = setting.shared(request) | {
        "input": [item for message in request.messages for item in _items(message)],
        "max_output_tokens": setting.limit(request),
        "top_logprobs": options.logprobs,
        "include": None if options.logprobs is None else ["message.output_text.logprobs"],
        "tools": [_tool(tool) for tool in request.tools] or None,
        "tool_choice": _choice(request.tool_choice) if request.tools else None,
        "text": None if schema is None else {"format": {"type": "json_schema", **setting.schema(schema)}},
        "reasoning": None if effort is None else {"effort": effort},
    }
    return {key: value for key, value in body.items() if value is not None}


@dataclass(slots=True)
class ResponsesAnswer(Answer):
    """An answer of /v1/responses. What a model says aside, before it calls a tool ("commentary"), is no part of it."""

    _last: Mapping[str, Any] = field(default_factory=dict)
    _asides: set[int] = field(default_factory=set)

    def take_document(self, document: Any) -> None:
        """Take a `response`."""
        self.take_facts(document)
        for item in document["output"] or ():
            if item["type"] == "function_call":
                call = ToolCall(text_of(item["call_id"]), text_of(item["name"]), text_of(item["arguments"]))
                self.calls[len(self.calls)] = call
            elif item["type"] == "message" and item.get("phase") != "commentary":
                self._take_message(item)
        self._end(document)

    def take_event(self, event: Any) -> str:
        """Take an event; one that comes twice in a row counts once.

        Raises `TypeError`, too, for one that does not come in its turn, before any of its text is read.
        """
        kind = event["type"]
        if kind not in _ANYTIME and not self._in_turn(event):
            return ""
        if kind == "response.output_text.delta" and event["output_index"] not in self._asides:
            return self._say(event["delta"], event.get("logprobs"))
        if kind == "response.refusal.delta":
            self.refused = True
            return self._say(event["delta"])
        if kind == "response.output_item.added" and event["item"].get("phase") == "commentary":
            self._asides.add(event["output_index"])
        elif kind in _ENDS:
            self._conclude(event["response"])
        elif kind == "error" and self.finish is None:  # afterwards the answer is whole
            self.failure = event.get("error") or event
        return ""

    def usage(self, request: ChatRequest) -> Usage:
        """What the call used, estimated where the server does not say."""
        counts = self.counts
        details = part_of(counts, "input_tokens_details")
        return checked_usage(
            request,
            self.written,
            input_tokens=counts.get("input_tokens"),
            output_tokens=counts.get("output_tokens"),
            cached=details.get("cached_tokens"),
            written=details.get("cache_write_tokens"),
            reasoning=part_of(counts, "output_tokens_details").get("reasoning_tokens"),
        )

    def _in_turn(self, event: Mapping[str, Any]) -> bool:
        """Whether the event follows the last one, rather than being it again; events need no numbers."""
        last, number = self._last.get("sequence_number", -1), event.get("sequence_number")
        if number is None:
            return True
        if number == last and event == self._last:
            return False
        if number != last + 1 and (self._last or number != 1):  # some count from one
            raise TypeError(f"event {number} comes after event {last}")
        self._last = event
        return True

    def _conclude(self, document: Any) -> None:
        """Take the whole answer that ends a stream: its text must be what came in pieces. Raises `TypeError`."""
        whole = ResponsesAnswer()
        whole.take_document(document)
        if whole.text and whole.text != self.text:  # a filter may have taken it back
            raise TypeError("the pieces of the text are not the text")
        self.take_facts(document)
        self.calls, self.refused = whole.calls, whole.refused
        self.finish, self.given_up, self.failure = whole.finish, whole.given_up, whole.failure

    def _take_message(self, item: Mapping[str, Any]) -> None:
        for part in item["content"]:
            if part["type"] == "output_text":
                self._say(part["text"], part.get("logprobs"))
            elif part["type"] == "refusal":
                self.refused = True
                self._say(part["refusal"])

    def _say(self, piece: object, logprobs: Any = None) -> str:
        said = text_of(piece)
        self.pieces.append(said)
        if logprobs:
            self.take_logprobs(logprobs)
        return said

    def _end(self, document: Mapping[str, Any]) -> None:
        status = document["status"]
        if status == "completed":
            self.finish = fitting("stop", self.calls, refused=self.refused)
        elif status == "incomplete":
            self.finish = _INCOMPLETE.get(part_of(document, "incomplete_details").get("reason"), "other")
        elif status == "failed":
            self.finish, self.failure = "other", part_of(document, "error")
        else:
            self.finish, self.given_up = "other", True


def _items(message: Message) -> Iterator[dict[str, Any]]:
    if message.role == "tool":
        yield {"type": "function_call_output", "call_id": message.tool_call_id, "output": message.content}
        return
    if message.images:
        images = [
            {"type": "input_image", "image_url": image_address(image), "detail": image.detail}
            for image in message.images
        ]
        yield {"role": message.role, "content": [*images, {"type": "input_text", "text": message.content}]}
    elif message.content or not message.tool_calls:
        yield {"role": message.role, "content": message.content}
    for call in message.tool_calls:
        yield {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments}


def _tool(tool: Tool) -> dict[str, Any]:
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters),
        "strict": tool.strict,
    }


def _choice(choice: Literal["auto", "required"] | Tool) -> str | dict[str, Any] | None:
    if isinstance(choice, Tool):
        return {"type": "function", "name": choice.name}
    return None if choice == "auto" else choice  # "auto" is the default
