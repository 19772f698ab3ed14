"""What comes back from Anthropic, as parsed JSON: a message in one piece, or the events of a stream.

Source: the response types of the SDK `anthropic` 2.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from routing.chat import ChatRequest, EvidenceSpan, Tier, ToolCall, Usage
from routing.models.usage import checked_usage, part_of, text_of

MISSHAPEN = (AttributeError, IndexError, KeyError, TypeError)
"""What comes of reading JSON in which anything may be missing, or of another type."""

_COUNTS = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
_DETAILS = (("cache_creation", "ephemeral_1h_input_tokens"), ("output_tokens_details", "thinking_tokens"))
_TIERS: Mapping[object, Tier] = {"standard": "standard", "priority": "priority", "batch": "batch"}


@dataclass(slots=True)
class Answer:
    """What has arrived of one answer. What the model thought is counted and left out of `text`.

    The methods that take JSON raise one of `MISSHAPEN`.
    """

    pieces: list[str] = field(default_factory=list)
    calls: dict[int, ToolCall] = field(default_factory=dict)
    finish: str | None = None
    explanation: str = ""
    model: str | None = None
    counts: dict[str, Any] = field(default_factory=dict)
    tier: Tier = "standard"
    length: int = 0
    # Where the texts of blocks begin and end in the whole, and what they cite.
    blocks: dict[int, tuple[int, int]] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)
    cited: list[tuple[int, Mapping[str, Any]]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self.pieces)

    def take_message(self, message: Any) -> None:
        """Take a whole `message`."""
        self.model = message["model"]
        self._count(message.get("usage"))
        self._stop(message)
        for index, block in enumerate(message["content"]):
            self._start(index, block)
            if block["type"] == "text":
                self._say(index, block["text"])
                for citation in block.get("citations") or ():
                    self._cite(index, citation)
            elif block["type"] == "tool_use":
                arguments = json.dumps(block["input"], ensure_ascii=False)
                self.calls[index] = replace(self.calls[index], arguments=arguments)

    def take_event(self, event: Any) -> str:
        """Take one event of a stream; returns the new text in it.

        Raises `TypeError`, too, for a part of a block that has not begun or is over, and for a block not in its turn.
        """
        kind = event["type"]
        if kind in ("content_block_start", "content_block_delta") and self.finish is not None:
            self.finish = None  # so that it is not taken for whole
            raise TypeError("a piece of the answer after its end")
        if kind == "content_block_delta":
            return self._take_delta(event["index"], event["delta"])
        if kind == "message_start":
            self.model = event["message"]["model"]
            self._count(event["message"].get("usage"))
        elif kind == "message_delta":
            self._count(event.get("usage"))
            self._stop(event["delta"])
        elif kind == "content_block_start":
            self._start(event["index"], event["content_block"])
        elif kind == "content_block_stop":
            self.ended.add(event["index"])
        return ""

    def _start(self, index: int, block: Mapping[str, Any]) -> None:
        if index != len(self.blocks):
            raise TypeError(f"block {index} begins after {len(self.blocks)} blocks")
        self.blocks[index] = (self.length, self.length)
        if block["type"] == "tool_use":
            self.calls[index] = ToolCall(text_of(block["id"]), text_of(block["name"]), "")

    def _take_delta(self, index: int, delta: Mapping[str, Any]) -> str:
        if index not in self.blocks or index in self.ended:
            raise TypeError(f"a piece of block {index}, which has not begun or is over")
        kind = delta["type"]
        if kind == "text_delta":
            return self._say(index, delta["text"])
        if kind == "input_json_delta":
            known = self.calls[index]
            self.calls[index] = ToolCall(known.id, known.name, known.arguments + delta["partial_json"])
        elif kind == "citations_delta":
            self._cite(index, delta["citation"])
        return ""

    def _cite(self, index: int, citation: object) -> None:
        if isinstance(citation, Mapping):
            self.cited.append((index, citation))

    def _say(self, index: int, piece: object) -> str:
        text = text_of(piece)
        self.pieces.append(text)
        begin, _ = self.blocks[index]
        self.length += len(text)
        self.blocks[index] = (begin, self.length)
        return text

    def _count(self, usage: Any) -> None:
        """Counts in a stream are running totals; a field that an event leaves out keeps its last value."""
        if not isinstance(usage, Mapping):
            return
        self.counts |= {key: usage[key] for key in _COUNTS if usage.get(key) is not None}
        for part, key in _DETAILS:
            count = part_of(usage, part).get(key)
            if count is not None:
                self.counts[key] = count
        self.tier = _TIERS.get(usage.get("service_tier"), self.tier)

    def _stop(self, source: Mapping[str, Any]) -> None:
        self.finish = source["stop_reason"] or self.finish
        details = part_of(source, "stop_details")
        self.explanation = details.get("explanation") or details.get("category") or self.explanation

    def usage(self, request: ChatRequest) -> Usage:
        """Anthropic's `input_tokens` leave out what was read from or written to the cache; ours count everything."""
        read = self.counts.get("cache_read_input_tokens", 0)
        stored = self.counts.get("cache_creation_input_tokens", 0)
        parts = (self.counts.get("input_tokens"), read, stored)
        known = all(isinstance(part, int) and part >= 0 for part in parts)
        usage = checked_usage(
            request,
            "".join([self.text, *(call.arguments for call in self.calls.values())]),
            input_tokens=sum(parts) if known else None,
            output_tokens=self.counts.get("output_tokens"),
            cached=read,
            written=stored,
            reasoning=self.counts.get("thinking_tokens"),
        )
        hour = self.counts.get("ephemeral_1h_input_tokens")
        if not isinstance(hour, int) or hour <= 0:
            return usage
        return replace(usage, cache_write_1h_tokens=min(hour, usage.cache_write_tokens))

    def citations(self, request: ChatRequest, documents: Sequence[int]) -> tuple[EvidenceSpan, ...]:
        """What the answer cites of `documents`, places in `request.evidence` in the order in which they were sent.

        A citation whose words are not where it says, nor anywhere in its passage, is left out.
        """
        spans = (self._span(request, documents, block, citation) for block, citation in self.cited)
        return tuple(span for span in spans if span is not None)

    def _span(
        self, request: ChatRequest, documents: Sequence[int], block: int, citation: Mapping[str, Any]
    ) -> EvidenceSpan | None:
        number = citation.get("document_index")
        if citation.get("type") != "char_location" or not isinstance(number, int) or not 0 <= number < len(documents):
            return None
        passage, words = request.evidence[documents[number]].text, citation.get("cited_text")
        start = citation.get("start_char_index")
        if not isinstance(words, str) or not words:
            return None
        if not isinstance(start, int) or start < 0 or not passage.startswith(words, start):
            start = passage.find(words)
        begin, end = self.blocks[block]
        if start < 0 or begin == end:
            return None
        return EvidenceSpan(documents[number], start, start + len(words), begin, end)
