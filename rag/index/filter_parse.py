"""Reads the filter language: `date >= 2023 and source in ('a.pdf', 'b.pdf') and not exists(page)`.

    condition   = conjunction ("or" conjunction)*
    conjunction = term ("and" term)*
    term        = "not" term | "(" condition ")" | "true" | "false" | ("exists" | "missing") "(" field ")" | comparison
    comparison  = field ("=" | "!=" | "<" | "<=" | ">" | ">=") value
                | field ["not"] "in" "(" [value ("," value)*] ")"
                | field "between" value "and" value
                | value ("<" | "<=") field [("<" | "<=") value]
    field       = a name, in backticks if it is a word of this language or holds blanks or signs
    value       = 'text' or "text" (the quote itself is doubled) | a number | true | false | a date | a bare word

A bare date names its whole year, month or day: `date = 2023` and `date <= 2023-06` hold for all of its days. In quotes
it is text like any other, compared letter by letter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from plumbline.errors import InputError
from rag.index.fields import Fields
from rag.index.filter_tokens import Token, error_at, is_literal, period, plain_value, tokens
from rag.index.filters import And, Eq, Exists, Filter, In, Not, Or, Range, Value

DEEPEST = 100
"""How many parentheses and "not" may stand within one another."""

_BOUNDS = {">=": "gte", ">": "gt", "<=": "lte", "<": "lt"}
_TURNED = {"<": ">", "<=": ">="}
_SAME = {"==": "=", "<>": "!="}
_EVERYTHING: Filter = And(())
_NOTHING: Filter = Or(())


def parse_filter(text: str, fields: Fields | None = None) -> Filter:
    """The filter that `text` means; with `fields`, names are looked up and the kinds of values checked.

    Raises `InputError` that shows the place and says what was expected there.
    """
    parser = _Parser(text, fields)
    condition = parser.condition(0)
    if parser.here.kind != "end":
        parser.fail("and, or, or the end")
    return condition


@dataclass(frozen=True, slots=True)
class _Written:
    """A value and its token; `days` is the time that a bare date names, and where the next begins."""

    value: Value
    token: Token
    days: tuple[str, str] | None


class _Parser:
    """Reads one filter, by recursive descent."""

    def __init__(self, text: str, fields: Fields | None) -> None:
        self._text = text
        self._fields = fields
        self._tokens = tokens(text)
        self._at = 0

    @property
    def here(self) -> Token:
        """The token to be read next."""
        return self._tokens[self._at]

    def fail(self, expected: str) -> NoReturn:
        """Say that something else was expected here."""
        raise self._error(self.here, f"In the filter, {expected} was expected, and not {self.here.shown}.")

    def condition(self, depth: int) -> Filter:
        """Conjunctions with "or" between them."""
        parts = [self._conjunction(depth)]
        while self._takes("or"):
            parts.append(self._conjunction(depth))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _conjunction(self, depth: int) -> Filter:
        parts = [self._term(depth)]
        while self._takes("and"):
            parts.append(self._term(depth))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _term(self, depth: int) -> Filter:
        if depth > DEEPEST:
            raise self._error(self.here, f"The filter is nested more than {DEEPEST} deep.")
        if self._takes("not"):
            return Not(self._term(depth + 1))
        if self._takes("("):
            inner = self.condition(depth + 1)
            self._expect(")")
            return inner
        if self.here.is_("true", "false") and not self._tokens[self._at + 1].is_("<", "<="):
            return _EVERYTHING if self._next().text == "true" else _NOTHING
        if self.here.is_("exists", "missing"):
            return self._existence()
        return self._comparison()

    def _existence(self) -> Filter:
        word = self._next().text
        self._expect("(")
        name = self._field()
        self._expect(")")
        return Exists(name) if word == "exists" else Not(Exists(name))

    def _comparison(self) -> Filter:
        if is_literal(self.here):
            return self._turned()
        name = self._field()
        if self._takes("between"):
            low = self._value(name)
            self._expect("and")
            return Range(name, **{**_bound(">=", low), **_bound("<=", self._value(name))})
        if self.here.is_("not", "in"):
            excluded = self._takes("not")
            self._expect("in")
            found = self._members(name)
            return Not(found) if excluded else found
        operator = self._operator("=", "!=", "<", "<=", ">", ">=")
        if operator not in _BOUNDS:
            equal = _equal(name, self._value(name))
            return equal if operator == "=" else Not(equal)
        return Range(name, **_bound(operator, self._value(name)))

    def _turned(self) -> Filter:
        """`3 <= page < 5`, or its first half."""
        token = self._next()
        lower = self._operator("<", "<=")
        name = self._field()
        bounds = _bound(_TURNED[lower], self._written(token, name))
        if self.here.is_("<", "<="):
            upper = self._next().text
            bounds.update(_bound(upper, self._value(name)))
        return Range(name, **bounds)

    def _members(self, name: str) -> Filter:
        self._expect("(")
        written = [] if self.here.is_(")") else [self._value(name)]
        while written and self._takes(","):
            written.append(self._value(name))
        if not self._takes(")"):
            self.fail('"," or ")"' if written else "a value")
        plain = In(name, tuple(each.value for each in written if each.days is None))
        spans = tuple(_equal(name, each) for each in written if each.days is not None)
        return Or((*spans, plain) if plain.values else spans) if spans else plain

    def _field(self) -> str:
        token = self.here
        if token.kind not in ("word", "name"):
            self.fail("a field")
        self._at += 1
        if self._fields is None:
            return token.text
        try:
            return self._fields.find(token.text)
        except InputError as error:
            raise self._error(token, error.message, error.hint) from error

    def _value(self, name: str) -> _Written:
        return self._written(self._next(), name)

    def _written(self, token: Token, name: str) -> _Written:
        """The value of a token, as one of the field `name`."""
        kinds = frozenset[str]() if self._fields is None else self._fields.kinds(name)
        try:
            value = plain_value(token)
            dated = "date" in kinds and "number" not in kinds if kinds else isinstance(value, str)
            days = period(token) if dated else None
        except (ValueError, OverflowError) as error:
            raise self._error(token, f"In the filter, {token.shown} is no value: {error}.") from error
        if value is None:
            self._at -= token.kind != "end"
            self.fail("a value")
        if days:
            return _Written(token.text, token, days)
        if self._fields is not None:
            try:
                self._fields.check(name, value)
            except InputError as error:
                raise self._error(token, error.message, error.hint) from error
        return _Written(value, token, None)

    def _operator(self, *allowed: str) -> str:
        operator = _SAME.get(self.here.text, self.here.text) if self.here.kind == "operator" else ""
        if operator not in allowed:
            self.fail("one of " + " ".join(allowed) + (" in between" if "=" in allowed else ""))
        self._at += 1
        return operator

    def _takes(self, text: str) -> bool:
        """Whether this operator or keyword is next, which is then read."""
        found = self.here.is_(text)
        self._at += found
        return found

    def _expect(self, text: str) -> None:
        if not self._takes(text):
            self.fail(f'"{text}"')

    def _next(self) -> Token:
        token = self.here
        self._at += token.kind != "end"
        return token

    def _error(self, token: Token, message: str, advice: str | None = None) -> InputError:
        return error_at(self._text, token.start, token.end, message, advice)


def _bound(operator: str, written: _Written) -> dict[str, Value]:
    """The bound that `field operator value` sets."""
    if written.days is None:
        return {_BOUNDS[operator]: written.value}
    first, following = written.days
    side = "gte" if operator in (">", ">=") else "lt"
    return {side: following if operator in (">", "<=") else first}


def _equal(name: str, written: _Written) -> Filter:
    return Eq(name, written.value) if written.days is None else Range(name, gte=written.days[0], lt=written.days[1])
