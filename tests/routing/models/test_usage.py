"""Counts that providers report, and the pictures that they do not."""

from __future__ import annotations

from routing.chat import ChatRequest, Image, Message, Usage
from routing.models.usage import checked_usage


def test_pictures_are_counted_by_what_was_sent() -> None:
    two = Message("user", "Which is older?", images=(Image(b"1"), Image(url="https://example.com/2.png")))
    request = ChatRequest(
        (two, Message("assistant", "The first."), Message("user", "And here?", images=(Image(b"3"),)))
    )
    assert checked_usage(request, "", input_tokens=900, output_tokens=5) == Usage(900, 5, images=3)
