"""The faults of the matrix, by the names that it calls them by."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from routing.testing.faults import Fault, Place

Provider = Literal["openai", "responses", "vllm", "anthropic", "cohere"]
PROVIDERS: tuple[Provider, ...] = ("openai", "responses", "vllm", "anthropic", "cohere")
PATIENCE = 1.0
"""Seconds without a byte after which a model is given up, where a fault keeps it waiting."""


@dataclass(frozen=True, slots=True)
class Case:
    """A fault before it is known where it happens. `waits` says that the client has to give up by itself."""

    fault: Fault
    waits: bool = False
    streamed: Fault | None = None

    def at(self, place: Place, *, stream: bool) -> Fault:
        """The fault at one place of an answer."""
        fault = self.streamed if stream and self.streamed is not None else self.fault
        return replace(fault, after=place)


def _said(message: str, **more: str) -> str:
    """An error that reads the same at OpenAI, at Anthropic and at Cohere."""
    return json.dumps({"type": "error", "error": {"message": message, **more}, "message": message})


def _body(body: str | bytes, content_type: str = "application/json") -> Case:
    return Case(
        Fault("body", body=body, content_type=content_type),
        streamed=Fault("body", body=body, content_type="text/event-stream"),
    )


def _extra(body: str | bytes) -> Case:
    return Case(Fault("raw", body=body), streamed=Fault("extra", body=body))


def _changed(find: str, body: str) -> Case:
    return Case(Fault("changed", find=find, body=body))


_EVENT = "event: content_block_delta\n"  # Anthropic's has to have a name; the others do not look at it
_COUNT = r'"(\w*(?:input|output|prompt|completion|cached|billed)\w*tokens)": [\d.]+'
_FINISH = r'"(finish_reason|stop_reason)": "\w+"'
_TEXT = r'"(content|text)": "[^"]+"'
FAULTS: Mapping[str, Case] = {
    "reset": Case(Fault("reset")),
    "cut": Case(Fault("cut")),
    "stall": Case(Fault("stall"), waits=True),
    "slow": Case(Fault("slow", seconds=0.03)),
    "too_slow": Case(Fault("slow", seconds=2 * PATIENCE), waits=True),
    "drip": Case(Fault("drip")),
    "endless": Case(Fault("endless", body=f": {'x' * 60_000}\n\n")),
    "endless_event": Case(Fault("endless", body="x" * 60_000)),
    "end": Case(Fault("end")),
    "error_400": Case(Fault("error", 400)),
    "error_429": Case(Fault("error", 429)),
    "error_500": Case(Fault("error", 500)),
    "error_529": Case(Fault("error", 529)),
    "half_json_event": _extra(_EVENT + 'data: {"id": "chatcm\n\n'),
    "wrong_json_event": _extra(_EVENT + 'data: ["hello"]\n\n'),
    "bytes_that_are_no_text": _extra(_EVENT.encode() + b'data: {"id": "\xff\xfe\xfd"}\n\n'),
    "unknown_event": _extra('event: news\ndata: {"type": "news", "choices": []}\n\n'),
    "comment": _extra(": processing\n\n"),
    "broken_chunk": Case(Fault("raw", body="zz\r\nhello\r\n"), waits=True),
    "event_twice": Case(Fault("twice")),
    "events_swapped": Case(Fault("swapped")),
    "400": Case(Fault("status", 400)),
    "400_too_long": Case(Fault("status", 400, body=_said("This model's maximum context length is 8192 tokens."))),
    "400_filtered": Case(Fault("status", 400, body=_said("Refused by our content policy.", code="content_filter"))),
    "401": Case(Fault("status", 401)),
    "402": Case(Fault("status", 402)),
    "403": Case(Fault("status", 403)),
    "404": Case(Fault("status", 404)),
    "408": Case(Fault("status", 408)),
    "409": Case(Fault("status", 409)),
    "413": Case(Fault("status", 413)),
    "422": Case(Fault("status", 422)),
    "429": Case(Fault("status", 429)),
    "429_in_a_moment": Case(Fault("status", 429, {"retry-after": "0"})),
    "429_in_an_hour": Case(Fault("status", 429, {"retry-after": "3600"})),
    "429_no_credit": Case(Fault("status", 429, body=_said("You have no credit left.", code="insufficient_quota"))),
    "500": Case(Fault("status", 500)),
    "500_no_body": Case(Fault("status", 500, body="")),
    "502_html": Case(Fault("status", 502, body="<html>Bad gateway</html>", content_type="text/html")),
    "503": Case(Fault("status", 503)),
    "504": Case(Fault("status", 504)),
    "529": Case(Fault("status", 529)),
    "307_elsewhere": Case(Fault("status", 307, {"location": "/elsewhere"}, body="")),
    "204": Case(Fault("status", 204, body="")),
    "empty_body": _body(""),
    "half_json": _body('{"id": "chatcmpl-1", "choi'),
    "wrong_json": _body('{"hello": "you"}'),
    "null": _body("null"),
    "a_list": _body("[]"),
    "html": _body("<html>Welcome</html>", "text/html"),
    "no_text_but_bytes": _body(b'\xff\xfe{"id": 1}'),
    "deep_json": _body("[" * 100_000),
    "wrong_type": Case(
        Fault("changed", find="$^", content_type="text/plain"),
        streamed=Fault("body", body='{"hello": "you"}', content_type="application/json"),
    ),
    "no_choices": _changed(r'"(choices|content)": \[.*\]', r'"\1": []'),
    "choices_of_null": _changed(r'"(choices|content)": \[.*\]', r'"\1": null'),
    "no_text": _changed(_TEXT, r'"\1": ""'),
    "text_of_null": _changed(_TEXT, r'"\1": null'),
    "text_of_numbers": _changed(_TEXT, r'"\1": 42'),
    "usage_negative": _changed(_COUNT, r'"\1": -5'),
    "usage_text": _changed(_COUNT, r'"\1": "many"'),
    "usage_missing": _changed(r'"(usage)": \{', r'"counts": {'),
    "usage_null": _changed(_COUNT, r'"\1": null'),
    "usage_huge": _changed(_COUNT, r'"\1": 4611686018427387904'),
    "usage_beyond_integers": _changed(_COUNT, r'"\1": 1e400'),
    "finish_length": _changed(_FINISH, r'"\1": "FINISH"'),
    "finish_unknown": _changed(_FINISH, r'"\1": "tired"'),
    "finish_null": _changed(_FINISH, r'"\1": null'),
}
