"""What a server said, for a short while."""

from __future__ import annotations

import time
from typing import Generic, TypeVar

T = TypeVar("T")


class Remembered(Generic[T]):
    """A value that is asked for anew after so many `seconds`, or as soon as it is forgotten."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._value: tuple[T, float] | None = None
        self._forgotten = 0

    def get(self) -> T | None:
        """The value, `None` when it must be asked for."""
        found = self._value
        return found[0] if found is not None and time.monotonic() < found[1] else None

    def moment(self) -> int:
        """To be taken before asking."""
        return self._forgotten

    def keep(self, value: T, since: int) -> None:
        """Remember what was asked for at a `moment`, unless it was forgotten since."""
        if since == self._forgotten:
            self._value = value, time.monotonic() + self._seconds

    def forget(self) -> None:
        """Ask anew: it has changed, or may have."""
        self._forgotten += 1
        self._value = None
