"""Every error of ours has a status, a slug and a title of its own choosing."""

from __future__ import annotations

import importlib
import json
import re

import pytest

from plumbline.errors import ConfigError, InputError, MissingExtraError, PlumblineError, StorageError
from rag.errors import LoadError, OverLimitError, TooLargeError
from rag.serve.errors import FieldError, InvalidFieldError, RequestError
from rag.serve.problems import Problem, internal, slug_of, status_of
from routing.errors import ContextLengthError, DeadlineError, MissingKeyError, ModelError, RateLimitError

for module in ("plumbline.errors", "rag.errors", "rag.serve.errors", "routing.errors"):
    importlib.import_module(module)


def tree(kind: type[PlumblineError]) -> list[type[PlumblineError]]:
    return [kind, *(found for below in kind.__subclasses__() for found in tree(below))]


def made(kind: type[PlumblineError]) -> PlumblineError:
    """An error of the class, however it is made."""
    if issubclass(kind, TooLargeError):
        return kind("a.txt", 2_000_000, 1_000_000)
    if issubclass(kind, OverLimitError):
        return kind("a.zip", "it is a bomb", "loading.max_unpacked_bytes")
    if issubclass(kind, LoadError):
        return kind("a.txt", "it is odd")
    if issubclass(kind, ModelError):
        return kind("It failed.", model="openai/x")
    if issubclass(kind, MissingExtraError):
        return kind("granian", "serve")
    return kind("It failed.")


OURS = ("plumbline", "routing", "rag")
SHIPPED = [kind for kind in tree(PlumblineError) if kind.__module__.partition(".")[0] in OURS]


@pytest.mark.parametrize("kind", SHIPPED, ids=lambda kind: kind.__name__)
def test_every_error_is_a_problem(kind: type[PlumblineError]) -> None:
    problem = Problem.of(made(kind))
    document = problem.document("id-1")
    assert 400 <= problem.status <= 599
    assert document["type"] == f"urn:plumbline:problem:{problem.slug}"
    assert problem.slug == problem.slug.lower().strip("-")
    assert (document["status"], document["instance"]) == (problem.status, "id-1")
    assert document["detail"]
    assert document["title"] == problem.title[:1].upper() + problem.title[1:]
    json.dumps(document)
    json.dumps(problem.openai())


def test_slugs_name_one_status_each() -> None:
    statuses: dict[str, set[int]] = {}
    for kind in SHIPPED:
        statuses.setdefault(slug_of(kind), set()).add(status_of(made(kind)))
    # OpenAI names two kinds of what is not found alike: a model of the provider's, and one that is not served.
    assert {slug for slug, found in statuses.items() if len(found) > 1} <= {"model-not-found"}


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InputError("empty"), 400),
        (ConfigError("bad"), 500),
        (StorageError("full"), 507),
        (LoadError("a.pdf", "scanned"), 422),
        (TooLargeError("a.pdf", 2, 1), 413),
        (MissingKeyError("no key", model="openai/x"), 500),
        (ContextLengthError("too long", model="openai/x"), 400),
        (DeadlineError("late", model="openai/x"), 504),
        (ModelError("odd", model="openai/x"), 502),
    ],
)
def test_the_status_says_whose_fault_it_is(error: PlumblineError, status: int) -> None:
    assert status_of(error) == status


def test_a_provider_that_asks_for_patience_is_passed_on() -> None:
    problem = Problem.of(RateLimitError("slow down", model="openai/x", retry_after=7.2))
    assert (problem.status, problem.headers) == (429, {"retry-after": "8"}), "who comes after 7 s is refused again"
    problem = Problem.of(RateLimitError("slow down", model="openai/x", retry_after=float("inf")))
    assert problem.headers == {"retry-after": "86400"}, "a provider may say anything"


def test_fields_and_hints_are_told_in_both_shapes() -> None:
    error = InvalidFieldError("kb: wrong.", hint="Use 'kb'.", errors=[FieldError("kb", "wrong")])
    document = Problem.of(error).document("id")
    assert document["errors"] == [{"field": "kb", "message": "wrong"}]
    assert document["hint"] == "Use 'kb'."
    assert Problem.of(error).openai() == {
        "error": {
            "message": "kb: wrong. Use 'kb'.",
            "type": "invalid_request_error",
            "param": "kb",
            "code": "invalid_field",
        }
    }
    body, media_type = Problem.of(error).body("/v1/chat/completions", "id")
    assert media_type == "application/json"
    assert "error" in json.loads(body)


def test_an_internal_error_tells_nothing_of_the_inside() -> None:
    document = internal("req-1").document("req-1")
    assert document["status"] == 500
    assert "req-1" in document["detail"]


def test_every_request_error_is_in_the_drawing() -> None:
    from rag.serve import errors

    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, RequestError)]
    assert len(kinds) > 10
    for kind in kinds:
        assert re.search(rf"{kind.__name__} +{'root' if kind is RequestError else kind.status}", errors.__doc__ or "")
