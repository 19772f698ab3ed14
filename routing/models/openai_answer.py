"""Reads the answers of OpenAI's chat completions, and of servers that speak it, from parsed JSON."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from routing.chat import ChatRequest, FinishReason, Tier, TokenLogprob, ToolCall, Usage
from routing.models.endings import fitting
from routing.models.usage import checked_usage, number_of, part_of, text_of

MISSHAPEN = (AttributeError, IndexError, KeyError, TypeError)
"""What comes of reading JSON in which anything may be missing, or of another type."""

_FINISH: Mapping[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
# Words by which servers say that they gave up: vLLM when it shuts down, DeepSeek under load.
_GIVEN_UP = frozenset({"abort", "error", "insufficient_system_resource"})
_TIERS: Mapping[object, Tier] = {"flex": "flex", "priority": "priority", "fast": "priority", "ultrafast": "priority"}


@dataclass(slots=True)
class Answer(ABC):
    """What has arrived of one answer; `take_document` and `take_event` are those of one interface.

    `finish` is `None` until it is whole. `failure` is the provider's error in place of an answer, `given_up` says that
    it broke off. `tier` is what the provider says that it charges by.
    """

    pieces: list[str] = field(default_factory=list)
    calls: dict[int, ToolCall] = field(default_factory=dict)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    finish: FinishReason | None = None
    refused: bool = False
    given_up: bool = False
    model: str | None = None
    tier: Tier = "standard"
    counts: Mapping[str, Any] = field(default_factory=dict)
    failure: Mapping[str, Any] | None = None

    @property
    def text(self) -> str:
        """All text so far; a refusal is text too."""
        return "".join(self.pieces)

    @property
    def written(self) -> str:
        """Everything the model wrote: text and the arguments of calls."""
        return "".join([self.text, *(call.arguments for call in self.calls.values())])

    @abstractmethod
    def take_document(self, document: Any) -> None:
        """Take an answer in one piece; raises one of `MISSHAPEN`."""

    @abstractmethod
    def take_event(self, event: Any) -> str:
        """The new text in the next event of a stream; raises one of `MISSHAPEN`."""

    @abstractmethod
    def usage(self, request: ChatRequest) -> Usage:
        """What the call used."""

    def take_facts(self, source: Mapping[str, Any]) -> None:
        """Take what stands around an answer."""
        self.model = source.get("model") or self.model
        tier = source.get("service_tier")
        if tier is not None:
            self.tier = _TIERS.get(tier, "standard")
        if source.get("usage"):
            self.counts = part_of(source, "usage")

    def take_logprobs(self, tokens: Sequence[Mapping[str, Any]]) -> None:
        """Take the log-probabilities of the next tokens."""
        for entry in tokens:
            token = text_of(entry["token"])
            others = tuple(
                (text_of(other["token"]), number_of(other["logprob"]))
                for other in entry.get("top_logprobs") or ()
                if other["token"] != token
            )
            self.logprobs.append(TokenLogprob(token, number_of(entry["logprob"]), others))


@dataclass(slots=True)
class ChatAnswer(Answer):
    """An answer of /v1/chat/completions."""

    _places: dict[int, int] = field(default_factory=dict)  # in `calls`, of those that a stream gives this index

    def take_document(self, document: Any) -> None:
        """Take a `chat.completion`."""
        choice = document["choices"][0]
        message = choice["message"]
        self._take(message, choice)
        self.take_facts(document)
        for index, call in enumerate(message.get("tool_calls") or ()):
            function = call["function"]
            self.calls[index] = ToolCall(text_of(call["id"]), text_of(function["name"]), text_of(function["arguments"]))
        self._end(choice.get("finish_reason") or "stop")

    def take_event(self, event: Any) -> str:
        """Take a `chat.completion.chunk`.

        Raises `TypeError`, too, for text or calls after their end, and for a second answer, which nobody asked for.
        """
        choices = event["choices"]
        self.take_facts(event)
        if not choices:  # the last chunk has only the usage
            return ""
        choice = choices[0]
        if len(choices) > 1 or choice.get("index"):
            raise TypeError("more than one answer")
        delta = choice.get("delta") or {}
        calls = delta.get("tool_calls") or ()
        piece = self._take(delta, choice)
        if (piece or calls) and self.finish is not None:
            self.finish = None  # so that it is not taken for whole
            raise TypeError("a piece of the answer after its end")
        for call in calls:
            self._take_call(call)
        if choice.get("finish_reason"):
            self._end(choice["finish_reason"])
        return piece

    def usage(self, request: ChatRequest) -> Usage:
        """What the call used, estimated where the server does not say."""
        counts = self.counts
        details = part_of(counts, "prompt_tokens_details")
        reasoning = part_of(counts, "completion_tokens_details").get("reasoning_tokens")
        return checked_usage(
            request,
            self.written,
            input_tokens=counts.get("prompt_tokens"),
            output_tokens=_output_tokens(counts, reasoning),
            cached=details.get("cached_tokens"),
            written=details.get("cache_write_tokens"),
            reasoning=reasoning,
        )

    def _take(self, part: Mapping[str, Any], choice: Mapping[str, Any]) -> str:
        refusal = part.get("refusal")
        self.refused = self.refused or bool(refusal)
        piece: str = (part.get("content") or "") + (refusal or "")
        self.pieces.append(piece)
        logprobs = choice.get("logprobs")
        if logprobs:
            self.take_logprobs(logprobs.get("content") or ())
            self.take_logprobs(logprobs.get("refusal") or ())
        return piece

    def _take_call(self, call: Mapping[str, Any]) -> None:
        function = call.get("function") or {}
        place = self._places.get(call["index"])
        known = None if place is None else self.calls[place]
        if known and known.id and function.get("name") and call.get("id") not in (None, "", known.id):
            known = None  # some servers give every call the same index
        if place is None or known is None:
            place = self._places[call["index"]] = len(self.calls)
            known = ToolCall("", text_of(function["name"]), "")  # its name comes first
        self.calls[place] = ToolCall(
            known.id or call.get("id") or "",
            known.name,
            known.arguments + (function.get("arguments") or ""),
        )

    def _end(self, reason: str) -> None:
        self.given_up = reason in _GIVEN_UP
        self.finish = fitting(_FINISH.get(reason, "other"), self.calls, refused=self.refused)


def _output_tokens(counts: Mapping[str, Any], reasoning: object) -> object:
    """All that was written. Some servers (xAI) count what was thought beside the completion: their total says so."""
    parts = (counts.get("prompt_tokens"), counts.get("completion_tokens"), reasoning)
    prompt, written, thought = (part if isinstance(part, int) else 0 for part in parts)
    beside = thought > 0 and counts.get("total_tokens") == prompt + written + thought
    return written + thought if beside else counts.get("completion_tokens")
