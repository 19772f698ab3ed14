"""Whether an answer of any system is a refusal: it says that it does not know, cannot tell, or that nothing is there.

`rag.answer.abstain.is_refusal` is another thing: it recognises the one sentence that our own prompt asks for, and
anything else is an answer to be grounded. Here the words are not known beforehand. The answer is read by sentences: it
is a refusal when it starts by refusing and then does not answer after all, or when it ends by refusing, whatever it
said on the way. Phrases of English, Spanish, German and French, some of Italian and Portuguese.
"""

from __future__ import annotations

import re
from itertools import pairwise

from evals.metrics.refusal_cues import (
    ABSENT,
    ADVERSATIVE,
    APOLOGY,
    CLAUSE,
    CONCLUSION,
    FOREIGN,
    GAP,
    GENERAL,
    POINTER,
    UNABLE,
)
from plumbline.text.sentences import sentences
from rag.answer.markers import without_markers

_LETTER = re.compile(r"[^\W\d_]")
_PERSONAL = re.compile(r"\bI (?:do not|don[’']t) have personal\b", re.IGNORECASE)  # a disclaimer, not a refusal
_FINAL = 2  # so many of the last sentences that say something decide how an answer ends


def is_refusal(text: str) -> bool:
    """Whether `text` answers nothing; empty text does not, either."""
    said = without_markers(text).strip()
    parts = [
        part
        for start, end in sentences(said)
        for clause in CLAUSE.split(said[start:end])
        if _LETTER.search(part := clause.strip("*_#>- "))
    ]
    if not parts:
        return not said
    kinds = [_kind(part) for part in parts]
    saying = [index for index, kind in enumerate(kinds) if kind not in {"pointer", "apology"}]
    if not saying:
        return "apology" in kinds
    first, last = saying[0], saying[-_FINAL:]
    if kinds[first] == "refuse":
        return not _answers_after_all(parts, kinds, first)
    if any(kinds[i] == "refuse" and GENERAL.search(parts[j]) for i, j in pairwise(saying)):
        return True
    return any(kinds[index] == "refuse" and _is_gap(parts[index]) for index in last) and not any(
        kinds[index] == "claim" and CONCLUSION.search(parts[index]) for index in last
    )


def _kind(part: str) -> str:
    if _PERSONAL.search(part):
        return "apology"
    if not part.startswith("If ") and (UNABLE.search(part) or ABSENT.search(part) or FOREIGN.search(part)):
        return "refuse"
    if APOLOGY.search(part):
        return "apology"
    return "pointer" if POINTER.search(part) else "claim"


def _is_gap(sentence: str) -> bool:
    """Whether the sentence misses information, or the speaker's ability, and not the thing asked about."""
    return ABSENT.search(sentence) is None or UNABLE.search(sentence) is not None or GAP.search(sentence) is not None


def _answers_after_all(parts: list[str], kinds: list[str], first: int) -> bool:
    """Whether a turn ("however, …") to a statement follows, and the answer does not end by refusing again.

    Advice and formulas are no answer, nor is what comes after them.
    """
    turned = False
    for index in range(first + 1, len(parts)):
        if GENERAL.search(parts[index]) and not turned:
            return False
        if kinds[index] == "claim":
            turned = (
                turned or ADVERSATIVE.match(parts[index]) is not None or CONCLUSION.search(parts[index]) is not None
            )
        elif kinds[index] == "refuse" and index >= len(parts) - _FINAL:
            turned = False
    return turned
