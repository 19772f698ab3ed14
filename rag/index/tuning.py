"""When the embedded store approximates, and when it puts its index in order."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tuning:
    """When and how the dense side approximates.

    Up to `exact_rows` rows that match are compared one by one. Of more, by their codes, the `least`, `per_hit` * k or
    `per_root` * sqrt(rows) nearest are, whichever is most; and more where a code has fewer bits than `bits`. Vectors of
    up to `full_bytes` are held as they are too, of more the few that are needed are read from the database.

    What was written since the base was made joins it in memory when it is half as long, but not before `merge_from`
    rows and not after `merge_at`. A file that lacks `left_to_readers` changes, or a twentieth of the points, is not
    written anew: whoever opens it takes them over in a moment.
    """

    exact_rows: int = 2048
    least: int = 512
    per_hit: int = 12
    per_root: float = 3.0
    bits: int = 384
    full_bytes: int = 1 << 29
    merge_from: int = 20_000
    merge_at: int = 100_000
    left_to_readers: int = 500

    def candidates(self, k: int, rows: int, dim: int) -> int:
        """How many of `rows` are compared."""
        most = max(self.least, self.per_hit * k, self.per_root * math.sqrt(rows))
        return math.ceil(most * max(1, self.bits / dim))

    def merges(self, tail: int, base: int) -> bool:
        """Whether so many rows join a base of so many."""
        return tail >= min(self.merge_at, max(self.merge_from, base // 2))

    def leaves(self, count: int) -> int:
        """How many changes a file of `count` points may lack."""
        return max(self.left_to_readers, count // 20)
