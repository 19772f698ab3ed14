"""When an answer is a refusal, and how confident an answer is.

The confidence only ranks answers until it is fitted on labelled data (`Answer.calibrated` says so).
"""

from __future__ import annotations

import re

from rag.answer.ground import Grounding
from rag.answer.markers import without_markers
from routing.chat import ChatResponse

# The sentence, with what it is about; a full stop inside a name or a number does not end it.
_REFUSAL = re.compile(
    r"^\W*I (?:don['’]t|do not) have enough information\b(?P<about>(?:[^.!?\n]|[.!?](?=(?-i:[a-z0-9])))*+)\W*",
    re.IGNORECASE,
)
# A sentence after it that only says again that the evidence is silent.
_SILENT = re.compile(
    r"(?:The|These|None of the) (?:\w+ )?(?:evidence|documents?|sources?|passages?|context|text) "
    r"(?:(?:does|do|did) not|(?:does|do|did)n['’]t|mentions? no|says? nothing)\b(?P<about>[^.!?\n]*+)\W*",
    re.IGNORECASE,
)
_SILENT_VERB = re.compile(
    r"^\s*(?:mention|say|state|contain|specify|provide|answer|address|about|any)\b", re.IGNORECASE
)
# What begins a second clause, which then claims something.
_CLAIM = re.compile(
    r"[;:—–]|\b(?:but|however|though|although|yet|while|whereas|except)\b"
    r"|,.*\b(?:is|are|was|were|can|cannot|will|has|have|must|may|takes?|costs?)\b",
    re.IGNORECASE,
)
DEFAULT_REFUSAL_CONFIDENCE = 0.5
NOT_FOUND_PENALTY = 0.5


def is_refusal(text: str) -> bool:
    """Whether a model's answer is the refusal the system prompt asks for, or nothing at all.

    Markers do not count, and the sentence may say what it is about. An answer that goes on to claim something, in the
    same sentence or another, is no refusal.
    """
    if not text.strip():
        return True
    said = without_markers(text)
    match = _REFUSAL.match(said)
    if match is None or _CLAIM.search(match["about"]):
        return False
    while match.end() < len(said):
        match = _SILENT.match(said, match.end())
        if match is None or not _SILENT_VERB.match(match["about"]) or _CLAIM.search(match["about"]):
            return False
    return True


def confidence(response: ChatResponse, grounding: Grounding, *, refused: bool) -> float:
    """In [0, 1]: the model's own confidence, if it gives one, times how well the evidence supports what it says.

    Of a refusal it is how sure we are that refusing is right. A citation of something that was not among the evidence
    lowers it: a model that makes up a source may make up more.
    """
    if refused:
        return DEFAULT_REFUSAL_CONFIDENCE if response.confidence is None else 1.0 - response.confidence
    own = 1.0 if response.confidence is None else response.confidence
    invented = any(citation.verdict == "not_found" for citation in grounding.citations)
    return own * grounding.support * (NOT_FOUND_PENALTY if invented else 1.0)
