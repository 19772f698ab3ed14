"""A tape: what was asked of models and what they did, as lines of JSON that people can read and compare.

A request is found again by a hash of what is sent to the provider: not its deadline, its tags or how it is routed.
Keys never come on a tape: the requests do not carry them, and what looks like one, or stands in an environment variable
that is named like one, is written as "[secret]". Of images the hash is kept.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import os
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from plumbline.errors import InputError
from routing import errors
from routing.chat import ChatRequest, Evidence, Usage
from routing.errors import ModelError, TransientError

LineKind = Literal["chat", "queries", "passages", "rerank"]
NUMBERS = "float32"
"""The key of vectors in a response: little-endian numbers of 32 bits, in base64."""
_USAGE = TypeAdapter(Usage)
_NOT_SENT = frozenset({"deadline", "tags", "wants"})
_KEYS = re.compile(
    r"\b(?:(?:sk|pk|rk|xox[abp])-|(?:sk|pk|rk|gh[opsu])_|AKIA|AIza)[A-Za-z0-9_-]{16,}|(?i:(?<=bearer ))[\w.~+/-]{8,}=*"
)
_NAMED_SECRET = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD)$")
_LEAST_SECRET = 8  # characters; a shorter value would be found in innocent words
_COMPARED = 4000  # characters of requests that are compared to find the nearest
_SHOWN = 12  # lines of the difference to it


class Line(BaseModel):
    """One line: `request` is what was sent, and `response` or `error` what came of it.

    `pieces` are those of a stream, up to where it ended or broke off. `dim` and `max_tokens` describe an embedder.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: LineKind
    model: str
    key: str
    request: dict[str, Any]
    response: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    pieces: list[str] | None = None
    dim: int | None = None
    max_tokens: int | None = None


class UnrecordedError(ModelError):
    """Raised by a replaying model for a request that is not on its tape."""


class Tape:
    """The lines of a file that belong to one model, played in the order in which they were recorded.

    A request that was recorded several times gets one after the other, and the last again and again. `model` may be
    left out where the tape has only one of that kind. Raises `InputError` for what is no tape.
    """

    def __init__(self, path: str | Path, kinds: Sequence[LineKind], model: str | None = None) -> None:
        self.path = Path(path)
        lines = [line for line in read_lines(self.path) if line.kind in kinds]
        names = sorted({line.model for line in lines})
        if not names or (model is None and len(names) > 1) or model not in (None, *names):
            raise InputError(
                f"{self.path} has recordings of {', '.join(names) or 'no such model'}"
                f"{'' if model is None else f', not of {model}'}.",
                hint="Name one of them with model=…" if names else "Record first.",
            )
        self.model = model or names[0]
        self.lines = [line for line in lines if line.model == self.model]
        self._waiting: dict[str, list[Line]] = defaultdict(list)
        for line in self.lines:
            self._waiting[line.key].append(line)

    def play(self, kind: LineKind, request: Mapping[str, Any]) -> Line:
        """The next line of `request`; raises `UnrecordedError` when there is none, or the error that was recorded.

        The error of a stream that broke off after pieces is left to whoever plays them.
        """
        waiting = self._waiting.get(key_of(kind, self.model, request))
        if not waiting:
            raise self._unrecorded(kind, request)
        line = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if line.error is not None and not line.pieces:
            raise error_of(line)
        return line

    def _unrecorded(self, kind: LineKind, request: Mapping[str, Any]) -> UnrecordedError:
        asked = _written(request)

        def likeness(line: Line) -> float:
            other = _written(line.request)[-_COMPARED:]
            return difflib.SequenceMatcher(None, asked[-_COMPARED:], other, autojunk=False).quick_ratio()

        nearest = max((line for line in self.lines if line.kind == kind), key=likeness, default=None)
        message = f"{self.path} has no recording of this request to {self.model}"
        if nearest is None:
            return UnrecordedError(f"{message}, nor of another of its kind.", model=self.model)
        changes = difflib.unified_diff(_written(nearest.request).split("\n"), asked.split("\n"), n=0, lineterm="")
        shown = [scrubbed(change) for change in changes if not change.startswith(("---", "+++", "@@"))]
        more = [f"… and {len(shown) - _SHOWN} more lines"] if len(shown) > _SHOWN else []
        return UnrecordedError(
            "\n".join(
                [f"{message}; the nearest, {nearest.key}, differs (- recorded, + asked):", *shown[:_SHOWN], *more]
            ),
            model=self.model,
            hint="Record it again, or ask as it was recorded.",
        )


