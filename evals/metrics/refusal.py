"""Whether an answer of any system is a refusal: it says that it does not know, cannot tell, or that nothing is there.

`rag.answer.abstain.is_refusal` is another thing: it recognises the one sentence that our own prompt asks for, and
anything else is an answer to be grounded. Here the words are not known beforehand. The answer is read clause by clause:
it is a refusal when it starts by refusing and then does not answer after all, or when it ends by refusing, whatever it
said on the way. Phrases of English, Spanish, German and French, some of Italian and Portuguese.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Literal

from evals.metrics import refusal_cues as cues
from plumbline.text.sentences import sentences
from rag.answer.markers import without_markers

_LETTER = re.compile(r"[^\W\d_]")
_FINAL = 2  # so many of the last clauses that say something decide how an answer ends


@dataclass(frozen=True, slots=True)
class _Clause:
    """A part of the answer. Apologies and pointers (where to look, what is needed) come with refusals and answers."""

    text: str
    kind: Literal["refuses", "states", "apology", "pointer"]

    def matches(self, pattern: re.Pattern[str]) -> bool:
        return pattern.search(self.text) is not None


@lru_cache(maxsize=256)  # several metrics of one row ask, one after another, and configurations often say the same
def is_refusal(text: str) -> bool:
    """Whether `text` answers nothing; empty text does not, either."""
    said = without_markers(text).strip()
    clauses = _clauses(said)
    saying = [clause for clause in clauses if clause.kind in {"refuses", "states"}]
    if not saying:
        return not said or any(clause.kind == "apology" for clause in clauses)
    if saying[0].kind == "refuses":
        return not _answers_after_all(clauses[clauses.index(saying[0]) + 1 :])
    if any(one.kind == "refuses" and then.matches(cues.GENERAL) for one, then in pairwise(saying)):
        return True
    last = saying[-_FINAL:]
    concludes = any(clause.kind == "states" and clause.matches(cues.CONCLUSION) for clause in last)
    return not concludes and any(clause.kind == "refuses" and _misses_information(clause) for clause in last)


def _clauses(said: str) -> list[_Clause]:
    parts = [
        part
        for start, end in sentences(said)
        for clause in cues.CLAUSE.split(said[start:end])
        if _LETTER.search(part := clause.strip("*_#>- "))
    ]
    return [_Clause(part, _kind(part)) for part in parts]


def _kind(part: str) -> Literal["refuses", "states", "apology", "pointer"]:
    if cues.PERSONAL.search(part):
        return "apology"
    if not part.startswith("If ") and any(pattern.search(part) for pattern in (cues.UNABLE, cues.ABSENT, cues.FOREIGN)):
        return "refuses"
    if cues.APOLOGY.search(part):
        return "apology"
    return "pointer" if cues.POINTER.search(part) else "states"


def _misses_information(clause: _Clause) -> bool:
    """Whether information or an ability is missing, and not the thing asked about ("the filing mentions no debt")."""
    return not clause.matches(cues.ABSENT) or clause.matches(cues.UNABLE) or clause.matches(cues.GAP)


def _answers_after_all(rest: Sequence[_Clause]) -> bool:
    """Whether a turn ("however, …") to a statement follows, and the answer does not end by refusing again.

    Advice and formulas are no answer, nor is what comes after them.
    """
    turned = False
    for index, clause in enumerate(rest):
        if not turned and clause.matches(cues.GENERAL):
            return False
        if clause.kind == "states":
            turned = turned or clause.matches(cues.ADVERSATIVE) or clause.matches(cues.CONCLUSION)
        elif clause.kind == "refuses" and index >= len(rest) - _FINAL:
            turned = False
    return turned
