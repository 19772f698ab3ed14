"""The providers of models that come with Plumbline: what their names look like, and how each makes its models.

Nothing here imports an SDK; models are made, and their packages imported, when they are asked for.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from urllib.parse import urlsplit

from plumbline.errors import MissingExtraError
from routing.chat import ChatModel
from routing.errors import MissingKeyError, UnknownModelError
from routing.models.clients import Connections
from routing.models.facts import UNKNOWN, Api, ModelFacts, provider_facts
from routing.vectors import Embedder, Reranker


@dataclass(frozen=True, slots=True)
class ModelName:
    """A model's name taken apart: "provider/name", "provider/name@address", or "openai/name@responses"."""

    provider: str
    name: str
    address: str | None = None

    @property
    def full(self) -> str:
        """The name without the address: what prices, ledger and traces know the model by."""
        return f"{self.provider}/{self.name}"


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """How a model is to be made.

    `environ` is where keys and addresses are looked up. `effort` is how much a reasoning model thinks, `dimensions`
    the length of an embedder's vectors; `None` leaves the provider's default. `connections` are shared by the models
    that are made with them.
    """

    environ: Mapping[str, str]
    effort: str | None = None
    dimensions: int | None = None
    connections: Connections | None = None


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider. A maker that is `None` says that there are no such models there.

    `check_chat`, `check_embedder` and `check_reranker` raise `UnknownModelError` for a name that cannot be right; they
    run when the configuration is read and need no key. `example` is a name to show, `examples` are those for other
    kinds of models, by "embedders" or "rerankers".
    """

    name: str
    chat: Callable[[ModelName, ModelOptions], ChatModel] | None = None
    embedder: Callable[[ModelName, ModelOptions], Embedder] | None = None
    reranker: Callable[[ModelName, ModelOptions], Reranker] | None = None
    check_chat: Callable[[ModelName], None] = lambda model: None
    check_embedder: Callable[[ModelName], None] = lambda model: None
    check_reranker: Callable[[ModelName], None] = lambda model: None
    example: str = ""
    examples: Mapping[str, str] = field(default_factory=dict)


def unknown(model: ModelName, message: str, known: Iterable[str] = (), *, hint: str | None = None) -> UnknownModelError:
    """The error for a name that cannot be right; suggests the nearest of `known`, names without the provider."""
    candidates = list(known)
    near = difflib.get_close_matches(model.name, candidates, n=1, cutoff=0.5)
    if hint is None and near:
        hint = f"Did you mean '{model.provider}/{near[0]}'?"
    if hint is None and candidates:
        hint = f"There is, for example, '{model.provider}/{candidates[0]}'."
    return UnknownModelError(message, model=model.full, hint=hint)


def builtin_providers() -> tuple[Provider, ...]:
    """The providers that come with Plumbline, those that need no key first."""
    return (
        Provider(
            "extractive",
            chat=_extractive,
            reranker=_extractive_reranker,
            check_chat=_only("default"),
            check_reranker=_only("default"),
            example="extractive/default",
        ),
        Provider("embedded", embedder=_embedded, check_embedder=_only("wordllama"), example="embedded/wordllama"),
        Provider("st", embedder=_sentence_transformers, reranker=_cross_encoder, example="st/NAME-OR-FOLDER"),
        Provider(
            "openai",
            chat=_openai_chat,
            embedder=_openai_embedder,
            check_chat=_check_hosted,
            check_embedder=_check_hosted_embedder,
            example="openai/gpt-5-mini",
            examples={"embedders": "openai/text-embedding-3-small"},
        ),
        Provider("anthropic", chat=_anthropic_chat, check_chat=_check_hosted, example="anthropic/claude-haiku-4-5"),
        Provider(
            "cohere",
            chat=_cohere_chat,
            embedder=_cohere_embedder,
            reranker=_cohere_reranker,
            check_chat=_check_hosted,
            check_embedder=_check_hosted_embedder,
            check_reranker=_check_hosted_reranker,
            example="cohere/command-a-03-2025",
            examples={"embedders": "cohere/embed-v4.0", "rerankers": "cohere/rerank-v4.0-fast"},
        ),
        *(
            Provider(
                name,
                chat=_served_chat,
                embedder=_served_embedder,
                reranker=_served_reranker,
                check_chat=_check_served,
                check_embedder=_check_served,
                check_reranker=_check_served,
                example=f"{name}/NAME@http://localhost:8000",
            )
            for name in _KEY_OF_SERVER
        ),
    )


_KEY = re.compile(r"[!-~]*")  # what a header may carry, without spaces (RFC 9110, 5.5)
_AS_IS = "Leave embedding.dimensions out."
_ADDRESS_VARIABLES = {"openai": "OPENAI_BASE_URL", "anthropic": "ANTHROPIC_BASE_URL", "cohere": "CO_API_URL"}
_INTERFACES: Mapping[str, Api] = {"chat": "chat", "responses": "responses"}
_KEY_OF_SERVER = {"vllm": "VLLM_API_KEY", "openai-compatible": "OPENAI_COMPATIBLE_API_KEY"}


def _only(name: str) -> Callable[[ModelName], None]:
    def check(model: ModelName) -> None:
        if model.name != name:
            raise unknown(model, f"There is no model '{model.full}'.", hint=f"Did you mean '{model.provider}/{name}'?")

    return check


def _extractive(_model: ModelName, _options: ModelOptions) -> ChatModel:
    from routing.models.embedded import EmbeddedEmbedder
    from routing.models.extractive import ExtractiveModel

    return ExtractiveModel(embedder=EmbeddedEmbedder())


def _extractive_reranker(_model: ModelName, _options: ModelOptions) -> Reranker:
    from routing.models.embedded import EmbeddedEmbedder
    from routing.models.extractive_rerank import ExtractiveReranker

    return ExtractiveReranker(embedder=EmbeddedEmbedder())


def _embedded(model: ModelName, options: ModelOptions) -> Embedder:
    from routing.models.embedded import EmbeddedEmbedder

    embedder = EmbeddedEmbedder()
    if options.dimensions not in (None, embedder.dim):
        raise unknown(model, f"{model.full} has {embedder.dim} dimensions, not {options.dimensions}.", hint=_AS_IS)
    return embedder


def _sentence_transformers(model: ModelName, options: ModelOptions) -> Embedder:
    from routing.models.sentence_transformers import SentenceTransformersEmbedder

    if options.dimensions is not None:
        raise unknown(model, f"The vectors of {model.full} cannot be shortened.", hint=_AS_IS)
    return SentenceTransformersEmbedder(model.name)


def _cross_encoder(model: ModelName, _options: ModelOptions) -> Reranker:
    from routing.models.st_rerank import CrossEncoderReranker

    _need_package("sentence_transformers", "st")
    return CrossEncoderReranker(model.name)


def _check_hosted(model: ModelName) -> None:
    facts = provider_facts(model.provider)
    if model.provider != "openai" or model.address not in _INTERFACES:
        _check_no_address(model)
    if facts.of_embedder(model.name).dimensions is not None:
        raise unknown(model, f"'{model.full}' is an embedder, not a chat model.", facts.known)
    if not facts.has_family(model.name):
        raise unknown(model, f"There is no chat model '{model.full}'.", facts.known)


def _check_hosted_embedder(model: ModelName) -> None:
    facts = provider_facts(model.provider)
    _check_no_address(model)
    if facts.of_embedder(model.name).dimensions is None:
        raise unknown(model, f"There is no embedder '{model.full}'.", facts.embedders)


def _check_hosted_reranker(model: ModelName) -> None:
    facts = provider_facts(model.provider)
    _check_no_address(model)
    if facts.of_reranker(model.name) is None:
        raise unknown(
            model, f"There is no reranker '{model.full}'.", [name for name in facts.rerankers if "*" not in name]
        )


def _check_no_address(model: ModelName) -> None:
    if model.address is not None:
        variable = _ADDRESS_VARIABLES[model.provider]
        raise unknown(
            model,
            f"'{model.full}' takes no address.",
            hint=f"Write 'openai-compatible/{model.name}@ADDRESS', or set {variable}.",
        )


def _openai_chat(model: ModelName, options: ModelOptions) -> ChatModel:
    from routing.models.openai import OpenAIChatModel
    from routing.models.openai_client import OPENAI_ADDRESS

    return OpenAIChatModel(
        model.name,
        api_key=_key(model, "OPENAI_API_KEY", options, "openai"),
        base_url=options.environ.get("OPENAI_BASE_URL") or OPENAI_ADDRESS,
        facts=provider_facts("openai").of_chat(model.name),
        effort=options.effort,
        api=_INTERFACES.get(model.address or ""),
        connections=options.connections,
    )


def _openai_embedder(model: ModelName, options: ModelOptions) -> Embedder:
    from routing.models.openai_client import OPENAI_ADDRESS
    from routing.models.openai_embedder import OpenAIEmbedder

    facts = provider_facts("openai").of_embedder(model.name)
    return OpenAIEmbedder(
        model.name,
        dim=_dimensions(model, facts, options),
        api_key=_key(model, "OPENAI_API_KEY", options, "openai"),
        base_url=options.environ.get("OPENAI_BASE_URL") or OPENAI_ADDRESS,
        facts=facts,
        connections=options.connections,
    )


def _cohere_chat(model: ModelName, options: ModelOptions) -> ChatModel:
    from routing.models.cohere_chat import CohereChatModel
    from routing.models.cohere_client import COHERE_ADDRESS, COHERE_KEY

    return CohereChatModel(
        model.name,
        api_key=_key(model, COHERE_KEY, options, "cohere"),
        base_url=options.environ.get("CO_API_URL") or COHERE_ADDRESS,
        facts=provider_facts("cohere").of_chat(model.name),
        effort=options.effort,
        connections=options.connections,
    )


def _cohere_embedder(model: ModelName, options: ModelOptions) -> Embedder:
    from routing.models.cohere_client import COHERE_ADDRESS, COHERE_KEY
    from routing.models.cohere_embedder import CohereEmbedder

    facts = provider_facts("cohere").of_embedder(model.name)
    return CohereEmbedder(
        model.name,
        dim=_dimensions(model, facts, options),
        api_key=_key(model, COHERE_KEY, options, "cohere"),
        base_url=options.environ.get("CO_API_URL") or COHERE_ADDRESS,
        facts=facts,
        connections=options.connections,
    )


def _cohere_reranker(model: ModelName, options: ModelOptions) -> Reranker:
    from routing.models.cohere_client import COHERE_ADDRESS, COHERE_KEY
    from routing.models.cohere_rerank import CohereReranker

    return CohereReranker(
        model.name,
        api_key=_key(model, COHERE_KEY, options, "cohere"),
        base_url=options.environ.get("CO_API_URL") or COHERE_ADDRESS,
        facts=provider_facts("cohere").of_reranker(model.name) or UNKNOWN,
        connections=options.connections,
    )


def _dimensions(model: ModelName, facts: ModelFacts, options: ModelOptions) -> int:
    """How long an embedder's vectors are to be; raises `UnknownModelError` for what it cannot give."""
    full = facts.dimensions or 0
    wanted = options.dimensions or full
    if wanted > full or (wanted < full and not facts.shortens):
        at_most = "at most " if facts.shortens else ""
        raise unknown(
            model,
            f"{model.full} gives vectors of {at_most}{full} numbers, not {wanted}.",
            hint=f"Set embedding.dimensions: {full}.",
        )
    return wanted


