"""Which language each chunk of a lexical index is in. This module imports numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

_MOST = 255


class Languages:
    """A code of one byte for each position; 0 where the language is not known."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._codes: npt.NDArray[np.uint8] = np.zeros(0, np.uint8)

    def append(self, languages: Sequence[str | None]) -> None:
        """Add positions behind the last. After 255 languages others are not known."""
        for name in dict.fromkeys(languages):
            if name and name not in self._names and len(self._names) < _MOST:
                self._names.append(name)
        code = {name: at for at, name in enumerate(self._names, 1)}
        new = np.fromiter((code.get(name or "", 0) for name in languages), np.uint8, len(languages))
        self._codes = np.concatenate([self._codes, new])

    def of(self, alive: npt.NDArray[np.bool_]) -> tuple[str, ...]:
        """The languages of the positions that are `alive`, sorted."""
        held = np.bincount(self._codes[alive], minlength=len(self._names) + 1)[1:]
        return tuple(sorted(name for name, count in zip(self._names, held.tolist(), strict=True) if count))

    def to_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """The codes, and the names as one text."""
        names = "\n".join(self._names).encode()
        return {"languages": self._codes, "language_names": np.frombuffer(names, np.uint8)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[np.generic]]) -> Languages:
        """What `to_arrays` took apart. Raises `ValueError` where a code has no name."""
        found = cls()
        found._names = np.asarray(arrays["language_names"], np.uint8).tobytes().decode().split()
        found._codes = np.array(arrays["languages"], np.uint8)
        if len(found._codes) and int(found._codes.max()) > len(found._names):
            raise ValueError("a language has no name")
        return found

    def __len__(self) -> int:
        return len(self._codes)
