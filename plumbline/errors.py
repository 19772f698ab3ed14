"""The root of every error Plumbline raises on purpose, and the errors of the ground floor.

    PlumblineError
    ├── ConfigError          a setting is unknown, of the wrong type or names something that does not exist
    ├── InputError           an argument or a question that cannot be worked with
    ├── MissingExtraError    an optional package is needed and not installed
    └── StateError           something stored cannot be read or written
        ├── CorruptStateError     a database or index file is damaged
        ├── NewerStateError       written by a newer version of Plumbline
        └── StorageError          the disk is full, read-only or not ours to write

Errors of model calls continue the tree in `routing.errors`, those of documents and knowledge bases in
`rag.errors`. Catch `PlumblineError` to catch all of them.
"""

from __future__ import annotations


class PlumblineError(Exception):
    """Root of the tree. `str(error)` says what was wrong and where; `hint` says what to do about it."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message


class ConfigError(PlumblineError):
    """Raised while configuration is read: names the file, the key, the bad value and the nearest right one."""

    def __init__(
        self,
        message: str,
        *,
        source: str | None = None,
        key: str | None = None,
        value: object = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.source = source
        self.key = key
        self.value = value


class InputError(PlumblineError):
    """Raised by public functions given an argument they cannot work with, such as an empty question."""


class MissingExtraError(PlumblineError):
    """Raised when a feature is first used whose optional package is not installed; names the extra."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"The package '{package}' is needed here and is not installed.",
            hint=f"Run: pip install 'plumbline[{extra}]' (in a clone: pip install '.[{extra}]').",
        )
        self.package = package
        self.extra = extra


class StateError(PlumblineError):
    """Root of the errors about stored state: knowledge bases and the home folder."""


class CorruptStateError(StateError):
    """Raised when a database file is opened or read and is damaged or not one of ours."""


class NewerStateError(StateError):
    """Raised when a database is opened that a newer version of Plumbline has written."""


class StorageError(StateError):
    """Raised when writing fails because the disk is full, read-only or forbids it; nothing stored is lost."""
