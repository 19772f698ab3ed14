"""Goes on with an answer whose model broke off in the middle: what is asked then, and the seam between both parts.

Chat interfaces have no way to go on with a text, so the part that was said is given back as the assistant's turn and
the model is asked for the rest. Models tend to take a run-up and repeat some of it; what they repeat is cut off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from plumbline.prompts import load_prompt
from routing.chat import ChatRequest, Message

RUN_UP = 400
"""So many characters are looked at for a repetition."""
CHANCE = 8
"""A repetition of fewer characters may be none: "the" can follow on "the"."""


def continuation(request: ChatRequest, said: str) -> ChatRequest:
    """What asks for the rest of an answer of which `said` is known."""
    turns = (Message("assistant", said), Message("user", load_prompt("continue").body.strip()))
    return replace(request, messages=(*request.messages, *turns))


def overlap(said: str, more: str) -> int:
    """How many characters at the beginning of `more` repeat the end of `said`, or all of it; 0 when it does not.

    A text that begins anew repeats as much as both have in common, if that is all of `said`.
    """
    if more.startswith(said):
        return len(said)
    longest = min(len(said), len(more))
    return next((size for size in range(longest, CHANCE - 1, -1) if said.endswith(more[:size])), 0)


@dataclass(slots=True)
class Seam:
    """Hands the pieces of a continuation on, without what they repeat of `said`."""

    said: str
    hand_on: Callable[[str], None]
    _held: str = ""
    _open: bool = True
    _added: list[str] = field(default_factory=list)

    def take(self, piece: str) -> None:
        """The next piece; the first ones are held back until it is clear what they repeat."""
        if not self._open:
            self._pass_on(piece)
            return
        self._held += piece
        begins_anew = self.said.startswith(self._held)
        if not begins_anew and len(self._held) >= min(len(self.said), RUN_UP):
            self._close()

    def whole(self) -> str:
        """All that was said, now that no more is coming."""
        self._close()
        return self.said + "".join(self._added)

    def broken_off(self) -> str:
        """All that was said, now that this model has broken off, too; a beginning that it only repeated is left out."""
        if self._open and self.said.startswith(self._held):
            self._held = ""
        return self.whole()

    def _close(self) -> None:
        if self._open:
            self._open, held = False, self._held
            self._pass_on(held[overlap(self.said, held) :])

    def _pass_on(self, text: str) -> None:
        if text:
            self._added.append(text)
            self.hand_on(text)
