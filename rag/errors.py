"""The errors of documents and knowledge bases.

    RagError                       root
    ├── NoDocumentsError           a folder or pattern holds nothing that can be read
    ├── KnowledgeBaseMismatchError a knowledge base was built with another embedder than the configuration names
    └── LoadError                  one file cannot be read; carries `path` and `reason`
        ├── MissingFileError       nothing is there, or it vanished between listing and reading
        ├── UnreadableFileError    the operating system refuses: permission, a broken disk, a dead network share
        ├── EmptyFileError         zero bytes, or nothing but white space
        ├── NoTextError            pages without a text layer: scanned or drawn
        ├── TooLargeError          more bytes than the setting `loading.max_file_bytes` allows
        ├── OverLimitError         more comes out of it than a setting allows: files, bytes, cells
        ├── UnsupportedFileError   a format that is not read, or no regular file
        ├── EncryptedFileError     a password is needed
        └── DamagedFileError       truncated, or not what its name says

    StateError                     something stored cannot be read or written (`plumbline.errors`)
    └── StoreError                 the server of a store refuses, or answers what it should not
        └── StoreUnavailableError  it does not answer, or has too much to do; another try may help

The loader raises a `LoadError` for one file; ingestion reports it and goes on with the others.
"""

from __future__ import annotations

from pathlib import Path

from plumbline.errors import PlumblineError, StateError


class RagError(PlumblineError):
    """Root of the errors about documents and knowledge bases."""


class NoDocumentsError(RagError):
    """Raised by ingestion when a folder or pattern holds nothing that can be read."""


class KnowledgeBaseMismatchError(RagError):
    """Raised when a knowledge base is opened whose vectors another embedder made than the configuration names."""

    exit_code = 3


class LoadError(RagError):
    """Root of the errors about one file. Raised by loaders; `reason` is one line without the path."""

    def __init__(self, path: Path | str, reason: str, *, hint: str | None = None) -> None:
        shown = str(path).encode("utf-8", "replace").decode()
        super().__init__(f"Cannot read '{shown}': {reason}.", hint=hint)
        self.path = Path(path)
        self.reason = reason


class MissingFileError(LoadError):
    """Raised when there is nothing at the path, also when a file vanished between listing and reading."""


class UnreadableFileError(LoadError):
    """Raised when the operating system refuses to open or read the file."""


class EmptyFileError(LoadError):
    """Raised for a file of zero bytes or of nothing but white space."""


class NoTextError(LoadError):
    """Raised for a document with pages but no text layer on any of them, as scanners make them."""


class TooLargeError(LoadError):
    """Raised before reading a file larger than `loading.max_file_bytes` allows; `size` and `limit` are in bytes."""

    def __init__(self, path: Path | str, size: int, limit: int) -> None:
        super().__init__(
            path,
            f"it has {size / 1e6:,.0f} MB, the limit is {limit / 1e6:,.0f} MB",
            hint="Raise the setting 'loading.max_file_bytes' or split the file.",
        )
        self.size = size
        self.limit = limit


class OverLimitError(LoadError):
    """Raised when more comes out of a file than the setting `key` allows, as of an archive made to fill the disk."""

    def __init__(self, path: Path | str, reason: str, key: str) -> None:
        super().__init__(path, reason, hint=f"Raise the setting '{key}' if the file can be trusted, or split it.")
        self.key = key


class UnsupportedFileError(LoadError):
    """Raised for a format that is not read, and for what is no regular file (a folder, a pipe, a device)."""


class EncryptedFileError(LoadError):
    """Raised for a document that needs a password."""


class DamagedFileError(LoadError):
    """Raised for a file that is cut short or is not what its name says."""


class StoreError(StateError):
    """Raised when the server of a store refuses a call, or answers what it should not."""


class StoreUnavailableError(StoreError):
    """Raised when the server of a store does not answer, or has too much to do, also at the last try.

    `retry_after` is in seconds, where the server said it. What was being written may be there in part: the same call
    made again completes it.
    """

    def __init__(self, message: str, *, hint: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after
