"""What one file gives: its document, or several where it holds other files."""

from __future__ import annotations

from dataclasses import dataclass

from rag.types import Document

READER_VERSION = 3
"""Raised when readers change what they make of the same bytes, or what is indexed of it changes: files that another
version read are read again."""

MEMBER_SEPARATOR = "!/"
"""Between a file and what stands inside it: "mail.eml!/report.pdf", "archive.zip!/2024/report.pdf"."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A part of a file that could not be read: `name` is the part's ("scan.pdf"), `reason` one line."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reading:
    """The documents of one file, in order, the file's own first where it has text of its own.

    `hash` is the SHA-256 of the file's bytes; a document out of a container has its own hash, and a `source` and `name`
    of "container!/member". `problems` are members that could not be read: they stop nothing.
    """

    hash: str
    documents: tuple[Document, ...]
    problems: tuple[Problem, ...] = ()
