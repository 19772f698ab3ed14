"""When an answer is a refusal, and how confident an answer is.

The confidence only ranks answers until it is fitted on labelled data (`Answer.calibrated` says so).
"""

from __future__ import annotations

import re

from rag.answer.ground import Grounding
from routing.chat import ChatResponse

_REFUSAL = re.compile(r"^\W*I (?:don['’]t|do not) have enough information\b", re.IGNORECASE)
DEFAULT_REFUSAL_CONFIDENCE = 0.5
NOT_FOUND_PENALTY = 0.5


def is_refusal(text: str) -> bool:
    """Whether a model's answer is the refusal the system prompt asks for, or nothing at all."""
    return not text.strip() or _REFUSAL.match(text) is not None


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
