"""File systems elsewhere that can list their files (S3, GCS, Azure, memory …), through fsspec (extra `remote`)."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from plumbline.errors import InputError, PlumblineError
from plumbline.extras import require
from rag.errors import LoadError, MissingFileError, TooLargeError, UnreadableFileError
from rag.ingest.item import Item, PassedOver
from rag.ingest.load.formats import suffix_of, unsupported
from rag.ingest.settings import LoadingSettings
from rag.ingest.source.address import address, last_part

_CHUNK_BYTES = 2**20
_MARKS = ("ETag", "etag", "md5Hash", "content_md5", "checksum", "crc32c")
_TIMES = ("LastModified", "last_modified", "updated", "mtime", "modified")
_PATTERN = "*?["


def listed(target: str) -> Iterator[Item | PassedOver]:
    """What `target` stands for, in no order; nothing where nothing is there. Raises `InputError`."""
    system, path = _opened(target)
    try:
        system.invalidate_cache()
        if any(mark in path for mark in _PATTERN):
            found = system.glob(path, detail=True)
            base = posixpath.dirname(path[: min(path.find(mark) for mark in _PATTERN if mark in path)])
        else:
            info = system.info(path)
            if info["type"] == "file":
                yield _item(system, path, info, last_part(target))
                return
            found, base = system.find(path, detail=True), path.rstrip("/")
    except FileNotFoundError:
        return
    except Exception as error:  # every file system has errors of its own
        raise InputError(f"{address(target)} cannot be listed: {_reason(error)}.") from error
    for name, info in found.items():
        if info["type"] == "file":
            yield _looked_at(system, name, info, name[len(base) :].lstrip("/"))


def get(url: str, loading: LoadingSettings) -> bytes:
    """The bytes at `url`, at most `loading.max_file_bytes`. Raises a `LoadError`."""
    where, limit = address(url), loading.max_file_bytes
    parts, size = [], 0
    try:
        system, path = _opened(url)
        with system.open(path, "rb") as file:
            while chunk := file.read(min(_CHUNK_BYTES, limit + 1 - size)):
                parts.append(chunk)
                size += len(chunk)
                if size > limit:
                    raise TooLargeError(where, size, limit)
    except LoadError:
        raise
    except PlumblineError as error:
        raise UnreadableFileError(where, error.message.rstrip("."), hint=error.hint) from error
    except FileNotFoundError as error:
        raise MissingFileError(where, "there is no such file") from error
    except Exception as error:  # every file system has errors of its own
        raise UnreadableFileError(where, _reason(error)) from error
    return b"".join(parts)


def _opened(url: str) -> tuple[Any, str]:
    """The file system of `url`, and the path there. Raises `MissingExtraError` or `InputError`."""
    core = require("fsspec.core", "remote")
    try:
        system, path = core.url_to_fs(url)
    except ImportError as error:
        raise InputError(
            f"{address(url)} cannot be opened: {str(error).rstrip('.')}.", hint="Install that package beside this one."
        ) from error
    except Exception as error:  # every file system has errors of its own
        raise InputError(f"{address(url)} cannot be opened: {_reason(error)}.") from error
    return system, path


def _looked_at(system: Any, path: str, info: Mapping[str, Any], name: str) -> Item | PassedOver:
    source = address(system.unstrip_protocol(path))
    if any(part.startswith(".") for part in name.split("/")):
        return PassedOver(source, name, "hidden")
    if reason := unsupported(suffix_of(name)):
        return PassedOver(source, name, reason)
    return _item(system, path, info, name)


def _item(system: Any, path: str, info: Mapping[str, Any], name: str) -> Item:
    url = system.unstrip_protocol(path)
    mark = next((str(info[key]) for key in _MARKS if info.get(key)), "")
    changed = _changed_ns(system, path, info)
    stamp = f"{info.get('size')}-{mark or changed}" if mark or changed else ""
    return Item(address(url), name, url, info.get("size"), stamp, changed)


def _changed_ns(system: Any, path: str, info: Mapping[str, Any]) -> int:
    """When it was last changed, 0 where the file system does not say."""
    value = next((info[key] for key in _TIMES if info.get(key)), None)
    try:
        value = datetime.fromisoformat(value) if isinstance(value, str) else value or system.modified(path)
    except (ValueError, NotImplementedError):
        return 0
    if isinstance(value, datetime):
        since = (value if value.tzinfo else value.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
        return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000
    return int(value * 10**9) if isinstance(value, int | float) else 0


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
