"""Refuses, before anything is sent, what a model is known not to do."""

from __future__ import annotations

from routing.chat import ChatRequest
from routing.errors import BadRequestError, UnsupportedError
from routing.models.facts import ModelFacts


def check_supported(request: ChatRequest, facts: ModelFacts, model: str, *, effort: str | None = None) -> None:
    """Raise `UnsupportedError` for what `facts` say that `model` ("provider/name") does not do.

    `effort` is how much it is to think. What only shapes the sampling (temperature, top_p, seed) is no reason to
    refuse: adapters leave it out. Raises `BadRequestError` for images that nobody could read.
    """
    options = request.options
    if options.tier == "batch":
        raise _unsupported(model, "answers no single request at the price of a batch", "Send a batch of requests.")
    if effort is not None and facts.efforts is not None and effort not in facts.efforts:
        known = f"There are: {', '.join(facts.efforts)}." if facts.efforts else "Leave the effort out."
        raise _unsupported(model, f"does not think with the effort '{effort}'", known)
    if options.logprobs is not None and facts.takes("logprobs", effort) is False:
        raise _unsupported(model, "gives no log-probabilities" + _unless(facts), "Leave logprobs out.")
    if facts.stop is False and options.stop:
        raise _unsupported(model, "does not stop at words", "Leave stop out.")
    if facts.tools is False and request.tools:
        raise _unsupported(model, "calls no tools", "Ask without tools, or ask another model.")
    if facts.schema is False and request.response_schema is not None:
        raise _unsupported(
            model,
            "does not keep its answer to a schema",
            "Use routing.structured, which writes the schema into the prompt.",
        )
    for message in request.messages:
        if message.images:
            _check_images(request, facts, model)
            break


def _check_images(request: ChatRequest, facts: ModelFacts, model: str) -> None:
    if facts.images is False:
        raise _unsupported(model, "reads no images", "Ask without images, or ask another model.")
    for number, message in enumerate(request.messages):
        if message.images and message.role != "user":
            raise BadRequestError(
                f"Message {number}, of the role '{message.role}', has images; only a user's turn may.", model=model
            )
        for image in message.images:
            if (image.data is None) == (image.url is None):
                raise BadRequestError(
                    f"An image of message {number} must have either data or a URL.", model=model, hint="Give one."
                )


def _unless(facts: ModelFacts) -> str:
    return "" if facts.sampling_at is None else f" unless its effort is '{facts.sampling_at}'"


def _unsupported(model: str, what: str, hint: str) -> UnsupportedError:
    return UnsupportedError(f"{model} {what}.", model=model, hint=hint)
