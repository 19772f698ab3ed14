"""Subtitles (WebVTT and SubRip): a line per caption, "[00:01:02] what is said", so that a quote tells its time."""

from __future__ import annotations

import re
from pathlib import Path

from rag.ingest.load.text import decode
from rag.ingest.structure import Extracted

_TIMING = re.compile(r"\s*((?:\d+:)?\d{1,2}:\d{2})[.,]\d+\s*-->.*")
_SPEAKER = re.compile(r"<v(?:\.[^\s<>]*)?\s+([^\s<>][^<>]*)>")
_MARKUP = re.compile(r"</?[a-z][^<>]*>|<\d[^<>]*>", re.IGNORECASE)
_COMMENT = re.compile(r"(?:WEBVTT|NOTE|STYLE|REGION)\b")


def read_captions(data: bytes, path: Path) -> Extracted:
    """A .vtt or .srt file; numbers of captions, styles and comments are left out."""
    text, dropped = decode(data, path)
    lines = []
    for block in re.split(r"\n[ \t]*\n", text.strip("\n")):
        rows = block.split("\n")
        at = next((index for index, row in enumerate(rows) if _TIMING.fullmatch(row)), None)
        if at is None:
            if not _COMMENT.match(block):
                lines.append(block.strip())
            continue
        timing = _TIMING.fullmatch(rows[at])
        said = " ".join(_MARKUP.sub("", _SPEAKER.sub(r"\1: ", row)).strip() for row in rows[at + 1 :])
        if timing and said.strip():
            lines.append(f"[{_padded(timing.group(1))}] {said.strip()}")
    return Extracted("\n".join(filter(None, lines)), dropped=dropped)


def _padded(time: str) -> str:
    parts = time.split(":")
    return ":".join(part.zfill(2) for part in ["00"] * (3 - len(parts)) + parts)
