"""Outlook messages (.msg): a compound file of MAPI properties ([MS-OXMSG]), read with olefile.

What is attached is kept, messages inside messages too, which is why the properties are read here.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from plumbline.extras import require
from rag.errors import DamagedFileError
from rag.ingest.load.html import read_html
from rag.ingest.load.mail import Head, message, safe_name, sent_at
from rag.ingest.load.parts import Budget, Opened, Part, numbered
from rag.ingest.load.text import decode
from rag.ingest.reading import Problem
from rag.ingest.structure import Extracted

Place = tuple[str, ...]
"""The storage of a message inside the compound file; () is the outermost."""

_SUBJECT, _BODY, _HTML, _HEADERS = 0x0037, 0x1000, 0x1013, 0x007D
_SENDER, _SENDER_ADDRESS, _SENDER_SMTP, _TO, _CC = 0x0C1A, 0x0C1F, 0x5D01, 0x0E04, 0x0E03
_LONG_NAME, _SHORT_NAME, _SHOWN_NAME, _DATA = 0x3707, 0x3704, 0x3001, 0x3701
_SENT, _DELIVERED, _CODE_PAGE, _INTERNET_CODE_PAGE = 0x0039, 0x0E06, 0x3FFD, 0x3FDE
_TEXT, _TEXT_8_BIT, _BINARY, _OBJECT = 0x001F, 0x001E, 0x0102, 0x000D
_PROPERTIES = "__properties_version1.0"
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_DATE_HEADER = re.compile(r"^Date:[ \t]*(.+(?:\n[ \t].+)*)", re.MULTILINE | re.IGNORECASE)


def open_msg(data: bytes, path: Path, budget: Budget) -> Opened:
    """A .msg file. Raises `DamagedFileError`."""
    olefile = require("olefile", "msg")

    try:
        mail = _Mail(olefile.OleFileIO(io.BytesIO(data)), path, budget)
        return mail.opened(())
    except (OSError, ValueError, IndexError, KeyError, struct.error, AttributeError) as error:
        raise DamagedFileError(path, "it is truncated or damaged, or no Outlook message") from error


class _Mail:
    """The properties of one compound file."""

    def __init__(self, file: Any, path: Path, budget: Budget) -> None:
        self._file = file
        self._path = path
        self._budget = budget
        self._places = {tuple(each) for each in file.listdir(streams=True, storages=True)}
        if (_PROPERTIES,) not in self._places:
            raise ValueError("no properties")

    def opened(self, place: Place) -> Opened:
        """The message in the storage `place`."""
        attached = sorted(
            each
            for each in self._places
            if each[:-1] == place and each[-1].startswith("__attach_version1.0_") and len(each) == len(place) + 1
        )
        self._budget.take_members(len(attached))
        headers = self._text(place, _HEADERS)
        dated = _DATE_HEADER.search(headers.replace("\r\n", "\n"))
        sent = self._time(place) or sent_at(dated.group(1) if dated else "")
        address = self._text(place, _SENDER_SMTP) or self._text(place, _SENDER_ADDRESS)
        head = Head(
            subject=self._text(place, _SUBJECT),
            sender=_person(self._text(place, _SENDER), address),
            to=self._text(place, _TO).replace(";", ","),
            cc=self._text(place, _CC).replace(";", ","),
            date=sent,
        )
        return Opened(message(head, self._body(place), sent), self._parts(attached, sent))

    def _body(self, place: Place) -> Extracted:
        if text := self._text(place, _BODY):
            return Extracted("\n".join(text.splitlines()))
        html = self._stream(place, _HTML, _BINARY)
        if html and html.strip():
            return read_html(html, self._path)
        text = self._text(place, _HTML)
        return read_html(text.encode(), self._path) if text.strip() else Extracted("")

    def _parts(self, attached: list[Place], sent: str) -> Iterator[Part | Problem]:
        taken: set[str] = set()
        for number, place in enumerate(attached, 1):
            named = self._text(place, _LONG_NAME) or self._text(place, _SHORT_NAME) or self._text(place, _SHOWN_NAME)
            name = numbered(safe_name(named) or f"attachment {number}", taken)
            inner = (*place, f"__substg1.0_{_DATA:04X}{_OBJECT:04X}")
            try:
                if (*inner, _PROPERTIES) in self._places:
                    name = name if name.lower().endswith(".msg") else numbered(f"{name}.msg", taken)
                    yield Part(name, self._all(inner), sent, self.opened(inner))
                    continue
                data = self._stream(place, _DATA, _BINARY)
            except (OSError, ValueError, struct.error) as error:
                yield Problem(name, f"it is damaged: {error}")
                continue
            if data is None:
                yield Problem(name, "it is a link or an embedded object, not a file")
                continue
            self._budget.take_bytes(len(data))
            yield Part(name, data, sent)

    def _all(self, place: Place) -> bytes:
        """All streams of an inner message, in order: what its hash is made of."""
        within = sorted(each for each in self._places if each[: len(place)] == place)
        return b"".join(
            self._file.openstream(list(each)).read() for each in within if self._file.get_type(list(each)) == 2
        )

    def _stream(self, place: Place, tag: int, kind: int) -> bytes | None:
        name = (*place, f"__substg1.0_{tag:04X}{kind:04X}")
        if name not in self._places:
            return None
        found: bytes = self._file.openstream(list(name)).read()
        return found

    def _text(self, place: Place, tag: int) -> str:
        if (wide := self._stream(place, tag, _TEXT)) is not None:
            return wide.decode("utf-16-le", "replace").rstrip("\0")
        if narrow := self._stream(place, tag, _TEXT_8_BIT):
            page = self._number(place, _CODE_PAGE) or self._number(place, _INTERNET_CODE_PAGE)
            return decode(narrow, self._path, "utf-8" if page == 65001 else f"cp{page or 1252}")[0].rstrip("\0")
        return ""

    def _fixed(self, place: Place) -> Iterator[tuple[int, bytes]]:
        """Tag and value of the properties that have no stream of their own."""
        head = 32 if not place else 8 if place[-1].startswith("__attach") else 24
        name = (*place, _PROPERTIES)
        stream = self._file.openstream(list(name)).read() if name in self._places else b""
        for at in range(head, len(stream) - 15, 16):
            yield struct.unpack_from("<H", stream, at + 2)[0], stream[at + 8 : at + 16]

    def _number(self, place: Place, tag: int) -> int:
        return next((struct.unpack("<I", value[:4])[0] for each, value in self._fixed(place) if each == tag), 0)

    def _time(self, place: Place) -> str:
        found = {tag: struct.unpack("<Q", value)[0] for tag, value in self._fixed(place) if tag in (_SENT, _DELIVERED)}
        ticks = found.get(_SENT) or found.get(_DELIVERED)
        try:
            return (_EPOCH + timedelta(microseconds=ticks // 10)).isoformat() if ticks else ""
        except OverflowError:
            return ""


def _person(name: str, address: str) -> str:
    if name and "@" in address and name != address:
        return f"{name} <{address}>"
    return name or address
