"""A hard budget: every call that has a price is checked before it is made, against the most it can cost.

The bounds hold whatever the provider's tokenizer: no byte-pair or unigram tokenizer makes more tokens of a text than
it has bytes. What has been promised is written down before the call goes out and corrected when its bill is known, so
that a process that dies in between still counts it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from evals.journal import Journal
from routing.chat import ChatRequest, Usage
from routing.cost.prices import Price
from routing.errors import (
    AuthenticationError,
    BadRequestError,
    ModelError,
    ModelNotFoundError,
    OverloadedError,
    RateLimitError,
)

_REFUSED = (AuthenticationError, BadRequestError, ModelNotFoundError, OverloadedError, RateLimitError)
_AROUND = 32  # tokens that a provider may put around a message or a tool, generously


class BudgetSpentError(ModelError):
    """Raised in place of a call that could exceed the budget; nothing was sent."""


@dataclass(slots=True)
class Receipt:
    """What one call did cost; while `cost` is `None` it counts with the most it can.

    `begun` says that a part of it may be billed even if the provider then refuses.
    """

    cost: Decimal | None = None
    begun: bool = False


class Budget:
    """`limit` dollars for everything that is called through it; thread-safe.

    With a `journal` (a path) the spending survives the process: the same path opened again goes on where it was.
    """

    def __init__(self, limit: Decimal, *, journal: Path | None = None) -> None:
        self.limit = limit
        self._lock = threading.Lock()
        self._journal = None if journal is None else Journal(journal)
        self._calls: dict[int, Decimal] = {}
        self._spent = Decimal(0)
        self._last = 0
        for entry in self._journal.entries if self._journal else ():
            self._count(int(entry["call"]), Decimal(entry["dollars"]))

    @property
    def spent(self) -> Decimal:
        """Dollars spent, calls without a known bill at the most they can cost."""
        with self._lock:
            return self._spent

    @contextmanager
    def call(self, model: str, at_most: Decimal) -> Iterator[Receipt]:
        """Set `at_most` dollars aside for a call of `model`; raises `BudgetSpentError` when they are not left.

        A call that ends in an error with which the provider refuses costs nothing; after any other error it counts
        with the most it can cost.
        """
        number = self._reserve(model, at_most)
        receipt = Receipt()
        try:
            yield receipt
        except _REFUSED:
            receipt.cost = None if receipt.begun else Decimal(0)
            raise
        finally:
            if receipt.cost is not None:
                self._set(number, receipt.cost)

    def close(self) -> None:
        """Close the journal."""
        if self._journal is not None:
            self._journal.close()

    def _reserve(self, model: str, at_most: Decimal) -> int:
        with self._lock:
            if at_most and self._spent + at_most > self.limit:
                raise BudgetSpentError(
                    f"The next call of {model} can cost up to ${at_most:.6f}, and of the budget of "
                    f"${self.limit:f} only ${self.limit - self._spent:.6f} is left.",
                    model=model,
                    hint="Raise the budget to go on, or lower generation.max_tokens.",
                )
            number = self._last + 1
            self._write(number, at_most)
            return number

    def _set(self, number: int, cost: Decimal) -> None:
        with self._lock:
            self._write(number, cost)

    def _write(self, number: int, dollars: Decimal) -> None:
        if self._journal is not None and (dollars or self._calls.get(number)):
            self._journal.append({"call": number, "dollars": str(dollars)})
        self._count(number, dollars)

    def _count(self, number: int, dollars: Decimal) -> None:
        self._spent += dollars - self._calls.get(number, Decimal(0))
        self._calls[number] = dollars
        self._last = max(self._last, number)


def most_of_chat(price: Price, request: ChatRequest, max_output: int) -> Decimal:
    """The most dollars that `request` can cost: every byte a token, at the dearest of the prices that may apply."""
    texts = [message.content for message in request.messages]
    texts += [call.arguments + call.name for message in request.messages for call in message.tool_calls]
    texts += [tool.name + tool.description + json.dumps(dict(tool.parameters)) for tool in request.tools]
    if request.response_schema is not None:
        texts.append(json.dumps(dict(request.response_schema)))
    return _most(price, _bytes(texts) + _AROUND * (len(texts) + 1), max_output)


def most_of_texts(price: Price, texts: Sequence[str]) -> Decimal:
    """The most dollars that embedding `texts` can cost."""
    return _most(price, _bytes(texts) + _AROUND * len(texts), 0)


def _bytes(texts: Sequence[str]) -> int:
    return sum(len(text.encode("utf-8", "replace")) for text in texts)


def _most(price: Price, read: int, written: int) -> Decimal:
    return price.most(Usage(read, written))
