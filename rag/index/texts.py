"""Many short texts as two arrays, which a file can hold and processes can share. This module imports numpy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Ends = npt.NDArray[np.int64]

DECODED = 1 << 17
"""So many are kept decoded, once they are asked for: about 10 MB of identifiers."""


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """Texts in UTF-8 one after the other; `ends[i]` is where the i-th stops."""

    content: Bytes = field(default_factory=lambda: np.empty(0, np.uint8))
    ends: Ends = field(default_factory=lambda: np.empty(0, np.int64))
    _decoded: list[str] = field(default_factory=list, init=False, repr=False)

    @classmethod
    def of(cls, texts: Iterable[str]) -> Texts:
        """These texts; surrogates that no encoding has are kept."""
        encoded = [text.encode(errors="surrogatepass") for text in texts]
        ends = np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)))
        return cls(np.frombuffer(b"".join(encoded), np.uint8), ends)

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, place: int) -> str:
        start = self.ends.item(place - 1) if place else 0
        return str(self.content.data[start : self.ends.item(place)], "utf-8", "surrogatepass")

    def at(self, places: npt.NDArray[np.intp]) -> list[str]:
        """The texts at these places."""
        if len(self) <= DECODED:
            if not self._decoded:
                self._decoded[:] = self
            return [self._decoded[place] for place in places.tolist()]
        stops = self.ends[places].tolist()
        starts = np.where(places > 0, self.ends[places - 1], 0).tolist() if len(self) else []
        content = self.content.data
        return [str(content[at:stop], "utf-8", "surrogatepass") for at, stop in zip(starts, stops, strict=True)]

    def __iter__(self) -> Iterator[str]:
        content, start = self.content.tobytes(), 0
        for end in self.ends.tolist():
            yield content[start:end].decode(errors="surrogatepass")
            start = end

    @classmethod
    def joined(cls, parts: Sequence[Texts]) -> Texts:
        """All of them, one behind the other."""
        before = np.cumsum([0, *(len(part.content) for part in parts)])
        ends = [part.ends + first for part, first in zip(parts, before[:-1], strict=True)]
        empty = cls()
        content = np.concatenate([empty.content, *(part.content for part in parts)])
        return cls(content, np.concatenate([empty.ends, *ends]))

    def is_whole(self) -> bool:
        """Whether the ends ascend to the end of the content."""
        last = int(self.ends[-1]) if len(self.ends) else 0
        return last == len(self.content) and bool(np.all(np.diff(self.ends, prepend=0) >= 0))
