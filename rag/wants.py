"""What a caller asks, and wants of whoever is asked, checked where it comes in."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, get_args

from plumbline.errors import InputError
from routing.chat import NO_WISH, Latency, Wants

if TYPE_CHECKING:
    from routing.policy.build import Routes

LATENCIES: tuple[Latency, ...] = get_args(Latency)
_EXAMPLE = "For example: wants=Wants(local=True), from routing.chat."


def checked(given: Wants | None, routes: Routes) -> Wants:
    """What a call's `wants` come to, the model by its full name; raises `InputError`, or `UnknownModelError`."""
    if given is None or given == NO_WISH:
        return NO_WISH
    if not isinstance(given, Wants):
        raise InputError(f"wants is {given!r}, of type {type(given).__name__} and no Wants.", hint=_EXAMPLE)
    if not isinstance(given.local, bool):
        raise InputError(f"wants.local is {given.local!r}, and neither True nor False.", hint=_EXAMPLE)
    latency(given.latency)
    for name in ("model", "task", "language"):
        value: object = getattr(given, name)
        if value is not None and (not isinstance(value, str) or not value.strip()):
            raise InputError(f"wants.{name} is a word, which {value!r} is not.", hint="Leave it out.")
    return given if given.model is None else replace(given, model=routes.wanted(given.model))


def latency(given: str | None) -> Latency | None:
    """The latency class of that name; raises `InputError`."""
    found = next((known for known in LATENCIES if known == given), None)
    if found is None and given is not None:
        raise InputError(f"There is no latency '{given}'.", hint=f"There are: {', '.join(LATENCIES)}.")
    return found


def question(given: str, longest: int) -> str:
    """The question without broken characters and blanks around it.

    Raises `InputError` for an empty one and for one of more than `longest` characters.
    """
    if not isinstance(given, str):
        raise InputError(f"A question is text, not {given!r}.")
    given = given.encode("utf-8", "replace").decode().strip()  # lone surrogates, as of a wrong locale
    if not given:
        raise InputError("The question is empty.", hint="Ask something, for example: How long is the refund window?")
    if len(given) > longest:
        raise InputError(
            f"The question has {len(given):,} characters; at most {longest:,} are read.",
            hint="Put long text into a document and ingest it, or raise answer.max_question_characters.",
        )
    return given
