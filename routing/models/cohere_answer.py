"""What comes back from Cohere, as parsed JSON: an answer in one piece, or the events of a stream.

Source: the response types of the SDK `cohere` 7.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from routing.chat import ChatRequest, EvidenceSpan, TokenLogprob, ToolCall, Usage
from routing.models.rerank_answers import whole_number
from routing.models.usage import checked_usage, part_of, text_of

MISSHAPEN = (AttributeError, IndexError, KeyError, TypeError)
"""What comes of reading JSON in which anything may be missing, or of another type."""

_PARTS = frozenset({"content-start", "content-delta", "tool-call-start", "tool-call-delta"})


@dataclass(slots=True)
class Answer:
    """What has arrived of one answer. What the model thought, and planned to do with tools, is left out of `text`.

    The methods that take JSON raise one of `MISSHAPEN`.
    """

    pieces: list[str] = field(default_factory=list)
    calls: dict[int, ToolCall] = field(default_factory=dict)
    finish: str | None = None
    error: str = ""
    counts: Mapping[str, Any] = field(default_factory=dict)
    length: int = 0
    # Where the text of each block begins in the whole, and what cites it.
    blocks: dict[int, int] = field(default_factory=dict)
    open: set[int] = field(default_factory=set)
    cited: list[Mapping[str, Any]] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self.pieces)

    def take_response(self, response: Any) -> None:
        """Take a whole answer."""
        message = response["message"]
        self.finish = text_of(response["finish_reason"] or "COMPLETE")
        self.counts = part_of(response, "usage")
        for index, block in enumerate(message.get("content") or ()):
            if block["type"] == "text":
                self._say(index, block["text"])
        for index, call in enumerate(message.get("tool_calls") or ()):
            self.calls[index] = _call(call)
        self.cited += [part for part in message.get("citations") or () if isinstance(part, Mapping)]
        for item in response.get("logprobs") or ():
            self._weigh(item)

    def take_event(self, event: Any) -> str:
        """Take one event of a stream; returns the new text in it.

        Raises `TypeError`, too, for a part of a block that has not begun or is over.
        """
        kind, delta = event["type"], event.get("delta") or {}
        message = delta.get("message") or {}
        if kind in _PARTS and self.finish is not None:
            self.finish = None  # so that it is not taken for whole
            raise TypeError("a piece of the answer after its end")
        if kind in ("content-start", "content-delta"):
            if kind == "content-start":
                self.open.add(event["index"])
            return self._take_content(event, message.get("content") or {})
        if kind == "content-end":
            self.open.discard(event["index"])
        if kind == "tool-call-start":
            self.calls[event["index"]] = _call(message["tool_calls"])
        elif kind == "tool-call-delta":
            known = self.calls[event["index"]]
            more = message["tool_calls"]["function"]["arguments"]
            self.calls[event["index"]] = replace(known, arguments=known.arguments + text_of(more))
        elif kind == "citation-start":
            self.cited.append(part_of(message, "citations"))
        elif kind == "message-end":
            self.finish = delta["finish_reason"] and text_of(delta["finish_reason"])
            self.error = delta.get("error") or ""
            self.counts = part_of(delta, "usage")
        return ""

    def _take_content(self, event: Mapping[str, Any], content: Mapping[str, Any]) -> str:
        if event["index"] not in self.open:
            raise TypeError(f"a piece of block {event['index']}, which has not begun or is over")
        if event.get("logprobs") is not None:
            self._weigh(event["logprobs"])
        return self._say(event["index"], content["text"]) if content.get("text") else ""

    def _say(self, index: int, piece: object) -> str:
        text = text_of(piece)
        self.blocks.setdefault(index, self.length)
        self.length += len(text)
        self.pieces.append(text)
        return text

    def _weigh(self, item: Mapping[str, Any]) -> None:
        """Cohere gives the numbers by piece of text, which may be of several tokens: together they are as likely."""
        self.logprobs.append(TokenLogprob(item.get("text") or "", sum(item.get("logprobs") or ())))

    def usage(self, request: ChatRequest) -> Usage:
        """What Cohere bills: its `billed_units`.

        Its `tokens` also count what it puts around messages and around what the model writes, which costs nothing.
        They count where the bill is left out.
        """
        billed, counted = part_of(self.counts, "billed_units"), part_of(self.counts, "tokens")
        usage = checked_usage(
            request,
            "".join([self.text, *(call.arguments for call in self.calls.values())]),
            input_tokens=_first(billed, counted, "input_tokens"),
            output_tokens=_first(billed, counted, "output_tokens"),
            cached=whole_number(self.counts.get("cached_tokens")),
        )
        return replace(usage, searches=whole_number(billed.get("search_units")) or 0)

    def citations(self, request: ChatRequest, documents: Sequence[int]) -> tuple[EvidenceSpan, ...]:
        """What the answer cites of `documents`, places in `request.evidence`: Cohere cites a passage as a whole.

        A citation whose words are not where it says in the answer is left out.
        """
        text = self.text
        found: list[EvidenceSpan] = []
        for citation in self.cited:
            words, start = citation.get("text"), citation.get("start")
            if citation.get("type", "TEXT_CONTENT") != "TEXT_CONTENT" or not isinstance(start, int):
                continue
            begin = start + self._begin(citation.get("content_index"))
            if not isinstance(words, str) or not words or not text.startswith(words, begin):
                continue
            found += [
                EvidenceSpan(place, 0, len(request.evidence[place].text), begin, begin + len(words))
                for place in _places(citation.get("sources"), documents)
            ]
        return tuple(found)

    def _begin(self, block: object) -> int:
        return self.blocks.get(block, 0) if isinstance(block, int) else 0


def _call(call: Mapping[str, Any]) -> ToolCall:
    function = call["function"]
    return ToolCall(text_of(call["id"]), text_of(function["name"]), text_of(function.get("arguments") or ""))


def _places(sources: object, documents: Sequence[int]) -> list[int]:
    if not isinstance(sources, Sequence):
        return []
    names = {str(place): place for place in documents}
    cited = [source.get("id") for source in sources if isinstance(source, Mapping)]
    return list(dict.fromkeys(names[name] for name in cited if isinstance(name, str) and name in names))


def _first(billed: Mapping[str, Any], counted: Mapping[str, Any], key: str) -> int | None:
    number = whole_number(billed.get(key))
    return whole_number(counted.get(key)) if number is None else number