def _anthropic_chat(model: ModelName, options: ModelOptions) -> ChatModel:
    from routing.models.anthropic import ANTHROPIC_ADDRESS, AnthropicChatModel

    return AnthropicChatModel(
        model.name,
        api_key=_key(model, "ANTHROPIC_API_KEY", options, "anthropic"),
        base_url=options.environ.get("ANTHROPIC_BASE_URL") or ANTHROPIC_ADDRESS,
        facts=provider_facts("anthropic").of_chat(model.name),
        effort=options.effort,
        connections=options.connections,
    )


def _check_served(model: ModelName) -> None:
    _served_address(model)


def _served_address(model: ModelName) -> str:
    """The base URL of a server named in a model's name; "/v1" is added where the address has no path."""
    example = f"Write '{model.provider}/{model.name}@http://localhost:8000'."
    if model.address is None:
        raise unknown(model, f"'{model.full}' does not say where the server is.", hint=example)
    if "@" in model.address:
        raise unknown(
            model,
            f"The address of '{model.full}' must not carry a key.",
            hint=f"Put it into the environment variable {_KEY_OF_SERVER[model.provider]}.",
        )
    try:
        parts = urlsplit(model.address)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise unknown(model, f"The address '{model.address}' cannot be read: {error}.", hint=example) from error
    if parts.scheme not in ("http", "https") or not host or port == 0 or parts.query or parts.fragment:
        raise unknown(model, f"The address '{model.address}' is not of the form http://host:port.", hint=example)
    path = parts.path.rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path or '/v1'}"


