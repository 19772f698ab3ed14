"""E-mail (RFC 5322, MIME): the message's text under its headers, and what is attached.

Of the same text in several forms the plain one is read, else the web page. Pictures inside the text are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import policy
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.parser import BytesParser
from email.utils import collapse_rfc2231_value, getaddresses, parsedate_to_datetime
from pathlib import Path

from rag.errors import DamagedFileError, LoadError
from rag.ingest.load.html import read_html
from rag.ingest.load.parts import Budget, Opened, Part, numbered
from rag.ingest.load.text import decode
from rag.ingest.reading import Problem
from rag.ingest.structure import Extracted, clean
from rag.types import MetadataValue, Section

_HEADERS = ("Subject", "From", "To", "Cc", "Date")
_SUFFIXES = {"message/rfc822": ".eml", "text/html": ".html", "text/plain": ".txt", "text/csv": ".csv"}
_MAX_PARTS = 10_000
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]+')


@dataclass(frozen=True, slots=True)
class Head:
    """The headers of a message, decoded, "" where there is none."""

    subject: str = ""
    sender: str = ""
    to: str = ""
    cc: str = ""
    date: str = ""

    def __str__(self) -> str:
        values = (self.subject, self.sender, self.to, self.cc, self.date)
        return "\n".join(f"{name}: {value}" for name, value in zip(_HEADERS, values, strict=True) if value)


def message(head: Head, body: Extracted, sent: str) -> Extracted:
    """The document of a message: its headers as the first lines and as metadata, then its text.

    `sent` is when it was sent (ISO 8601), "" where unknown.
    """
    shown, dropped = clean(str(head))
    text = "\n\n".join(filter(None, (shown, body.text.strip("\n"))))
    metadata: dict[str, MetadataValue] = {
        "subject": head.subject,
        "from": head.sender,
        "to": _addresses(head.to),
        "cc": _addresses(head.cc),
        "sent": sent,
    }
    shift = len(text) - len(body.text.strip("\n")) - (len(body.text) - len(body.text.lstrip("\n")))
    return Extracted(
        text,
        sections=tuple(
            Section(each.path, each.start + shift, min(each.end + shift, len(text))) for each in body.sections
        ),
        title=head.subject or None,
        language=body.language,
        created=sent[:10] or None,
        dropped=dropped + body.dropped,
        metadata={name: value for name, value in metadata.items() if value},
    )


def safe_name(name: str) -> str:
    """The name of an attachment without folders and control characters."""
    return _FORBIDDEN.sub("_", clean(name)[0].replace("\\", "/").rpartition("/")[2]).strip(" .")


def open_mail(data: bytes, path: Path, budget: Budget) -> Opened:
    """An .eml file. Raises `DamagedFileError` for what has no header of a message."""
    parsed = BytesParser(policy=policy.compat32).parsebytes(data)
    if not any(parsed[name] for name in (*_HEADERS, "Received", "Message-ID", "MIME-Version", "Content-Type")):
        raise DamagedFileError(path, "it is no e-mail: none of the usual headers is there")
    return _opened(parsed, path, budget)


def _opened(parsed: Message, path: Path, budget: Budget) -> Opened:
    body: list[Message] = []
    attached: list[Message] = []
    _sort(parsed, body, attached)
    budget.take_members(len(attached))
    head = Head(*(_header(parsed, name) for name in _HEADERS))
    own = message(head, _joined([_text(part, path) for part in body]), sent_at(head.date))
    return Opened(own, _attached(attached, own.metadata.get("sent"), path, budget))


def _sort(part: Message, body: list[Message], attached: list[Message]) -> None:
    """Text that a reader sees at once, and what hangs on it, in order; nesting is walked without recursion."""
    waiting = [part]
    while waiting:
        each = waiting.pop()
        kind = each.get_content_type()
        if kind == "message/rfc822" and each is not part:
            attached.append(each)
        elif kind == "multipart/alternative":
            waiting += reversed(_best(each))
        elif each.is_multipart() and kind != "message/rfc822":
            waiting += reversed([inner for inner in each.get_payload() if isinstance(inner, Message)])
        elif kind in ("text/plain", "text/html") and not _is_attachment(each):
            body.append(each)
        elif not (kind.startswith("image/") and each.get_content_disposition() != "attachment"):
            attached.append(each)


def _best(part: Message) -> list[Message]:
    """Of alternatives the plain text if there is any, else the last, which is the richest; and what is no text."""
    alternatives = [inner for inner in part.get_payload() if isinstance(inner, Message)]
    plain = [each for each in alternatives if each.get_content_type() == "text/plain" and each.get_payload()]
    others = [each for each in alternatives if each.get_content_maintype() not in ("text", "multipart")]
    return [*(plain[:1] or alternatives[-1:]), *(each for each in others if each is not alternatives[-1] or plain)]


def _is_attachment(part: Message) -> bool:
    return part.get_content_disposition() == "attachment" or _filename(part) != ""


def _text(part: Message, path: Path) -> Extracted:
    data = _payload(part)
    charset = part.get_content_charset()
    if part.get_content_type() == "text/html" and data.strip():
        return read_html(data, path)
    text, dropped = decode(data, path, charset)
    return Extracted(text.strip("\n"), dropped=dropped)


def _joined(bodies: list[Extracted]) -> Extracted:
    """Several texts of one message, one under the other."""
    text, dropped = "", 0
    sections: list[Section] = []
    language = None
    for each in bodies:
        if not each.text.strip():
            continue
        text += "\n\n" if text else ""
        sections += (Section(found.path, found.start + len(text), found.end + len(text)) for found in each.sections)
        text += each.text
        dropped += each.dropped
        language = language or each.language
    return Extracted(text, sections=tuple(sections), language=language, dropped=dropped)


def _attached(parts: list[Message], sent: MetadataValue | None, path: Path, budget: Budget) -> Iterator[Part | Problem]:
    taken: set[str] = set()
    for number, part in enumerate(parts, 1):
        inner = part.get_payload(0) if part.get_content_type() == "message/rfc822" and part.is_multipart() else None
        name = safe_name(_filename(part) or (_header(inner, "Subject") if isinstance(inner, Message) else ""))
        name = name or f"attachment {number}"
        suffix = _SUFFIXES.get(part.get_content_type(), "")
        name = numbered(name if name.lower().endswith(suffix) or _filename(part) else f"{name}{suffix}", taken)
        if isinstance(inner, Message):
            try:
                opened = _opened(inner, path, budget)
                whole = inner.as_bytes(policy=policy.compat32)
            except LoadError as error:
                yield Problem(name, error.reason)
            except (RecursionError, LookupError, ValueError) as error:  # of what is put together from damaged parts
                yield Problem(name, f"it is damaged: {error}")
            else:
                yield Part(name, whole, str(sent or ""), opened)
            continue
        data = _payload(part)
        budget.take_bytes(len(data))
        yield Part(name, data, str(sent or ""))


def _payload(part: Message) -> bytes:
    found = part.get_payload(decode=True)
    return found if isinstance(found, bytes) else b""


def _filename(part: Message) -> str:
    found = part.get_param("filename", None, "content-disposition") or part.get_param("name", None, "content-type")
    return _decoded(collapse_rfc2231_value(found)) if found else ""


def _header(part: Message, name: str) -> str:
    value = part[name]
    return "" if value is None else _decoded(str(value))


def _decoded(value: str) -> str:
    """A header without its encoded words; what is broken stays as it is written."""
    try:
        pieces = decode_header(value)
    except (HeaderParseError, ValueError):
        return " ".join(value.split())
    return " ".join("".join(_piece(text, charset) for text, charset in pieces).split())


def _piece(text: bytes | str, charset: str | None) -> str:
    if isinstance(text, str):
        return text
    for encoding in (charset, "utf-8"):
        try:
            return text.decode(encoding or "ascii")
        except (LookupError, ValueError):
            continue
    return text.decode("cp1252", "replace")


def _addresses(value: str) -> tuple[str, ...]:
    return tuple(f"{name} <{address}>" if name else address for name, address in getaddresses([value]) if address)


def sent_at(date: str) -> str:
    """The moment that a Date header names, in ISO 8601; "" where it names none."""
    try:
        return parsedate_to_datetime(date).isoformat()
    except (ValueError, TypeError, IndexError, OverflowError):
        return ""
