"""Reads an upload (multipart/form-data, RFC 7578) straight into files, and refuses it as soon as it can be refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from rag.serve.errors import (
    BadRequestBodyError,
    BodyTooLargeError,
    ClientGoneError,
    FieldError,
    InvalidFieldError,
    SlowRequestError,
    UnsupportedTypeError,
)
from rag.serve.limits import announced_bytes
from rag.serve.settings import ServeSettings
from rag.serve.uploads import Growing, Uploads, require_plausible, safe_name

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks
    from starlette.types import Receive

FIELD = "files"
_WRITE_BYTES = 1 << 20


async def receive_files(
    receive: Receive, headers: Mapping[bytes, bytes], uploads: Uploads, limits: ServeSettings, *, max_file_bytes: int
) -> list[Growing]:
    """The whole files of an upload, not yet named; on any error, and when the client goes away, none is left.

    Raises `RequestError` for what is no upload, is of a kind that is not read, or is too large or too slow, and
    `StorageError`.
    """
    kind, options = parse_options_header(headers.get(b"content-type", b""))
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        shown = kind.decode("latin-1") or "no content type"
        raise UnsupportedTypeError(f"An upload must be multipart/form-data with a boundary, not {shown}.")
    if announced_bytes(headers.get(b"content-length", b"")) > limits.max_upload_bytes:
        raise _too_large(limits)
    form = _Form(options[b"boundary"], uploads, limits.max_upload_files, max_file_bytes)
    try:
        async for block in _blocks(receive, limits):
            await asyncio.to_thread(form.feed, block)
        form.finish()
    except BaseException:
        form.discard()
        raise
    return form.files


class _Form:
    """The state of one upload; everything but its creation runs in worker threads, one call at a time."""

    def __init__(self, boundary: bytes, uploads: Uploads, max_files: int, max_file_bytes: int) -> None:
        self.files: list[Growing] = []
        self._uploads = uploads
        self._max_files = max_files
        self._max_file_bytes = max_file_bytes
        self._headers: dict[bytes, bytes] = {}
        self._name = b""
        self._value = b""
        self._whole = False
        callbacks: MultipartCallbacks = {
            "on_part_begin": self._headers.clear,
            "on_header_field": self._on_field,
            "on_header_value": self._on_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_part,
            "on_part_data": self._on_data,
            "on_part_end": self._on_part_end,
            "on_end": self._on_end,
        }
        self._parser = MultipartParser(boundary, callbacks)

    def feed(self, block: bytes) -> None:
        """Take in the next part of the body."""
        try:
            self._parser.write(block)
        except FormParserError as error:
            raise BadRequestBodyError(f"The body is not multipart/form-data: {error}.") from error

    def finish(self) -> None:
        """The body has ended; raises when the form has not, or is empty."""
        if not self._whole:
            raise BadRequestBodyError("The upload ends before its closing boundary.")
        if not self.files:
            message = f"The upload holds no file; files come in the field '{FIELD}'."
            raise InvalidFieldError(message, errors=[FieldError(FIELD, message)])

    def discard(self) -> None:
        """Remove what was written."""
        for file in self.files:
            file.discard()

    def _on_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _on_part(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        field = options.get(b"name", b"").decode("utf-8", "replace")
        if field != FIELD or b"filename" not in options:
            message = f"There is no field '{field}'; files come in the field '{FIELD}', each with its file name."
            raise InvalidFieldError(message, errors=[FieldError(field or FIELD, message)])
        if len(self.files) >= self._max_files:
            raise BodyTooLargeError(f"An upload holds at most {self._max_files} files.", hint="Send them in parts.")
        name = safe_name(options[b"filename"].decode("utf-8", "replace"))
        if any(file.name == name for file in self.files):
            message = f"Two files of the upload are called '{name}'."
            raise InvalidFieldError(message, errors=[FieldError(FIELD, message)])
        self.files.append(self._uploads.begin(name))

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        file = self.files[-1]
        file.write(data[start:end])
        if file.size > self._max_file_bytes:
            message = f"'{file.name}' has more than {self._max_file_bytes:,} bytes."
            hint = "Split it, or raise the setting 'loading.max_file_bytes'."
            raise BodyTooLargeError(message, hint=hint, errors=[FieldError(FIELD, message)])

    def _on_part_end(self) -> None:
        require_plausible(self.files[-1].name, self.files[-1].begins)

    def _on_end(self) -> None:
        self._whole = True


async def _blocks(receive: Receive, limits: ServeSettings) -> AsyncIterator[bytes]:
    """The body in blocks worth a trip to a worker thread."""
    block, total, more = bytearray(), 0, True
    while more:
        try:
            async with asyncio.timeout(limits.timeout_seconds):
                message = await receive()
        except TimeoutError as error:
            raise SlowRequestError(f"The upload stood still for {limits.timeout_seconds:g} s.") from error
        if message["type"] == "http.disconnect":
            raise ClientGoneError("The client went away.")
        block += message.get("body", b"")
        more = message.get("more_body", False)
        total += len(message.get("body", b""))
        if total > limits.max_upload_bytes:
            raise _too_large(limits)
        if len(block) >= _WRITE_BYTES or not more:
            yield bytes(block)
            block.clear()


def _too_large(limits: ServeSettings) -> BodyTooLargeError:
    return BodyTooLargeError(
        f"The upload has more than {limits.max_upload_bytes:,} bytes.",
        hint="Send it in parts, or raise the setting 'serve.max_upload_bytes'.",
    )
