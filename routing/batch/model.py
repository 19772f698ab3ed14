"""A chat model that answers in batches: whatever asks many questions at once costs half, unchanged."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator

from routing.batch.job import BatchJob
from routing.batch.jobs import BatchJobs
from routing.batch.work import BatchableModel, ChatWork
from routing.chat import ChatEvent, ChatRequest, ChatResponse, Completed, TextDelta

QUIET_SECONDS = 2.0


class BatchingModel:
    """Collects the requests that are made at the same time and sends them as one job of `jobs`.

    It is sent when no request came for `quiet` seconds, or `most` wait. Whoever asks waits for the answer, for a day
    perhaps: deadlines are not kept. The router prices and records the answers, as it does those of every model, so
    `jobs` must be made with `records=False`. Asked for the same again after a crash, it goes on with the same job;
    a job whose answers were handed over is forgotten.
    """

    def __init__(
        self, model: BatchableModel, jobs: BatchJobs, *, quiet: float = QUIET_SECONDS, most: int = 10_000
    ) -> None:
        self._work = ChatWork(model)
        self._jobs = jobs
        self._quiet = quiet
        self._most = most
        self._waiting: list[tuple[ChatRequest, asyncio.Future[ChatResponse]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._done: list[BatchJob[ChatRequest, ChatResponse]] = []

    @property
    def name(self) -> str:
        """The model's."""
        return self._work.model

    async def complete(self, request: ChatRequest) -> ChatResponse:
        """The answer, when the batch has come back; raises `ModelError`."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[ChatResponse] = loop.create_future()
        self._waiting.append((request, answer))
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_later(0 if len(self._waiting) >= self._most else self._quiet, self._send)
        return await answer

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        """The answer in one piece."""
        response = await self.complete(request)
        yield TextDelta(response.text)
        yield Completed(response)

    async def close(self) -> None:
        """Close the model. What is waited for stays at the provider, to be gone on with."""
        if self._timer is not None:
            self._timer.cancel()
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._forget()
        await self._work.close()

    def _send(self) -> None:
        # In an order that does not depend on who came first, so that the same requests make the same job.
        asked = sorted(self._waiting, key=lambda each: self._work.dump(each[0]))
        self._waiting, self._timer = [], None
        task = asyncio.get_running_loop().create_task(self._answered(asked))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _answered(self, asked: list[tuple[ChatRequest, asyncio.Future[ChatResponse]]]) -> None:
        try:
            await self._forget()
            requests = [request for request, _ in asked]
            job = await self._jobs.submit(self._work, requests, name=self._name(requests))
            async for result in job.results():
                future = asked[result.number][1]
                if future.done():  # nobody waits any more
                    continue
                if result.answer is not None:
                    future.set_result(result.answer)
                elif result.error is not None:
                    future.set_exception(result.error)
            self._done.append(job)
        except BaseException as error:
            for _, future in asked:
                if future.done():
                    continue
                if isinstance(error, Exception):
                    future.set_exception(error)
                else:
                    future.cancel()
            if not isinstance(error, Exception):
                raise

    async def _forget(self) -> None:
        """Take out the jobs whose answers were handed over: who asks the same again wants to be answered anew."""
        done, self._done = self._done, []
        for job in done:
            await self._jobs.forget(job)

    def _name(self, requests: list[ChatRequest]) -> str:
        texts = json.dumps([self.name, *map(self._work.dump, requests)])
        return f"gathered {hashlib.sha256(texts.encode()).hexdigest()[:32]}"