def _served_chat(model: ModelName, options: ModelOptions) -> ChatModel:
    from routing.models.openai import OpenAIChatModel

    _need_package("openai", "openai")
    variable = _KEY_OF_SERVER[model.provider]
    return OpenAIChatModel(
        model.name,
        api_key=_key_in(variable, model, options),
        provider=model.provider,
        base_url=_served_address(model),
        key_variable=variable,
        effort=options.effort,
        connections=options.connections,
    )


def _served_embedder(model: ModelName, options: ModelOptions) -> Embedder:
    from routing.models.openai_embedder import OpenAIEmbedder

    _need_package("openai", "openai")
    if options.dimensions is None:
        raise unknown(
            model,
            f"How long the vectors of '{model.full}' are is not known.",
            hint="Say it with embedding.dimensions.",
        )
    variable = _KEY_OF_SERVER[model.provider]
    return OpenAIEmbedder(
        model.name,
        dim=options.dimensions,
        api_key=_key_in(variable, model, options),
        provider=model.provider,
        base_url=_served_address(model),
        key_variable=variable,
        connections=options.connections,
    )


def _served_reranker(model: ModelName, options: ModelOptions) -> Reranker:
    from routing.models.served_rerank import ServedReranker

    _need_package("openai", "openai")
    variable = _KEY_OF_SERVER[model.provider]
    return ServedReranker(
        model.name,
        provider=model.provider,
        base_url=_served_address(model),
        api_key=_key_in(variable, model, options),
        key_variable=variable,
        connections=options.connections,
    )


def _key(model: ModelName, variable: str, options: ModelOptions, package: str) -> str:
    _need_package(package, package)
    key = _key_in(variable, model, options)
    if key is None:
        raise MissingKeyError(
            f"{model.full} needs an API key, and the environment variable {variable} is not set.",
            model=model.full,
            hint=f"Run: export {variable}=…  Or name one that needs no key, as extractive/default.",
        )
    return key


def _key_in(variable: str, model: ModelName, options: ModelOptions) -> str | None:
    """The key in an environment variable, if there is one; raises `MissingKeyError` for what cannot be a key."""
    key = options.environ.get(variable, "").strip()
    if not _KEY.fullmatch(key):
        raise MissingKeyError(
            f"The environment variable {variable} holds no API key: it has spaces or characters that no key has.",
            model=model.full,
            hint="Copy the whole key again, without quotes or dots for what was left out.",
        )
    return key or None


def _need_package(package: str, extra: str) -> None:
    """Fails now rather than at the first call; importing the SDK itself is left to that call."""
    if find_spec(package) is None:
        raise MissingExtraError(package, extra)
