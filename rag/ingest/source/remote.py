"""Files elsewhere: pages and files on web servers, and what fsspec opens (s3://, gs://, memory:// …; extra `remote`).

Web servers are asked through the standard library and cannot list what they have; other file systems can: there a
folder stands for all that lies below it, and a pattern for what it matches.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b

from plumbline.errors import InputError
from rag.errors import LoadError, MissingFileError
from rag.ingest.item import Item, PassedOver
from rag.ingest.load.formats import SUPPORTED, suffix_of, unsupported
from rag.ingest.settings import LoadingSettings
from rag.ingest.source import buckets, http
from rag.ingest.source.address import address, check, is_http, last_part

_AT_ONCE = 16
"""Questions to web servers that are under way at the same time."""
_AHEAD = 256
_ANYTHING = ("text/", "application/octet-stream", "binary/octet-stream")
"""Media types under which servers send what they do not know; then the bytes tell."""


class RemoteSource:
    """What lies at one URL or at several: files, and, where a file system can list, folders and patterns.

    `root` names the source; without it, a single URL does, and several do by all of their addresses. A URL that was in
    the list and is no more counts as gone. Raises `InputError` for what is no URL.
    """

    def __init__(
        self, targets: str | Sequence[str], *, root: str | None = None, timeout: float = http.TIMEOUT_SECONDS
    ) -> None:
        targets = [targets] if isinstance(targets, str) else list(targets)
        self._files: dict[str, str] = {}
        self._listed: dict[str, str] = {}
        for target in targets:
            check(target, "The address")
            urls = self._files if is_http(target) else self._listed
            if urls.setdefault(address(target), target) != target:
                raise InputError(
                    f"Two URLs are both '{address(target)}' once their credentials are taken away.",
                    hint="Leave one of them out.",
                )
        self._timeout = timeout
        self._present: frozenset[str] | None = None
        self.root = root or (address(targets[0]) if len(targets) == 1 else _digest([*self._files, *self._listed]))

    def items(self) -> Iterator[Item | PassedOver]:
        """As `Source.items`. What cannot be reached is passed over; alone, it raises `InputError`."""
        found = self._look()
        if not found and not self._files:
            raise InputError(f"There is no file at {self.root}.", hint="Check the address and the credentials.")
        order = sorted([*found, *self._files])
        pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="plumbline-remote")
        try:
            for start in range(0, len(order), _AHEAD):
                window = order[start : start + _AHEAD]
                asked = pool.map(self._asked, [source for source in window if source not in found])
                for source in window:
                    yield found[source] if source in found else next(asked)
        finally:
            pool.shutdown(cancel_futures=True)

    def is_gone(self, source: str) -> bool:
        """As `Source.is_gone`: a web server says 404 or 410, what could be listed has it not, or nobody names it."""
        if source in self._files:
            try:
                http.head(self._files[source], timeout=self._timeout)
            except LoadError as error:
                return isinstance(error, MissingFileError)
            return False
        if self._present is None:
            try:
                self._look()
            except InputError:
                return False
        return source not in (self._present or ())

    def _look(self) -> dict[str, Item | PassedOver]:
        """List what can be listed; raises `InputError` where that fails."""
        self._present = None
        found = {each.source: each for target in self._listed.values() for each in buckets.listed(target)}
        self._present = frozenset(found)
        return found

    def _asked(self, source: str) -> Item | PassedOver:
        url = self._files[source]
        name = last_part(source)
        try:
            head = http.head(url, timeout=self._timeout)
        except LoadError as error:
            if len(self._files) + len(self._listed) == 1:
                raise InputError(error.message, hint=error.hint) from error
            return PassedOver(source, name, error.reason, failed=True)
        name = named(name, head.media_type)
        if unsupported(suffix_of(name)) and not (head.media_type or "text/").startswith(_ANYTHING):
            return PassedOver(source, name, f"the format '{head.media_type}' is not read")
        return Item(source, name, url, head.size, head.stamp, head.changed_ns)


def fetch(item: Item, loading: LoadingSettings) -> bytes:
    """The bytes of a remote item, at most `loading.max_file_bytes`. Raises the `LoadError` that says why not."""
    read = http.get if is_http(item.path) else buckets.get
    return read(item.path, loading)


def named(name: str, media_type: str) -> str:
    """`name`, with the suffix of `media_type` where its own does not tell.

    What a server calls a web page is one, also where its name is that of a script or of a text ("page.php").
    """
    known = SUPPORTED.get(suffix_of(name), "")
    if known and not (media_type == "text/html" != known and known.startswith("text/")):
        return name
    guess = mimetypes.guess_extension(media_type) or ""
    suffixes = (suffix for suffix, each in SUPPORTED.items() if each == media_type)
    return name + (guess if guess in SUPPORTED else next(suffixes, ""))


def _digest(addresses: list[str]) -> str:
    return "urls:" + blake2b("\n".join(sorted(addresses)).encode(), digest_size=8).hexdigest()
