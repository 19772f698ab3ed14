"""The contract of chat models: a request, a response, the events of a stream, and the protocol itself.

Anything with `name`, `complete` and `stream` of these shapes is a chat model; there is no base class. The
conformance suite is `routing.testing.chat`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, Protocol

Role = Literal["system", "user", "assistant", "tool"]
FinishReason = Literal["stop", "length", "content_filter", "tool_calls", "refusal", "other"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call the model asks for: `arguments` is the JSON text exactly as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. `tool_calls` belong to an assistant's turn, `tool_call_id` to the tool's turn that answers one."""

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the model may call; `parameters` is a JSON schema, which `strict` asks the provider to enforce."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    strict: bool = False


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """What the caller asks of the model; `None` leaves the provider's default.

    `temperature` is dropped for models that the catalogue knows to reject it.
    """

    temperature: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """One retrieved passage as data, in the order in which the prompt shows it.

    `text` is what `EvidenceSpan` offsets point into (Unicode code points); `score` is the retriever's, higher is
    better, comparable within one request only.
    """

    text: str
    document: str
    page: int | None = None
    section: str | None = None
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class EvidenceSpan:
    """A citation a model gives natively: answer[answer_start:answer_end] rests on evidence[index].text[start:end]."""

    index: int
    start: int
    end: int
    answer_start: int
    answer_end: int


@dataclass(frozen=True, slots=True)
class Tags:
    """Whose call this is and what for; every ledger row and span carries them."""

    purpose: str = "answer"
    tenant: str | None = None
    release: str | None = None


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One immutable request.

    `question` and `evidence` repeat as data what the messages say as text, so that the extractive model and
    provider-native citations need not parse a prompt. `deadline` is the moment on the clock `time.monotonic()`, in
    seconds, after which the answer is worthless; `response_schema` is a JSON schema the text must satisfy.
    `tool_choice` says whether the model may call one of the `tools` ("auto"), must ("required"), or must call this one.
    `cache_system` says that the system messages come again soon: a provider that caches on demand is asked to.
    """

    messages: tuple[Message, ...]
    options: ChatOptions = ChatOptions()
    question: str | None = None
    evidence: tuple[Evidence, ...] = ()
    response_schema: Mapping[str, Any] | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: Literal["auto", "required"] | Tool = "auto"
    cache_system: bool = False
    deadline: float | None = None
    tags: Tags = Tags()


@dataclass(frozen=True, slots=True)
class Usage:
    """What one call used: tokens, and of a reranker searches.

    `input_tokens` counts the whole prompt, whatever part of it was cached; `cached_input_tokens` is the part of it read
    from the provider's cache, `cache_write_tokens` the part of it written to that cache. `output_tokens` counts
    everything generated, reasoning included. `estimated` is true when the counts are ours and not the provider's.
    `searches` counts the units that rerankers bill by (Cohere's: a query with up to 100 passages).
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    estimated: bool = False
    searches: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_input_tokens + other.cached_input_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.estimated or other.estimated,
            self.searches + other.searches,
        )


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one model: `error` names the error's class, or is `None` when it succeeded."""

    model: str
    seconds: float
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ChatResponse:
    """What a model answered.

    `model` is "provider/name". `cost` is in US dollars and filled by the router; `None` means the price is unknown.
    `citations` are native ones, if the model gives any. `confidence` in [0, 1]
    is the model's own that the evidence answers the question (of a refusal: that it would have), if it has one.
    `attempts` lead up to this answer, the successful one last; the router fills them.
    """

    text: str
    model: str
    usage: Usage = Usage()
    finish_reason: FinishReason = "stop"
    tool_calls: tuple[ToolCall, ...] = ()
    citations: tuple[EvidenceSpan, ...] = ()
    confidence: float | None = None
    refused: bool = False
    cost: Decimal | None = None
    attempts: tuple[Attempt, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class Completed:
    """The last event of every stream that did not fail: the whole response, its text all deltas joined."""

    response: ChatResponse


ChatEvent = TextDelta | Completed


class ChatModel(Protocol):
    """A chat model. Both methods raise `routing.errors.ModelError` and nothing else of the provider's.

    `name` is "provider/name" as the catalogue writes it.
    """

    @property
    def name(self) -> str:
        """The name, "provider/name"."""
        ...

    async def complete(self, request: ChatRequest) -> ChatResponse:
        """Answer in one piece."""
        ...

    def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        """Answer in pieces: any number of `TextDelta`, then one `Completed`."""
        ...

    async def close(self) -> None:
        """Give back connections; the model is not used afterwards."""
        ...
