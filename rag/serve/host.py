"""What the endpoint serves: the opened knowledge bases by name, the models of the gateway, keys and settings."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, aclosing
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Literal

from plumbline.aio import LoopThread
from plumbline.errors import InputError
from rag.calls import close_protection, protection_of
from rag.config import build, read_rag_settings
from rag.events import Answered, AnswerEvent
from rag.home import HOME_FILE, Home, open_home
from rag.index.filters import Filter
from rag.knowledge import RAG
from rag.parts import Parts
from rag.retrieve.access import Access
from rag.serve.errors import FieldError, NotFoundError
from rag.serve.ingestions import Ingestions
from rag.serve.keys import KeyRing
from rag.serve.limits import Traffic
from rag.serve.metrics import Metrics
from rag.serve.uploads import Uploads
from rag.settings import RagSettings
from rag.types import Answer
from routing.chat import NO_WISH, ChatRequest, Evidence, Message, Wants
from routing.models.catalog import DEFAULT_CATALOG, Catalog
from routing.protection import Protection
from routing.router import Router

if TYPE_CHECKING:
    from routing.chat import ChatModel
    from routing.vectors import Embedder

IN_PROCESS = ("embedded/", "extractive/", "st/")
WARM_UP = "What is in these documents?"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question to the knowledge base `kb`; the rest is as in `RAG.aask`."""

    kb: str
    question: str
    access: Access
    condition: Filter | None = None
    history: tuple[Message, ...] = ()
    wants: Wants = NO_WISH


