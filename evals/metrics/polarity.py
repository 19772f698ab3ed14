"""Whether an answer says yes or no, and whether something rose or fell: where one word makes it right or wrong."""

from __future__ import annotations

import re

from evals.metrics.content import content_terms
from plumbline.text.sentences import sentences

_YES_NO = re.compile(
    r"^\W*(?:(?P<yes>yes|sí|ja|oui|sim)|(?P<no>no|nein|non|não))\b(?!\s+(?:one|longer|other)\b)", re.IGNORECASE
)
_CONCLUDED = re.compile(
    r"\b(?:the (?:final |short )?answer (?:to (?:the|your) question )?is|so|therefore|thus|in (?:summary|conclusion))"
    r",?:?\s+[\"'*]*(?P<word>yes|no)\b(?!\s+(?:one|longer|other)\b)",
    re.IGNORECASE,
)
_POLAR = re.compile(
    r"^\W*(?:(?:and|but|so)\s+)?(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should|may|might|must|"
    r"ist|sind|war|hat|haben|kann|est-ce|es|son|fue|tiene)\b|[,:]\s*(?:is|are|was|were|do|does|did|has|have|had|can)\s",
    re.IGNORECASE,
)
_NONE = re.compile(
    r"^\W*(?:there (?:is|are|was|were|isn[’']t|aren[’']t) (?:none|no|not any)\b|none\b|nothing\b|nobody\b|no one\b|"
    r"[^.]{0,60}\b(?:did|do|does|has|have|had|was|were) (?:not|n[’']t)\b[^.]{0,20}\bany\b|not (?:any|applicable)\b)",
    re.IGNORECASE,
)
_NEGATION = re.compile(
    r"\b(?:not|no|none|never|neither|nor|nobody|nothing|without|cannot|fails? to|lacks?)\b|n[’']t\b", re.IGNORECASE
)
_UP = re.compile(
    r"\b(?:increas\w*|rise|rises|rising|rose|risen|grew|grow\w*|higher|gain\w*|expand\w*|improv\w*|upward\w*|widen\w*)\b",
    re.IGNORECASE,
)
_DOWN = re.compile(
    r"\b(?:decreas\w*|declin\w*|fell|fall\w*|drop\w*|lower\w*|reduc\w*|shr[aiu]nk\w*|worsen\w*|downward\w*|narrow\w*|"
    r"deteriorat\w*)\b",
    re.IGNORECASE,
)

_NO_STATEMENT = re.compile(
    r"^\W*(?:to|in order to|if|whether)\b|\?\W*$", re.IGNORECASE
)  # a purpose, a condition, a question


def polarity(question: str, text: str, language: str = "en") -> bool | None:
    """Whether `text` answers `question` with yes; `None` when that cannot be told.

    "Yes" and "no" as the first word, or as the conclusion, decide. Otherwise the sentence does that repeats most of the
    question: negated, or with the opposite direction of change, it means no.
    """
    said = _YES_NO.match(text) or _CONCLUDED.search(text)
    if said:
        groups = said.groupdict()
        return bool(groups["yes"]) if "yes" in groups else groups["word"].casefold() == "yes"
    asked = frozenset(content_terms(question, language))
    main = _main_sentence(asked, text, language)
    if main is None:
        return None
    negated = _NEGATION.search(main) is not None
    turned = {direction(question), direction(main)} == {"up", "down"}
    return negated == turned


def gold_polarity(question: str, gold: str) -> bool | None:
    """What the gold answer says: yes, no (also "none", for a question whether or which there are), or neither."""
    said = _YES_NO.match(gold) if is_polar(question) else None
    if said:
        return said["yes"] is not None
    return False if _NONE.match(gold) else None


def is_polar(question: str) -> bool:
    """Whether the question can be answered with yes or no."""
    return _POLAR.search(question) is not None


def direction(text: str) -> str | None:
    """ "up" or "down" when the text names one direction of change and not the other."""
    up, down = _UP.search(text), _DOWN.search(text)
    return None if bool(up) == bool(down) else "up" if up else "down"


def asks_direction(question: str) -> bool:
    """Whether the question names both directions: "did it increase or decrease?"."""
    return _UP.search(question) is not None and _DOWN.search(question) is not None


def stated_direction(question: str, text: str, language: str = "en") -> str | None:
    """The direction in the sentence that repeats most of the question."""
    main = _main_sentence(frozenset(content_terms(question, language)), text, language)
    return None if main is None else direction(main)


def _main_sentence(asked: frozenset[str], text: str, language: str) -> str | None:
    """The sentence that shares most terms with the question, of equal ones the last; `None` without any in common."""
    best, most = None, 0
    for start, end in sentences(text):
        sentence = text[start:end]
        if _NO_STATEMENT.search(sentence):
            continue
        shared = len(asked.intersection(content_terms(sentence, language)))
        if shared >= most and shared:
            best, most = sentence, shared
    return best
