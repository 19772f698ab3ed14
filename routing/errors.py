"""The errors of calls to models.

    ModelError                   root; carries `model` and, where the provider answered, `status`
    ├── UnknownModelError        the name is not of the catalogue's form (config or --model)
    ├── MissingKeyError          no API key in the environment for a provider that needs one
    ├── AuthenticationError      the provider refuses the key (401, 403)
    ├── ModelNotFoundError       the provider does not know the model (404)
    ├── BadRequestError          the provider refuses the request (400, 413, 422)
    │   └── ContextLengthError   the prompt is longer than the model reads
    ├── ContentFilterError       the provider's policy refuses prompt or answer
    ├── InvalidResponseError     the answer is not of the form the provider promises
    │   └── SchemaError          the answer does not satisfy the schema it was to satisfy, and did not when asked again
    ├── UnsupportedError         the model is known not to do what is asked (images, tools, logprobs …)
    ├── BudgetError              the call could cost more than a budget has left; nothing was sent
    └── TransientError           worth another try, here or elsewhere; `retry_after` in seconds, if the provider says
        ├── RateLimitError       too many requests (429), no credit left (402)
        ├── OverloadedError      the provider fails or is overloaded (5xx, 529)
        ├── ConnectionFailedError   refused, reset, DNS, TLS, a stream cut short
        ├── DeadlineError        no answer in time
        └── UnavailableError     we do not ask it now: trying the same model again at once cannot help
            ├── BreakerOpenError    it failed a moment ago; `retry_after` says when it is tried again
            └── LimitError          our own limits are reached, or too many calls wait already

Adapters in `routing.models` raise them from the SDKs' own errors; the router decides by class what to retry and
when to fall back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from plumbline.errors import PlumblineError

if TYPE_CHECKING:
    from routing.chat import Usage


class ModelError(PlumblineError):
    """Root of the errors of model calls. Raised by chat models, embedders and rerankers.

    `usage` is what the call used all the same, where the provider says it: an answer that is withheld is billed.
    """

    exit_code = 4
    usage: Usage | None = None

    def __init__(self, message: str, *, model: str, status: int | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.model = model
        self.status = status


class UnknownModelError(ModelError):
    """Raised by the catalogue for a name it cannot turn into a model."""


class MissingKeyError(ModelError):
    """Raised by the catalogue when the provider's API key is not in the environment."""


class AuthenticationError(ModelError):
    """Raised by adapters when the provider refuses the key."""


class ModelNotFoundError(ModelError):
    """Raised by adapters when the provider does not know the model."""


class BadRequestError(ModelError):
    """Raised by adapters when the provider refuses the request as malformed; the same request fails again."""


class ContextLengthError(BadRequestError):
    """Raised by adapters when prompt and answer do not fit into what the model reads."""


class ContentFilterError(ModelError):
    """Raised by adapters when the provider's content policy refuses the prompt or withholds the answer."""


class InvalidResponseError(ModelError):
    """Raised by adapters when the provider's answer is empty, cut or not of the promised form."""


class SchemaError(InvalidResponseError):
    """Raised by `routing.structured` when the repaired answer does not satisfy the schema either."""


class UnsupportedError(ModelError):
    """Raised by adapters, before anything is sent, for what the catalogue knows the model not to do."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The numbers a budget refused by, in dollars, all of one moment: spent + reserved + bound > limit.

    `subject` is whose it is ("" of everything), `period` "2026-11-25", "2026-11", "total" or "own"; it `ends` then.
    """

    budget: str
    per: str
    subject: str
    period: str
    ends: datetime | None
    limit: Decimal
    spent: Decimal
    reserved: Decimal
    bound: Decimal


class BudgetError(ModelError):
    """Raised by `routing.cost.budget` before a call whose most that it may cost is more than a budget has left.

    `refusal` is `None` when the call's price is unknown or the budgets cannot be asked.
    """

    def __init__(self, message: str, *, model: str, refusal: Refusal | None = None, hint: str | None = None) -> None:
        super().__init__(message, model=model, hint=hint)
        self.refusal = refusal


class TransientError(ModelError):
    """Root of the errors that another try, or another model, may cure.

    `retry_after` is how many seconds the provider asks to be left alone, if it says.
    """

    def __init__(
        self,
        message: str,
        *,
        model: str,
        status: int | None = None,
        retry_after: float | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, model=model, status=status, hint=hint)
        self.retry_after = retry_after


class RateLimitError(TransientError):
    """Raised by adapters on 429; `status` is 402, whatever the provider gives, when there is no credit left."""


class OverloadedError(TransientError):
    """Raised by adapters on 5xx and 529."""


class ConnectionFailedError(TransientError):
    """Raised by adapters when the provider cannot be reached or a stream breaks off.

    `reached` says that the request was sent before the connection broke, so that it may be billed.
    """

    def __init__(
        self, message: str, *, model: str, status: int | None = None, hint: str | None = None, reached: bool = False
    ) -> None:
        super().__init__(message, model=model, status=status, hint=hint)
        self.reached = reached


class DeadlineError(TransientError):
    """Raised by adapters and the router when the time allowed is over."""


class UnavailableError(TransientError):
    """Root of what is refused on our side before the model is asked. Raised by the guards of the call path."""


class BreakerOpenError(UnavailableError):
    """Raised by the circuit breaker while a model, or its whole provider, is left alone."""


class LimitError(UnavailableError):
    """Raised by the limiter when a limit would be passed before the deadline, or its queue is full."""