@dataclass(slots=True)
class Host:
    """Everything the routes work with. Make one with `Host.open`, close it with `aclose`.

    `bases` maps names to knowledge bases, `default` is the first one's name. `loopback` says that only this machine
    reaches the server, `background` runs what would hold up the loop of the requests. Ids of requests are `started` and
    the next of `requests`.
    """

    bases: Mapping[str, RAG]
    home: Home
    protection: Protection
    settings: RagSettings
    keys: KeyRing
    environ: Mapping[str, str]
    catalog: Catalog
    loopback: bool = True
    warm: bool = False
    default: str = field(init=False)
    traffic: Traffic = field(init=False)
    metrics: Metrics = field(init=False)
    background: LoopThread = field(init=False, default_factory=LoopThread)
    ingestions: Ingestions = field(init=False)
    started: str = field(default_factory=lambda: token_hex(6))
    requests: Iterator[int] = field(default_factory=lambda: count(1))
    _gateways: dict[str, Router] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make what counts requests, and what ingests."""
        self.default = next(iter(self.bases))
        self.traffic = Traffic(self.settings.serve.max_concurrent)
        self.metrics = Metrics(
            self.home.ledger,
            in_flight=lambda: len(self.traffic.running),
            dropped_spans=lambda: sum(base.parts.home.tracing.writer.dropped for base in self.bases.values()),
            breakers=lambda: {breaker.name: breaker.state for breaker in self.protection.states()},
        )
        self.ingestions = Ingestions(self.background, self.metrics.ingested)

    @classmethod
    def open(
        cls,
        folders: Sequence[str | Path],
        *,
        config: str | Path | None = None,
        model: str | ChatModel | None = None,
        embedder: Embedder | None = None,
        home: str | Path | None = None,
        settings: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] | None = None,
        catalog: Catalog = DEFAULT_CATALOG,
        loopback: bool = True,
    ) -> Host:
        """Open the knowledge bases in `folders`; the other arguments are those of `RAG.open`.

        Raises what `RAG.open` raises, and `InputError` for two folders of one name.
        """
        environ = os.environ if environ is None else environ
        overrides = {**(settings or {}), **({"generation.model": model} if isinstance(model, str) else {})}
        read = read_rag_settings(config, environ=environ, overrides=overrides, catalog=catalog)
        catalog = catalog.connected()
        with ExitStack() as undo:
            opened_home = open_home(home, environ=environ, record_text=read.trace.record_text)
            undo.callback(opened_home.close)
            protection = protection_of(opened_home, read)
            undo.callback(close_protection, protection)
            made = partial(
                build,
                settings=read,
                home=opened_home.path,
                environ=environ,
                catalog=catalog,
                model=None if isinstance(model, str) else model,
                embedder=embedder,
                protection=protection,
            )
            bases = _opened(folders, lambda folder: RAG(made(folder)), undo)
            keys = KeyRing(opened_home.path / HOME_FILE)
            undo.callback(keys.close)
            host = cls(bases, opened_home, protection, read, keys, environ, catalog, loopback)
            undo.pop_all()
        return host

    @property
    def state(self) -> Literal["starting", "ready", "stopping"]:
        """How far the server is in its life."""
        if self.traffic.draining:
            return "stopping"
        return "ready" if self.warm else "starting"

    async def warm_up(self) -> None:
        """Load every index and make every router, so that the first question waits for neither.

        Uploads that an earlier server stored and did not ingest are ingested then, beside the first requests.
        """
        for name, base in self.bases.items():
            parts = base.parts
            self.ingestions.catch_up(name, base, await asyncio.to_thread(_left_behind, parts))
            base.require_model()
            await self.background.arun(_answer_once(parts))
        self.warm = True

    def base(self, name: str | None) -> RAG:
        """The knowledge base called `name` (`None`: the default one); raises `NotFoundError`."""
        found = self.bases.get(self.default if name is None else name)
        if found is None:
            message = f"There is no knowledge base '{name}'."
            raise NotFoundError(
                message, hint=f"There are: {', '.join(self.bases)}.", errors=[FieldError("kb", message)]
            )
        return found

    async def ask(self, asked: Asked) -> Answer:
        """Answer from a knowledge base, and count the answer; raises as `base` and `RAG.aask`."""
        answer = await self.base(asked.kb).aask(
            asked.question,
            condition=asked.condition,
            access=asked.access,
            history=asked.history,
            wants=asked.wants,
        )
        self.metrics.answered(answer)
        return answer

    def stream(self, asked: Asked) -> AsyncGenerator[AnswerEvent, None]:
        """As `ask`, as it is worked out; what is wrong with the question is raised at once."""
        events = self.base(asked.kb).astream(
            asked.question,
            condition=asked.condition,
            access=asked.access,
            history=asked.history,
            wants=asked.wants,
        )
        return self._counted(events)

    async def _counted(self, events: AsyncGenerator[AnswerEvent, None]) -> AsyncGenerator[AnswerEvent, None]:
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Answered):
                    self.metrics.answered(event.answer)
                yield event

    @property
    def models(self) -> list[str]:
        """The names of the models that the gateway passes calls on to."""
        return list(self._passed_on)

    @property
    def _passed_on(self) -> dict[str, str]:
        """Their full names, and how they were configured."""
        names = self.settings.serve.models or [self.settings.generation.model]
        return {self.catalog.full_name(name): name for name in names}

    def gateway(self, name: str) -> Router:
        """The router of one of `models`; raises `NotFoundError` for another name and what making the model raises."""
        wanted = self._passed_on
        if name not in wanted:
            message = f"There is no model '{name}'."
            known = [*(f"kb/{base}" for base in self.bases), *wanted]
            raise NotFoundError(message, hint=f"There are: {', '.join(known)}.", errors=[FieldError("model", message)])
        if name not in self._gateways:
            model = self.catalog.chat_model(wanted[name], environ=self.environ)
            self._gateways[name] = self.bases[self.default].parts.routers.alone(model, wanted[name])
        return self._gateways[name]

    async def aclose(self) -> None:
        """Close everything that was opened; what still runs is stopped. What one could not do is raised only then."""
        async with AsyncExitStack() as opened:
            opened.callback(self.home.close)
            opened.push_async_callback(self.protection.close)
            opened.callback(self.keys.close)
            for base in self.bases.values():
                opened.push_async_callback(base.aclose)
            for router in self._gateways.values():
                opened.push_async_callback(router.close)
            opened.push_async_callback(asyncio.to_thread, self.background.close)
            opened.push_async_callback(self.ingestions.aclose)


def _opened(folders: Sequence[str | Path], open_base: Callable[[str | Path], RAG], undo: ExitStack) -> dict[str, RAG]:
    """The knowledge bases by name; `undo` is told how to close each."""
    bases: dict[str, RAG] = {}
    for folder in folders:
        name = name_of(folder)
        if name in bases:
            raise InputError(
                f"Two knowledge bases are called '{name}': {bases[name].parts.path} and {folder}.",
                hint="Knowledge bases are named after their folders; rename one.",
            )
        bases[name] = open_base(folder)
        undo.callback(bases[name].close)
    return bases


def _left_behind(parts: Parts) -> list[Uploads]:
    """The folders of uploads that hold, or held, something; whole files alone are left in them."""
    found = []
    for uploads in Uploads.all(parts.path, parts.manifest.labels()):
        uploads.clean()
        if uploads.any() or parts.manifest.count(uploads.source):
            found.append(uploads)
    return found


async def _answer_once(parts: Parts) -> None:
    """Load the index, and use the models that run in this process once; a call of any other would cost money."""
    await parts.store.count()
    embedder = parts.embedder.embedder
    if embedder.name.startswith(IN_PROCESS):
        await embedder.embed_queries([WARM_UP])
    evidence = (Evidence(WARM_UP, "none"),)
    for name, model in parts.router.models.items():
        if name.startswith(IN_PROCESS):
            await model.complete(ChatRequest((Message("user", WARM_UP),), question=WARM_UP, evidence=evidence))


def name_of(folder: str | Path) -> str:
    """The name of the knowledge base in a folder."""
    return Path(folder).expanduser().resolve().name or "kb"
