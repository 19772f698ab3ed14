"""Prefix caches of providers: which part of a prompt was computed before, by the provider's documented rule."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Annotated, Literal

from pydantic import Field

from plumbline.settings import Settings

Breakpoint = Literal["system", "prompt"]


class PrefixRule(Settings):
    """How a provider caches prompts.

    `kind`: "automatic" caches every prompt in steps of `step` tokens, "explicit" only up to the `breakpoints` that the
    request sets (after the system prompt, after the whole prompt), "none" nothing. Prefixes below `least` tokens are
    not cached. An entry lives `lifetime` seconds after its last use (`None`: until it is evicted); with `capacity`
    tokens of room the least recently used go first. `writes` says that writing has a price of its own.
    """

    kind: Literal["automatic", "explicit", "none"]
    least: Annotated[int, Field(ge=0)] = 0
    step: Annotated[int, Field(ge=1)] = 1
    lifetime: Annotated[float, Field(gt=0)] | None = None
    capacity: Annotated[int, Field(ge=1)] | None = None
    breakpoints: tuple[Breakpoint, ...] = ()
    writes: bool = False
    source: str


class PrefixCache:
    """One provider's cache under a `PrefixRule`; the caller's clock is any number of seconds that never runs back."""

    def __init__(self, rule: PrefixRule) -> None:
        self._rule = rule
        self._used: OrderedDict[int, float] = OrderedDict()

    def ask(self, parts: Sequence[Sequence[int]], now: float) -> tuple[int, int]:
        """Tokens of this prompt read from the cache and, where writing is priced, written to it.

        `parts` are the tokens of the system prompt and those of all that follows.
        """
        prefixes = list(self._prefixes(parts))
        cached = 0
        for length, key in prefixes:
            if self._alive(key, now):
                cached = length
            elif self._rule.kind == "automatic":
                break  # what is behind a missing block cannot be used
        for _, key in prefixes:
            self._used[key] = now
            self._used.move_to_end(key)
        self._evict()
        longest = prefixes[-1][0] if prefixes else 0
        return cached, longest - cached if self._rule.writes else 0

    def _prefixes(self, parts: Sequence[Sequence[int]]) -> Iterator[tuple[int, int]]:
        """(length, key) of the prefixes that may be read and will be stored, shortest first."""
        rule = self._rule
        tokens = tuple(chain.from_iterable(parts))
        if rule.kind == "explicit":
            ends = {"system": len(parts[0]), "prompt": len(tokens)}
            for end in sorted(ends[name] for name in rule.breakpoints):
                if end >= rule.least:
                    yield end, hash(tokens[:end])
        elif rule.kind == "automatic":
            key = 0
            # The last token is always computed: its result is the first of the answer.
            for end in range(rule.step, len(tokens), rule.step):
                key = hash((key, tokens[end - rule.step : end]))
                if end >= rule.least:
                    yield end, key

    def _alive(self, key: int, now: float) -> bool:
        used = self._used.get(key)
        return used is not None and (self._rule.lifetime is None or now - used <= self._rule.lifetime)

    def _evict(self) -> None:
        if self._rule.capacity is not None:
            room = self._rule.capacity // self._rule.step
            while len(self._used) > room:
                self._used.popitem(last=False)
