"""Valid files made invalid, at random: in their bytes, and in what their bytes stand for."""

from __future__ import annotations

import io
import random
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable, Sequence

from rag.ingest.load.zip import DAMAGE

LONGEST = 400_000
"""A mutant has no more bytes than this."""

_EDGES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF, 2**63 - 1)
_NUMBERS = (
    b"-1",
    b"0",
    b"1",
    b"255",
    b"65536",
    b"2147483648",
    b"4294967295",
    b"99999999999999999999",
    b"1e999",
    b"NaN",
)
_BITS = (
    b"\0", b"\r", b"\n", b"\r\n", b"\x0b", b"\x0c", b"\x1c", b"\x85", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf",
    b"\xed\xa0\x80", b"\xf4\x90\x80\x80", "\u2028".encode(), "\u202e".encode(), "\u0300".encode(), "👩‍👩‍👧".encode(),
    "\ufeff".encode(), b"\\ud800", b"&#xD800;", b"&#0;", b"&#1114112;", b"&lt", b"%00", b"../", b"\\", b'"', b"'", b"<",
    b">", b"</", b"<!", b"<![CDATA[", b"]]>", b"<!--", b"-->", b"<?", b"&a;", b"{", b"}", b"[", b"]", b"(", b")", b"<<",
    b">>", b"%", b"#", b"\t", b",", b";", b"|", b"---\n", b"```\n", b"$$", b"\\begin{", b"\\end{", b"=?utf-8?B?", b"?=",
    b"<table>", b"<tr>", b"<td>", b"<h1>", b"</h1>", b"<main>", b"<pre>", b"<title>", b"\\section{", b"\\u-1?",
    b"\\bin9",
)  # fmt: skip
_DIGITS = re.compile(rb"\d+")
_TAG = re.compile(rb"<[^<>]{1,200}>")
_VALUE = re.compile(rb"=\"[^\"]{0,100}\"")
_STREAM = re.compile(rb"stream\r?\n(.*?)\r?\nendstream", re.DOTALL)
_OBJECT = re.compile(rb"\d+ 0 obj.*?endobj\n", re.DOTALL)
_REFERENCE = re.compile(rb"\d+ 0 R")
_NAME = re.compile(rb"/[A-Za-z]+")

Mutation = Callable[[random.Random, bytes], bytes]


def mutated(chance: random.Random, suffix: str, seeds: Sequence[bytes]) -> bytes:
    """A file that one to six mutations made of one of `seeds`."""
    data = chance.choice(seeds)
    for _ in range(chance.choice((1, 1, 2, 3, 6))):
        if data.startswith(b"PK") and chance.random() < 0.7:
            data = _package(chance, data)
        elif data.startswith(b"%PDF") and chance.random() < 0.6:
            data = chance.choice((_streams, _objects, _references, _names))(chance, data)
        elif chance.random() < 0.05:
            data = _spliced(chance, data, chance.choice(seeds))
        else:
            data = chance.choice(_ANY)(chance, data)
    return data[:LONGEST]


