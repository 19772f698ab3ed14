"""A lexical index as it was at a moment, to be written. This module imports numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.index.blocks import Blocks
from rag.index.lexical.merge import Merge
from rag.index.lexical.part import Part

FORMAT = 2


@dataclass(frozen=True, slots=True, eq=False)
class FrozenLexical:
    """`lengths` are int32[n] in sixteenths; `alive` is bool[n], `None` where all are."""

    parts: Sequence[Part]
    lengths: npt.NDArray[np.int32]
    alive: npt.NDArray[np.bool_] | None
    languages: Mapping[str, npt.NDArray[np.generic]]

    def arrays(self) -> dict[str, npt.NDArray[Any] | Blocks]:
        """The index as arrays, the long ones to be made some at a time; the parts are merged, without what is gone."""
        single = len(self.parts) == 1 and self.alive is None
        part = self.parts[0] if single else Merge(self.parts, self.alive)
        return {
            "format": np.array([FORMAT]),
            **part.vocabulary.to_arrays(),
            "indptr": part.indptr,
            "chunks": part.chunks,
            "frequencies": part.frequencies,
            "lengths": self.lengths,
            "alive": np.ones(len(self.lengths), np.bool_) if self.alive is None else self.alive,
            **self.languages,
        }
