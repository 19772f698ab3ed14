"""What works on a question beside the model that answers it, and whether it may: an embedder, a reranker, a store."""

from __future__ import annotations

from dataclasses import dataclass

from routing.chat import Wants
from routing.errors import UnsupportedError
from routing.policy.fitting import P50, Candidate, unseen, unsuited


@dataclass(frozen=True, slots=True)
class Step:
    """A model, or a server, by its `name`; `setting` is the key that names it.

    `leaves` says where it sends what it is asked, `None` when that stays on this machine or network. `p50` tells how
    fast models were seen to be.
    """

    name: str
    setting: str
    leaves: str | None = None
    p50: P50 = unseen

    def why_not(self, wants: Wants) -> str | None:
        """Why a step that can be left out is, when this is wanted; `None`: it is taken."""
        found = unsuited(Candidate(self.name, self.leaves), wants, self.p50)
        return None if found is None else f"{self.name}: {found.says}"

    def check(self, wants: Wants, hint: str) -> None:
        """Raise `UnsupportedError`, with the `hint`, when a step that is always taken would leave the machine."""
        if wants.local and self.leaves is not None:
            raise UnsupportedError(
                f"Nothing of this question may leave the machine, and {self.setting} is '{self.name}': {self.leaves}.",
                model=self.name,
                hint=hint,
            )
