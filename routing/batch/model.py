"""A chat model that answers in batches: whatever asks many questions at once costs half, unchanged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from contextvars import Context, copy_context
from dataclasses import dataclass

from plumbline.trace import current_ids
from routing.batch.aside import set_aside
from routing.batch.job import BatchJob, BatchResult, ForgottenError
from routing.batch.jobs import BatchJobs
from routing.batch.work import BatchableModel, ChatWork
from routing.chat import ChatEvent, ChatRequest, ChatResponse, Completed, TextDelta, Usage
from routing.meter import charge

QUIET_SECONDS = 2.0
MOST_REQUESTS = 20_000
MOST_CHARACTERS = 32_000_000
"""What is gathered for one job: it is in memory, several times, while it is sent."""
KEPT_SECONDS = 30 * 86_400.0
"""How long answers wait for somebody to come back for them: about as long as providers keep results."""

_Result = BatchResult[ChatRequest, ChatResponse]
_Job = BatchJob[ChatRequest, ChatResponse]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request, who waits for its result, and in which context: its trace, for one."""

    request: ChatRequest
    future: asyncio.Future[_Result]
    context: Context


class BatchingModel:
    """Collects the requests that are made at the same time and sends them as one job of `jobs`.

    It is sent when no request came for `quiet` seconds, or enough wait. Whoever asks waits for the answer, for a day
    perhaps: deadlines are not kept. Answers are priced, recorded and counted in the budgets by the job, which is what
    `settles` tells the router.

    What was asked before a crash is not asked again: each request is looked for among those that were sent, however
    they were grouped then. What was handed over is forgotten when the model is closed, or only by `forget` when the
    caller `keeps` it until its own work is safe.
    """

    settles = True

    def __init__(
        self,
        model: BatchableModel,
        jobs: BatchJobs,
        *,
        quiet: float = QUIET_SECONDS,
        most: int = MOST_REQUESTS,
        characters: int = MOST_CHARACTERS,
        keeps: bool = False,
    ) -> None:
        self._work = ChatWork(model)
        self._jobs = jobs
        self._quiet = quiet
        self._most = most
        self._characters = characters
        self._keeps = keeps
        self._waiting: list[_Asked] = []
        self._length = 0
        self._timer: asyncio.TimerHandle | None = None
        self._sending = asyncio.Lock()
        self._running: set[asyncio.Task[None]] = set()
        self._claimed: set[tuple[str, int]] = set()
        self._open: dict[str, int] = {}

    @property
    def name(self) -> str:
        """The model's."""
        return self._work.model

    async def complete(self, request: ChatRequest) -> ChatResponse:
        """The answer, when the batch has come back; raises `ModelError`."""
        self._work.body(request)  # what the model does not do is refused at once,
        self._work.dump(request)  # and what cannot be kept: others are not to fail with it
        attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": self.name, "plumbline.tier": "batch"}
        with self._jobs.meter.tracing.span(f"chat {self.name}", attributes) as span:
            async with set_aside():
                result = await self._gathered(request)
            usage = result.answer.usage if result.answer is not None else result.error and result.error.usage
            charge(usage or Usage(), result.cost)
            span.set_attribute("plumbline.batch.request", result.number)
            if result.cost is not None:
                span.set_attribute("plumbline.cost.usd", str(result.cost))
            if result.answer is None:
                assert result.error is not None  # it is one or the other
                raise result.error
            return result.answer

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        """The answer in one piece."""
        response = await self.complete(request)
        yield TextDelta(response.text)
        yield Completed(response)

    async def forget(self) -> None:
        """Take out what was handed over: whoever asks the same again is answered anew. What failed stays for others."""
        handed_over = {job for job, left in self._open.items() if not left}
        for row in self._jobs.list():
            if row.id in handed_over and self._jobs.status(row).done:
                await self._jobs.forget(row)
                del self._open[row.id]
        await self._jobs.forget_old(KEPT_SECONDS)

    async def close(self) -> None:
        """Close the model. What is waited for stays at the provider, to be gone on with."""
        if self._timer is not None:
            self._timer.cancel()
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        if not self._keeps:
            await self.forget()
        self._jobs.close()
        await self._work.close()

    async def _gathered(self, request: ChatRequest) -> _Result:
        loop = asyncio.get_running_loop()
        asked = _Asked(request, loop.create_future(), copy_context())
        self._waiting.append(asked)
        self._length += sum(len(message.content) for message in request.messages)
        if self._timer is not None:
            self._timer.cancel()
        if len(self._waiting) >= self._most or self._length >= self._characters:
            self._send()
        else:
            self._timer = loop.call_later(self._quiet, self._send)
        return await asked.future

    def _send(self) -> None:
        asked, self._waiting, self._length, self._timer = self._waiting, [], 0, None
        # A trace and a bill of its own: it is nobody's alone among those who asked.
        task = asyncio.get_running_loop().create_task(self._sent(asked), context=Context())
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _sent(self, asked: list[_Asked]) -> None:
        with _told(asked):
            async with self._sending:  # one at a time: each is large
                old, new = self._found(asked)
                made = await self._submitted(new)
            if made is not None:
                old.append(made)
            await asyncio.gather(*(self._followed(job, claims) for job, claims in old))

    def _found(self, asked: list[_Asked]) -> tuple[list[tuple[_Job, dict[int, _Asked]]], list[_Asked]]:
        """Those that were asked before a crash, by the jobs that have them, and the others."""
        places = self._jobs.resumable(self._work, [each.request for each in asked])
        claims: dict[str, dict[int, _Asked]] = {}
        new = []
        for at, each in enumerate(asked):
            place = next((place for place in places.get(at, ()) if place not in self._claimed), None)
            if place is None:
                new.append(each)
            else:
                self._claimed.add(place)
                claims.setdefault(place[0], {})[place[1]] = each
        found = []
        for job, mine in claims.items():
            ids = {number: each.context.run(current_ids) for number, each in mine.items()}
            found.append((self._jobs.open(job, self._work, ids), mine))
        return found, new

    async def _submitted(self, asked: list[_Asked]) -> tuple[_Job, dict[int, _Asked]] | None:
        if not asked:
            return None
        requests, contexts = [each.request for each in asked], [each.context for each in asked]
        job, refused = await self._jobs.gather(self._work, requests, contexts)
        sent = []
        for each, why in zip(asked, refused, strict=True):
            if why is None:
                sent.append(each)
            elif not each.future.done():
                each.future.set_exception(why)
        if job is None:
            return None
        self._claimed.update((job.id, number) for number in range(len(sent)))
        return job, dict(enumerate(sent))

    async def _followed(self, job: _Job, claims: dict[int, _Asked]) -> None:
        """Hand over the results of a job to those who wait for them."""
        self._open[job.id] = self._open.get(job.id, 0) + len(claims)
        left = dict(claims)
        with _told(list(claims.values())):
            try:
                async for result in job.results(claims.keys()):
                    each = left.pop(result.number)
                    if each.future.done():  # nobody waits any more: it is there for whoever asks again
                        continue
                    each.future.set_result(result)
                    self._open[job.id] -= 1
            except ForgottenError:  # by another process, which had asked the same
                self._open.pop(job.id, None)
                made = await self._submitted(list(left.values()))
                if made is not None:
                    await self._followed(*made)


@contextmanager
def _told(asked: Sequence[_Asked]) -> Iterator[None]:
    """Whoever still waits when the block fails hears why."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 (it is raised where it is waited for)
        for each in asked:
            if not each.future.done():
                each.future.set_exception(error)
    except BaseException:
        for each in asked:
            each.future.cancel()
        raise
