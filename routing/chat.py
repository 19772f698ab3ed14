"""The contract of chat models: a request, a response, the events of a stream, and the protocol itself.

Anything with `name`, `complete` and `stream` of these shapes is a chat model; there is no base class. The
conformance suite is `routing.testing.chat`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, Protocol

from plumbline.errors import InputError
from routing.errors import ModelError

Role = Literal["system", "user", "assistant", "tool"]
Tier = Literal["standard", "batch", "flex", "priority"]
"""How a provider is asked to work, and what it charges by: in a day's batch at half price, when it has time, first."""

Latency = Literal["realtime", "interactive", "batch"]
"""How soon an answer is needed: in less than .1 s, in less than 1 s to its first word, whenever it comes."""
FinishReason = Literal["stop", "length", "content_filter", "tool_calls", "refusal", "other"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call the model asks for: `arguments` is the JSON text exactly as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Image:
    """A picture in a user's turn: its bytes with their media type, or where the provider finds it."""

    data: bytes | None = None
    url: str | None = None
    media_type: str = "image/png"
    detail: Literal["auto", "low", "high"] = "auto"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. `tool_calls` belong to an assistant's turn, `tool_call_id` to the tool's turn that answers one.

    `images` belong to a user's turn and stand before its text.
    """

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    images: tuple[Image, ...] = ()


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

    `temperature` and `top_p` are dropped for models that the catalogue knows to reject them. `effort` is how much a
    model that reasons thinks, in the provider's own word. `logprobs` asks for the log-probabilities of the tokens, and
    of so many others that might have stood there; what cannot give them refuses. `tier` is what the provider is to
    charge by.
    """

    temperature: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    top_p: float | None = None
    effort: str | None = None
    logprobs: int | None = None
    tier: Tier = "standard"


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
    """Whose call this is and what for; every ledger row and span carries them, and limits and budgets go by them.

    `session` is a conversation, `key` the name of the API key that asks. Raises `InputError` for half characters: no
    row can be written of a call that has them.
    """

    purpose: str = "answer"
    tenant: str | None = None
    release: str | None = None
    session: str | None = None
    key: str | None = None

    def __post_init__(self) -> None:
        for text in (self.purpose, self.tenant, self.release, self.session, self.key):
            if text is not None and not text.isascii():
                _check_whole(text)


def _check_whole(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{text!r} is not a name: the character at {error.start + 1} is half of one (a lone surrogate).",
            hint="Names are Unicode texts that can be written as UTF-8.",
        ) from error


@dataclass(frozen=True, slots=True)
class Wants:
    """What a request asks of whoever routes it: `model` names the one that is to answer, `local` says that nothing of
    it may leave the machine, `task` and `language` ("en") are what rules go by.
    """

    model: str | None = None
    latency: Latency | None = None
    local: bool = False
    task: str | None = None
    language: str | None = None


NO_WISH = Wants()
"""What a request asks that leaves everything to whoever routes it."""


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
    wants: Wants = NO_WISH


@dataclass(frozen=True, slots=True)
class Usage:
    """What one call used: tokens, and of a reranker searches.

    `input_tokens` counts the whole prompt, whatever part of it was cached; `cached_input_tokens` is the part of it read
    from the provider's cache, `cache_write_tokens` the part of it written to that cache, and
    `cache_write_1h_tokens` the part of that written for an hour. `output_tokens` counts everything generated,
    `reasoning_tokens` the part of it that was thought and not said. `estimated` is true when the counts are ours and
    not the provider's. `searches` counts the units that rerankers bill by (Cohere's: a query with up to 100 passages),
    `images` the pictures that were sent, which most providers count as tokens besides.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    estimated: bool = False
    searches: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0
    images: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_input_tokens + other.cached_input_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.estimated or other.estimated,
            self.searches + other.searches,
            self.cache_write_1h_tokens + other.cache_write_1h_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.images + other.images,
        )


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """One token of the answer, its natural log-probability, and those of others that might have stood there."""

    token: str
    logprob: float
    others: tuple[tuple[str, float], ...] = ()


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
    `attempts` lead up to this answer, the successful one last; the router fills them. `tier` is what the provider says
    that it charges by. `logprobs` are there when they were asked for.
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
    tier: Tier = "standard"
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class Completed:
    """The last event of every stream that did not fail: the whole response, its text all deltas joined."""

    response: ChatResponse


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The last event of a stream that a router gave up after its first piece: `text` is what was said until then.

    `model` broke off, and `error` says why.
    """

    text: str
    model: str
    error: ModelError


ChatEvent = TextDelta | Completed
"""What a model's stream is made of."""

RoutedEvent = TextDelta | Completed | Interrupted
"""What a router's stream is made of."""


class ChatModel(Protocol):
    """A chat model. Both methods raise `routing.errors.ModelError` and nothing else of the provider's.

    `name` is "provider/name" as the catalogue writes it. A model that cannot go on with a text that another began says
    so by an attribute `continues` that is false.
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