def read_lines(path: Path) -> list[Line]:
    """The lines of a tape; raises `InputError` naming the file and the line that cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"There is no tape at {path}: {error.strerror}.", hint="Record one first.") from error
    lines: list[Line] = []
    for number, written in enumerate(text.split("\n"), 1):
        if not written.strip():
            continue
        try:
            lines.append(Line.model_validate_json(written))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the line"
            raise InputError(f"{path}, line {number} is not of a tape: {where}: {first['msg']}.") from error
    return lines


def write_line(path: Path, line: Line) -> None:
    """Add one line to a tape, at once and in one piece."""
    content = _without_secrets(line.model_dump(mode="json", exclude_none=True))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as tape:
        tape.write(json.dumps(content, ensure_ascii=False) + "\n")


def key_of(kind: LineKind, model: str, request: Mapping[str, Any]) -> str:
    """What `request` is found again by, the same on every machine."""
    content = json.dumps([kind, model, request], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()[:20]


def sent(request: ChatRequest) -> dict[str, Any]:
    """What of a request is sent, without what is as usual: fields that later versions add change no hash."""
    plain: dict[str, Any] = _plain(request)
    return {key: value for key, value in plain.items() if key not in _NOT_SENT}


def scrubbed(text: str) -> str:
    """`text` without what looks like a key, and without what the environment says is one."""
    for name, value in os.environ.items():
        if _NAMED_SECRET.search(name) and len(value) >= _LEAST_SECRET:
            text = text.replace(value, "[secret]")
    return _KEYS.sub("[secret]", text)


def error_to_json(error: ModelError) -> dict[str, Any]:
    """An error as it stands on a tape."""
    retry_after = error.retry_after if isinstance(error, TransientError) else None
    usage = None if error.usage is None else usage_to_json(error.usage)
    said = {"status": error.status, "hint": error.hint, "retry_after": retry_after, "usage": usage}
    return {"type": type(error).__name__, "message": error.message} | {k: v for k, v in said.items() if v is not None}


def error_of(line: Line) -> ModelError:
    """The error that a line has; one of a class that is not known any more is a `ModelError`."""
    said = dict(line.error or {})
    usage = said.pop("usage", None)
    kind = getattr(errors, said.pop("type", ""), None)
    known = kind if isinstance(kind, type) and issubclass(kind, ModelError) else ModelError
    error = known(said.pop("message", ""), model=line.model, **said)
    error.usage = None if usage is None else usage_of(usage)
    return error


def usage_to_json(usage: Usage) -> dict[str, Any]:
    """What was used, as it stands on a tape: counts that are not 0."""
    plain: dict[str, Any] = _USAGE.dump_python(usage, exclude_defaults=True)
    return plain


def usage_of(said: Mapping[str, Any]) -> Usage:
    """What was used, from a tape."""
    return _USAGE.validate_python(said)


def _plain(value: object) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {
            field.name: getattr(value, field.name) for field in dataclasses.fields(value) if _differs(field, value)
        }
        if isinstance(value, Evidence):
            fields.pop("score", None)  # not sent, and not the same on every machine
        return {name: _plain(content) for name, content in fields.items()}
    if isinstance(value, bytes):
        return f"sha256:{hashlib.sha256(value).hexdigest()}"
    if isinstance(value, Mapping):
        return {str(key): _plain(content) for key, content in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        # Numbers are no text, though what they are written as may look like anything.
        return {key: content if key == NUMBERS else _without_secrets(content) for key, content in value.items()}
    if isinstance(value, list):
        return [_without_secrets(part) for part in value]
    return scrubbed(value) if isinstance(value, str) else value


def _differs(field: dataclasses.Field[Any], owner: object) -> bool:
    return field.default is dataclasses.MISSING or getattr(owner, field.name) != field.default


def _written(request: Mapping[str, Any]) -> str:
    return json.dumps(request, sort_keys=True, ensure_ascii=False, indent=1)
