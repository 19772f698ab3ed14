"""Outlook messages made from their parts: a compound file ([MS-CFB]) of MAPI properties ([MS-OXMSG])."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

SECTOR, MINI, CUTOFF = 512, 64, 4096
FREE, END, FAT_SECTOR = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD

Tree = Mapping[str, "bytes | Tree"]


@dataclass
class Entry:
    name: str
    data: bytes | None
    children: list[int] = field(default_factory=list)
    right: int = FREE
    start: int = END
    size: int = 0


def compound(tree: Tree) -> bytes:
    """A compound file of version 3 with the storages and streams of `tree`."""
    entries = [Entry("Root Entry", None)]
    _add(entries, 0, tree)
    sectors: list[bytes] = []
    fat: list[int] = []
    mini_stream = b""
    mini_fat: list[int] = []
    for entry in entries[1:]:
        if entry.data:
            entry.size = len(entry.data)
            if entry.size >= CUTOFF:
                entry.start = _chain(sectors, fat, entry.data)
            else:
                entry.start = len(mini_fat)
                count = -(-entry.size // MINI)
                mini_fat += [*range(entry.start + 1, entry.start + count), END]
                mini_stream += entry.data.ljust(count * MINI, b"\0")
    if mini_stream:
        entries[0].start, entries[0].size = _chain(sectors, fat, mini_stream), len(mini_stream)
    mini_start = _chain(sectors, fat, struct.pack(f"<{len(mini_fat)}I", *mini_fat), b"\xff") if mini_fat else END
    mini_count = -(-len(mini_fat) * 4 // SECTOR)
    directory = _chain(sectors, fat, b"".join(_packed(entry) for entry in entries))
    count = 1
    while count * (SECTOR // 4) < len(fat) + count:
        count += 1
    at = list(range(len(fat), len(fat) + count))
    fat += [FAT_SECTOR] * count
    fat += [FREE] * (count * (SECTOR // 4) - len(fat))
    header = struct.pack(
        "<8s16xHHHHH6xIIIIIIIII",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        0x3E,
        3,
        0xFFFE,
        9,
        6,
        0,
        count,
        directory,
        0,
        CUTOFF,
        mini_start,
        mini_count,
        END,
        0,
    )  # fmt: skip (one number of the header after the other)
    header += struct.pack("<109I", *(at + [FREE] * (109 - count)))
    return header + b"".join(sectors) + struct.pack(f"<{len(fat)}I", *fat)


def _add(entries: list[Entry], parent: int, tree: Tree) -> None:
    for name in sorted(tree, key=lambda name: (len(name), name.upper())):
        value = tree[name]
        index = len(entries)
        entries.append(Entry(name, value if isinstance(value, bytes) else None))
        if entries[parent].children:
            entries[entries[parent].children[-1]].right = index
        entries[parent].children.append(index)
        if not isinstance(value, bytes):
            _add(entries, index, value)


def _chain(sectors: list[bytes], fat: list[int], data: bytes, fill: bytes = b"\0") -> int:
    start, count = len(fat), -(-len(data) // SECTOR)
    sectors.append(data.ljust(count * SECTOR, fill))
    fat += [*range(start + 1, start + count), END]
    return start


def _packed(entry: Entry) -> bytes:
    name = entry.name.encode("utf-16-le")
    kind = 5 if entry.name == "Root Entry" else 1 if entry.data is None else 2
    child = entry.children[0] if entry.children else FREE
    start = entry.start if kind != 1 and (entry.size or kind == 5) else (0 if kind == 1 else END)
    return name.ljust(64, b"\0") + struct.pack(
        "<HBBIII16x4x8x8xIQ", len(name) + 2, kind, 1, FREE, entry.right, child, start, entry.size
    )


@dataclass
class Attached:
    """An attachment: bytes, or another message."""

    name: str
    data: bytes | Tree


def msg(
    subject: str,
    body: str,
    attachments: Sequence[Attached] = (),
    *,
    sender: str = "shop@example.org",
    html: bytes | None = None,
) -> Tree:
    """The storages of a message from 1 April 2024, 10:00 UTC; `compound` makes a file of it."""
    headers = f"From: Shop <{sender}>\r\nTo: me@example.org\r\nDate: Mon, 01 Apr 2024 10:00:00 +0000\r\n\r\n"
    ticks = 133564392000000000  # 100 ns since 1601
    texts = {
        0x001A: "IPM.Note",
        0x0037: subject,
        0x0C1A: "Shop",
        0x0C1F: sender,
        0x5D01: sender,
        0x0E04: "me@example.org",
    }
    texts |= {0x007D: headers, 0x1000: body}
    streams: dict[str, bytes | Tree] = {f"__substg1.0_{tag:04X}001F": _text(value) for tag, value in texts.items()}
    numbers = [(0x340D, 0x0003, 0x00040E79), (0x0039, 0x0040, ticks), (0x0E06, 0x0040, ticks)]
    if html is not None:
        streams["__substg1.0_10130102"] = html
    sizes = [(tag, 0x001F, len(_text(value)) + 2) for tag, value in texts.items()]
    head = struct.pack("<8xIIII8x", 1, len(attachments), 1, len(attachments))
    streams["__properties_version1.0"] = head + _properties(numbers + sizes)
    streams["__nameid_version1.0"] = {f"__substg1.0_000{n}0102": b"" for n in (2, 3, 4)}
    streams["__recip_version1.0_#00000000"] = {
        "__properties_version1.0": bytes(8) + _properties([(0x0C15, 0x0003, 1)]),
        "__substg1.0_3001001F": _text("Me"),
        "__substg1.0_3003001F": _text("me@example.org"),
        "__substg1.0_39FE001F": _text("me@example.org"),
    }
    for number, attached in enumerate(attachments):
        streams[f"__attach_version1.0_#{number:08X}"] = _attached(number, attached)
    return streams


def _attached(number: int, attached: Attached) -> Tree:
    is_bytes = isinstance(attached.data, bytes)
    found: dict[str, bytes | Tree] = {
        "__properties_version1.0": bytes(8)
        + _properties([(0x3705, 0x0003, 1 if is_bytes else 5), (0x0E21, 0x0003, number)]),
        "__substg1.0_3707001F": _text(attached.name),
        "__substg1.0_3704001F": _text(attached.name),
    }
    if isinstance(attached.data, bytes):
        return found | {"__substg1.0_37010102": attached.data}
    inner = dict(attached.data)
    top = inner["__properties_version1.0"]
    assert isinstance(top, bytes)
    inner["__properties_version1.0"] = top[:24] + top[32:]  # an attached message's head is shorter
    return found | {"__substg1.0_3001001F": _text(attached.name), "__substg1.0_3701000D": inner}


def _text(value: str) -> bytes:
    return value.encode("utf-16-le")


def _properties(values: Sequence[tuple[int, int, int]]) -> bytes:
    return b"".join(struct.pack("<HHIQ", kind, tag, 6, value) for tag, kind, value in values)
