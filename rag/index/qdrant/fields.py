"""How a payload is written so that Qdrant's filters mean exactly what `rag.index.filters.matches` says.

Qdrant's own conditions differ: a match knows no floats, text has no order. So beside the payload as it is stand

- `facts`: one keyword for each value of each field, `["kind","report"]`, one for each field, `["kind"]`, and one for
  each field that holds any value, `["kind",null]`. One index over it serves every equality on every field.
- `numbers`: the numbers of each field.
- `texts`: the texts of each field, cut into pieces that are numbers and in order as the texts are.
- `tenant`: the texts of the field "tenant", which has an index of its own (`is_tenant`).
- `language`: what the words were read in, which is counted to know how to read a question.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from rag.index.filters import Value

FACTS, NUMBERS, TEXTS, TENANT, LANGUAGE = "facts", "numbers", "texts", "tenant", "language"
BYTES_PER_PIECE = 6
"""257 ** 6 is below 2 ** 53: a piece is exact as a double."""
PIECES = 4
LONGEST_BOUND = BYTES_PER_PIECE * PIECES - 1
_LONGEST_FACT = 200
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_]{1,60}")


def written(payload: Mapping[str, Any]) -> dict[str, Any]:
    """What is stored beside the payload."""
    facts: list[str] = []
    numbers: dict[str, list[int | float]] = {}
    texts: dict[str, list[dict[str, int]]] = {}
    for name, value in payload.items():
        if value is None:
            continue
        facts.append(has_field(name))
        values = list(value) if isinstance(value, list | tuple) else [value]
        if values:
            facts.append(has_value(name))
        for each in values:
            if isinstance(each, bool | int | float | str):
                facts.append(fact(name, each))
            if isinstance(each, str):
                texts.setdefault(safe(name), []).append({f"p{n}": piece for n, piece in enumerate(pieces(each))})
            elif isinstance(each, int | float) and not isinstance(each, bool):
                numbers.setdefault(safe(name), []).append(each)
    tenants = payload.get(TENANT)
    found = {FACTS: sorted(set(facts)), NUMBERS: numbers, TEXTS: texts}
    if isinstance(tenants, str | list | tuple):
        found[TENANT] = tenants if isinstance(tenants, str) else list(tenants)
    return found


def fact(field: str, value: Value) -> str:
    """That `field` holds `value`, as a keyword; equal for 3 and 3.0, not for 1 and true or "1"."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return _shortened(json.dumps([field, value], ensure_ascii=False, separators=(",", ":")))


def has_field(field: str) -> str:
    """That the payload has `field`, as a keyword."""
    return _shortened(json.dumps([field], ensure_ascii=False))


def has_value(field: str) -> str:
    """That `field` holds a value, which an empty list does not, as a keyword."""
    return _shortened(json.dumps([field, None], ensure_ascii=False, separators=(",", ":")))


def safe(field: str) -> str:
    """The name of a field as part of a JSON path; different for different fields."""
    if _PLAIN_NAME.fullmatch(field):
        return f"f_{field}"
    return f"h_{blake2b(field.encode('utf-8', 'surrogatepass'), digest_size=12).hexdigest()}"


def pieces(text: str) -> list[int]:
    """At most `PIECES` numbers that are in order as texts are: digits to the base 257 of the bytes, 0 for the end."""
    data = text.encode("utf-8", "surrogatepass")
    found = []
    for start in range(0, min(len(data) + 1, BYTES_PER_PIECE * PIECES), BYTES_PER_PIECE):
        number = 0
        for place in range(start, start + BYTES_PER_PIECE):
            number = number * 257 + (data[place] + 1 if place < len(data) else 0)
        found.append(number)
    return found


def _shortened(keyword: str) -> str:
    if len(keyword) <= _LONGEST_FACT:
        return keyword
    return f"#{blake2b(keyword.encode('utf-8', 'surrogatepass'), digest_size=24).hexdigest()}"