def _package(chance: random.Random, data: bytes) -> bytes:
    """The archive with one member changed, dropped, doubled or renamed, checksums right."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as old:
            members = [(info.filename, info.compress_type, old.read(info)) for info in old.infolist()]
    except DAMAGE:
        return data
    if not members:
        return data
    at = chance.randrange(len(members))
    name, kind, content = members[at]
    match chance.randrange(10):
        case 0:
            del members[at]
        case 1:
            members.append((name, kind, content[::-1]))
        case 2:
            members[at] = (chance.choice(members)[0], kind, content)
        case 3:
            other = chance.choice(("../x.txt", "a\nb.txt", "/x.md", "x" * 300 + ".txt", "..\\x.html", "\ud800.txt"))
            members[at] = (other.encode("utf-8", "replace").decode(), kind, content)
        case _:
            members[at] = (name, kind, chance.choice(_MARKUP)(chance, content))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as new, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names that occur twice are wanted
        for name, kind, content in members:
            new.writestr(name, content[:LONGEST], kind)
    return buffer.getvalue()


def _spliced(chance: random.Random, data: bytes, other: bytes) -> bytes:
    return data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other) + 1) :]


def _span(chance: random.Random, data: bytes) -> tuple[int, int]:
    start = chance.randrange(len(data) + 1)
    return start, min(len(data), start + int(len(data) ** chance.random()))


def _flip(chance: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 4, 16)) if data else 0):
        changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _noise(chance: random.Random, data: bytes) -> bytes:
    start, end = _span(chance, data)
    return data[:start] + chance.randbytes(min(end - start, 200)) + data[end:]


def _truncated(chance: random.Random, data: bytes) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _without(chance: random.Random, data: bytes) -> bytes:
    start, end = _span(chance, data)
    return data[:start] + data[end:]


def _repeated(chance: random.Random, data: bytes) -> bytes:
    start, end = _span(chance, data)
    block = data[start:end]
    times = min(chance.choice((2, 10, 1000, 50_000)), LONGEST // max(1, len(block)))
    return data[:start] + block * times + data[end:]


def _inserted(chance: random.Random, data: bytes) -> bytes:
    at = chance.randrange(len(data) + 1)
    bits = b"".join(chance.choice(_BITS) for _ in range(chance.choice((1, 1, 2, 5))))
    return data[:at] + bits * chance.choice((1, 1, 1, 3, 2000)) + data[at:]


def _length_field(chance: random.Random, data: bytes) -> bytes:
    width = chance.choice((1, 2, 4, 8))
    edge = chance.choice(_EDGES).to_bytes(8, "little")[:width]
    value = edge if chance.random() < 0.5 else edge[::-1]
    at = chance.randrange(len(data) + 1)
    return data[:at] + value + data[at + width :]


def _replaced(chance: random.Random, pattern: re.Pattern[bytes], data: bytes, make: Callable[[bytes], bytes]) -> bytes:
    found = [match.span() for match in pattern.finditer(data[:LONGEST])]
    if not found:
        return _flip(chance, data)
    start, end = chance.choice(found)
    return data[:start] + make(data[start:end]) + data[end:]


def _number(chance: random.Random, data: bytes) -> bytes:
    return _replaced(chance, _DIGITS, data, lambda _: chance.choice(_NUMBERS))


def _tag(chance: random.Random, data: bytes) -> bytes:
    other = chance.choice(_TAG.findall(data[:LONGEST]) or [b""])
    return _replaced(chance, _TAG, data, lambda tag: chance.choice((b"", tag + tag, other, tag + other, tag * 3000)))


def _value(chance: random.Random, data: bytes) -> bytes:
    other = chance.choice(_VALUE.findall(data[:LONGEST]) or [b'=""'])
    return _replaced(
        chance, _VALUE, data, lambda _: chance.choice((b'=""', other, b'="-1"', b'="999999999"', b'="/x"'))
    )


def _streams(chance: random.Random, data: bytes) -> bytes:
    """A PDF with the content of one stream changed."""

    def change(stream: bytes) -> bytes:
        body = stream.removeprefix(b"stream").removesuffix(b"endstream").strip(b"\r\n")
        try:
            body = zlib.compress(chance.choice(_ANY)(chance, zlib.decompress(body))[:LONGEST])
        except zlib.error:
            body = chance.choice(_ANY)(chance, body)
        return b"stream\n" + body + b"\nendstream"

    return _replaced(chance, _STREAM, data, change)


def _objects(chance: random.Random, data: bytes) -> bytes:
    other = chance.choice(_OBJECT.findall(data) or [b""])
    return _replaced(chance, _OBJECT, data, lambda each: chance.choice((b"", other, each + other)))


def _references(chance: random.Random, data: bytes) -> bytes:
    """A PDF in which an object takes another's place, its own perhaps."""
    other = chance.choice(_REFERENCE.findall(data) or [b"1 0 R"])
    return _replaced(
        chance, _REFERENCE, data, lambda _: chance.choice((other, b"99 0 R", b"null", b"[" + other + b"]"))
    )


def _names(chance: random.Random, data: bytes) -> bytes:
    other = chance.choice(_NAME.findall(data) or [b"/A"])
    return _replaced(chance, _NAME, data, lambda _: other)


_ANY: Sequence[Mutation] = (
    _flip, _noise, _truncated, _without, _repeated, _inserted, _inserted, _length_field, _number, _tag, _value,
)  # fmt: skip
_MARKUP: Sequence[Mutation] = (_tag, _tag, _value, _value, _number, _inserted, _repeated, _without, _flip)
