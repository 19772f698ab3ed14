"""What kind of answer a question asks for, read from its question word; and whether a sentence holds one.

After the answer types of the TREC question answering track (Li and Roth, "Learning Question Classifiers", 2002), those
that surface patterns can tell apart. English first; the question words of Spanish, French, German, Italian and
Portuguese are known as well.
"""

from __future__ import annotations

import re
from typing import Literal

AnswerKind = Literal["person", "time", "quantity", "share", "money", "place", "reason", "definition", "other"]


def _either(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


def _words(text: str) -> str:
    """Any of the words; "_" stands for a blank inside one."""
    return r"\b(?:" + "|".join(text.split()).replace("_", " ") + r")\b"


def _which(nouns: str) -> str:
    """ "Which" or "what" before one of the nouns, with at most one word between them."""
    return r"\b(?:what|which) (?:\w+ )?" + _words(nouns)


_MEASURES = "number amount population length height age speed rate size temperature score distance quantity"

# The first that matches decides.
_KINDS: tuple[tuple[AnswerKind, re.Pattern[str]], ...] = (
    (
        "share",
        _either(
            _words("percent percentage per_cent porcentaje pourcentage prozent proportion"),
            _which("fraction share"),
        ),
    ),
    (
        "money",
        _either(
            r"\bhow much\b.{0,40}"
            + _words(r"money cost costs paid pay spen[dt] worth earn\w* price sold raised? donat\w+"),
            r"\bhow many " + _words("dollars? euros?"),
            r"\b(?:what|which)\b.{0,40}" + _words("price cost salary budget revenues? net_(?:income|worth|sales) gdp"),
            r"\bcuánto (?:cuesta|dinero|costó)",
        ),
    ),
    (
        "time",
        _either(
            _words("when cuándo quand wann quando"),
            _which("years? date day month decade century time era season weekday"),
            r"\bhow (?:recently|early|late)\b",
            r"\bwhat's the date\b",
            r"\b(?:qué|cuál) (?:año|fecha|día|mes|siglo|década|época)",
            r"\bquelle (?:année|date)\b",
            r"\bwelche[sm]? (?:jahr|datum|tag)",
            r"\b(?:che|quale|que) (?:anno|ano|data)\b",
        ),
    ),
    (
        "quantity",
        _either(
            r"\bhow "
            + _words("many much long old far tall high deep wide large big fast often heavy hot cold frequently"),
            _which(_MEASURES),
            r"\bwhat (?:is|was|were|are) the (?:\w+ ){0,2}" + _words(_MEASURES + " area total"),
            _words("cuánt[oa]s? combien wie_?viele? quant[ieoa]s?"),
            r"\bwie (?:lang|alt|weit|hoch|groß)\b",
            r"\b(?:qué|cuál es la) (?:número|cantidad|población)",
        ),
    ),
    (
        "person",
        _either(
            _words("who whom whose quién quiénes wer wem wen chi quem"),
            r"^\W*qui\b",
            _which("person man woman king queen president player author actor actress scientist singer artist"),
        ),
    ),
    (
        "place",
        _either(
            _words("where dónde wo woher wohin dove onde"),
            r"^\W*(?:d')?où\b",
            _which("city cities country countries state town place location region continent county province island"),
            _which("river nation area district street venue stadium village"),
            r"\b(?:qué|cuál) (?:ciudad|país|estado|lugar|región|continente|pueblo)",
        ),
    ),
    (
        "reason",
        _either(
            _words("why pourquoi warum wieso perché"),
            r"\bhow come\b",
            r"\bpor qué\b",
            _which("reason causes? caused purpose"),
        ),
    ),
    (
        "definition",
        _either(
            r"^\W*(?:what|who) (?:is|are|was|were) (?:an? |the )?\w+(?:\W+\w+){0,2}\W*$",
            r"\b(?:meaning of|definition of|stand for|mean by|what is meant|what does .{1,40} mean)\b",
        ),
    ),
)

_MONTHS = """
january february march april june july august september october november december enero febrero marzo abril mayo junio
julio agosto septiembre octubre noviembre diciembre janvier février mars avril juin juillet août septembre octobre
décembre januar februar märz juni juli oktober dezember
"""
_TIME = _either(
    r"\b(?:1\d|20)\d\d(?:s|\b)",
    r"\b\d\d?0s\b",
    r"\b\d{1,4} (?:BC|AD|BCE|CE)\b",
    r"\b\d{1,2}:\d\d\b",
    _words(_MONTHS),
    r"\bMay \d",
    _words("century centuries decades? siglo siècle jahrhundert"),
    _words("mondays? tuesdays? wednesdays? thursdays? fridays? saturdays? sundays?"),
)
_NUMBERS = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen twenty thirty forty fifty sixty seventy eighty ninety hundreds? thousands? millions? billions? trillions?
dozens? half third quarter twice once single couple dos tres cuatro cinco seis siete ocho nueve diez doce veinte cien
mil millones
"""
_REASONS = r"""
because due_to owing_to so_that in_order therefore thus as_a_result since caused? causes causing led_to leads?_to
leading_to resulted results?_in reasons? hence thereby purpose intended_to designed_to to_avoid to_prevent allow\w*
help\w* porque debido para puesto_que parce_que afin car weil damit wegen perché
"""
_QUANTITY = _either(r"\d", _words(_NUMBERS), "[½¼¾⅓⅔]")
_SHARE = _either(
    r"\d\s?%",
    r"\bper ?cent",
    r"\bpor ciento\b",
    _words("half quarter majority third tercio mitad prozent thirds fifths? quarters"),
)
_MONEY = _either(
    r"[$€£¥]\s?\d",
    r"\d\s?[€£$]",
    r"\bUS\$",
    r"\d,\d{3}\b",
    _words("USD EUR GBP dollars? euros? pounds? cents? dólares libras pesos million billion trillion millones"),
)
_REASON = _either(_words(_REASONS))
_PLACE = re.compile(
    r"\b(?:in|at|near|to|from|of|into|through|across|between|en|de|desde|à|aus|nach)\s+(?:the\s+|la\s+|el\s+)?"
    r"[A-ZÁÉÍÓÚÄÖÜ]"
)
_DEFINES = _either(_words("is are was were means? refers?_to known_as called defined_as es son est sont ist sind"))
_NAME = re.compile(r"(?<=[\w,;:()\"“'’`-] )(?:[\"“(‘'`]{0,2})([A-ZÀ-ÖØ-Þ][\w.’'-]*)|(?<=[(\"“])([A-ZÀ-ÖØ-Þ][\w’'-]*)")

_PATTERNS: dict[AnswerKind, re.Pattern[str]] = {
    "time": _TIME,
    "quantity": _QUANTITY,
    "share": _SHARE,
    "money": _MONEY,
    "place": _PLACE,
    "reason": _REASON,
    "definition": _DEFINES,
}


def answer_kind(question: str) -> AnswerKind:
    """The kind of answer `question` asks for, "other" when its words do not tell."""
    for kind, pattern in _KINDS:
        if pattern.search(question):
            return kind
    return "other"


def names(sentence: str) -> list[str]:
    """The capitalised words of `sentence` that do not open it, as written, repeats kept."""
    return [first or second for first, second in _NAME.findall(sentence)]


def bare_word(word: str) -> str:
    """`word` in lower case, without the punctuation at its ends."""
    return word.lower().strip(".,'’-")


def holds(kind: AnswerKind, sentence: str, asked: frozenset[str]) -> bool:
    """Whether `sentence` holds a candidate of `kind` beyond what the question already says.

    `asked` are the lower-cased words of the question: a year, a number or a name that the question itself mentions is
    no answer to it. "other" is held by every sentence.
    """
    if kind == "person":
        return any(bare_word(name) not in asked for name in names(sentence))
    pattern = _PATTERNS.get(kind)
    if pattern is None:
        return True
    return any(match.group().lower().strip(" .,") not in asked for match in pattern.finditer(sentence))
