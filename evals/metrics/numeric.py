"""Whether an answer states the gold answer's number: whatever the scale, unit or rounding it is written in.

Two quantities match when their units do and rounding brings them together, by the precision that is written:

- the answer is at least as precise: it lies within half a unit of the gold's last digit ("$1.6 billion" and 1,577
  million; "12%" and 12.4 %, not 12.9 %);
- the answer is coarser: it is the gold rounded to the answer's last digit, and at most 1 % away from it (12.9 % and
  "13%", not 1,577 million and "$2 billion").

A number without a unit fits any unit; 0.12, 12 % and 1,200 basis points are the same. Scales and percents that the
question asks for ("in USD millions", "in percent") are meant by numbers without any. Signs must agree, except where the
wording carries the sign ("a loss of $3 million", "(3)"). Years and dates are no quantities.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

from plumbline.text.numbers import Quantity, quantities
from plumbline.text.units import SCALES

COARSEST = Decimal("0.01")
"""How far, relative to the gold, a number may lie that is written less precisely than the gold."""

_ASKED_SCALE = re.compile(r"\b(thousand|million|billion|trillion)s?\b", re.IGNORECASE)
_ASKED_PERCENT = re.compile(r"\b(?:percent(?:age)?s?|per cent|%)", re.IGNORECASE)


def numeric_match(answer: str, golds: Sequence[str], question: str = "", language: str = "en") -> bool | None:
    """Whether the answer states every quantity of one of the golds; `None` when no gold holds a quantity.

    `question` is read for the scale or percent it asks for. Quantities that the question names itself need not be
    stated again.
    """
    stated = quantities(answer, language, years=True)
    known = quantities(question, language)
    found: list[bool] = []
    for gold in golds:
        wanted = quantities(gold, language)
        asked = [
            quantity for quantity in wanted if not any(same_quantity(quantity, other) for other in known)
        ] or wanted
        if asked:
            found.append(all(any(same_quantity(gold, other, question) for other in stated) for gold in asked))
    return any(found) if found else None


def same_quantity(gold: Quantity, other: Quantity, question: str = "") -> bool:
    """Whether `other` is `gold`, in units and rounded as the module says."""
    signed = gold.signed and other.signed
    return any(
        _close(one, two, signed)
        for one in _readings(gold, other, question)
        for two in _readings(other, gold, question)
        if one.unit == two.unit
    )


def _readings(quantity: Quantity, beside: Quantity, question: str) -> Iterator[Quantity]:
    """What the quantity may mean: as it stands, without unit beside one that has none, as the question asks for it."""
    yield quantity
    meant = [quantity]
    if quantity.unit is not None and beside.unit is None:
        meant.append(quantity.bare)
        if quantity.unit == "%":
            meant.append(replace(quantity, unit=None))
    if quantity.unit is None and beside.unit == "%":
        meant.append(replace(quantity, unit="%"))
    yield from meant[1:]
    if quantity.scaled:
        return
    scale = _ASKED_SCALE.search(question)
    percent = _ASKED_PERCENT.search(question)
    for one in meant:
        if scale and one.unit != "%":
            yield _times(one, SCALES[scale[1].casefold()])
        if percent and one.unit in {None, "times"}:
            yield _times(replace(one, unit=None), Decimal("0.01"))


def _times(quantity: Quantity, factor: Decimal) -> Quantity:
    return replace(quantity, value=quantity.value * factor, resolution=quantity.resolution * factor, scaled=True)


def _close(gold: Quantity, other: Quantity, signed: bool) -> bool:
    wanted, given = (gold.value, other.value) if signed else (abs(gold.value), abs(other.value))
    away = abs(wanted - given)
    if other.resolution <= gold.resolution:
        return away <= gold.resolution / 2
    return away <= other.resolution / 2 and away <= COARSEST * abs(wanted)
