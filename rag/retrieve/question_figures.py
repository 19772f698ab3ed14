"""Questions that ask for figures, and passages that are full of them: tables, statements, lists of measurements.

Words alone put the prose about a number before the table that holds it: a table repeats few of the question's words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from plumbline.text.questions import answer_kind

WEIGHT = 3.0
"""A passage of figures alone counts 1 + this times as much as one without any. Chosen on 26 questions over filings."""

CONSIDERED = 100
"""So many of the best of a ranking are read; those after them would have to be full of figures to be seen again."""

_COUNTED = frozenset({"quantity", "share", "money"})
_ASKED = re.compile(
    r"\b(?:how (?:much|many)|percent(?:age)?|ratio|rate|average|mean|median|totals?|amounts?|sum|margin|value|number of"
    r"|calculat\w+|comput\w+|decimals?|compared (?:to|with)"
    r"|(?:high|low|large|small|great|few)(?:er|est)|USD|dollars|euros?|millions?|billions?|revenues?|sales|income|profits?"
    r"|earnings|expens\w+|costs?|prices?|debts?|assets|liabilit\w+|cash flows?|balance sheets?|statements? of|tables?"
    r"|figures?|statistics)\b|(?<!\d)(?<!\d )%",
    re.IGNORECASE,
)
_NAMING = re.compile(  # numbers that name something and count nothing
    r"\b(?:(?:tele)?phone|fax|mobile|account|customer|house|identification|invoice|model|order|page|part|policy|reference"
    r"|registration|room|serial|tax|tracking|version) numbers?\b",
    re.IGNORECASE,
)
_MOVED = re.compile(r"\b(?:increas|decreas|gr[eo]w|declin|chang)\w*\b.*\?", re.IGNORECASE | re.DOTALL)  # no mere claims
_DIGIT = re.compile(r"\d")
_LETTER = re.compile(r"\w")


def asks_for_figures(question: str) -> bool:
    """Whether the answer is likely to be a number, or to be worked out from numbers."""
    question = _NAMING.sub("name", question)
    return bool(_ASKED.search(question) or _MOVED.search(question)) or answer_kind(question) in _COUNTED


def figures_share(text: str) -> float:
    """The share of a text's words that hold a digit, in [0, 1]; 0 for a text without words."""
    words = text.split()
    odd = [word for word in words if not word.isalpha()]  # few, and the others need no second look
    figures = sum(_DIGIT.search(word) is not None for word in odd)
    signs = sum(_LETTER.search(word) is None for word in odd)
    return figures / (len(words) - signs) if len(words) > signs else 0.0


def prefer_figures(
    ranking: Sequence[tuple[str, float]], texts: Mapping[str, str], weight: float = WEIGHT
) -> list[tuple[str, float]]:
    """The ranking anew, best first: scores in [0, 1], times 1 + `weight` × the share of figures in the text.

    What has no text counts as without figures. Equal scores keep their order.
    """
    if not ranking:
        return []
    low, high = min(score for _, score in ranking), max(score for _, score in ranking)
    reach = high - low
    rescored = [
        (id_, ((score - low) / reach if reach > 0 else 1.0) * (1 + weight * figures_share(texts.get(id_, ""))))
        for id_, score in ranking
    ]
    return sorted(rescored, key=lambda item: -item[1])
