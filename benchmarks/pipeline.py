"""What a whole question costs of the processor, beside the same pipeline written by hand with the same client.

    python -m benchmarks.pipeline [--chunks 10000] [--questions 600] [--concurrent 64]

One fake provider, a process of its own on the last core, answers at once and cites what it was given first. The vectors
of questions are supplied. On the first core, one after the other:

- by hand: exact numpy vectors, BM25 shares added up (as bm25s does), min-max fusion, the three best chunks in a prompt,
  one call through openai's client on aiohttp. No citations, no price, no trace, no ledger, nothing on disk.
- by hand, httpx: the same on the client's default transport.
- plumbline: `RAG.aask` over a knowledge base on disk: both sides, fusion, evidence, prompt, the call with its retries
  and price, citations checked against the stored text, trace and ledger written.
- plumbline, no call: the same with a chat model in this process, to see what is ours.

What is loaded is frozen (`gc.freeze`) before anything is measured, as `rag serve` does after warming up. CPU-ms are
those of this process, threads included, per question: medians over blocks of 50 questions, which the pipelines take in
turn, so that a machine that is busy for a while is so for all of them. "ratio" is the median of a block's CPU time by
that of the same block by hand. Then the questions are asked at once, three times over, of which the best counts. Chunks
and questions are random words with Zipf's frequencies and random vectors: what they cost does not hang on what they
say.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from plumbline.prompts import load_prompt
from plumbline.text.terms import terms
from rag import RAG
from rag.types import Document
from routing.chat import ChatRequest, ChatResponse, Usage
from routing.vectors import Embeddings

DIM = 384
WORDS_PER_CHUNK = 110
WORDS_PER_QUESTION = 8
TOP_N = 3
CANDIDATES = 100
DENSE_WEIGHT = 0.45
BLOCK = 50
MODEL = "fake-model"
Ask = Callable[[str], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Load:
    """The chunks with their vectors, the questions with theirs."""

    texts: Sequence[str]
    vectors: np.ndarray
    questions: Sequence[str]
    asked: dict[str, np.ndarray]


class Supplied:
    """An embedder that looks vectors up."""

    name = "none/vectors"  # of no provider: nobody charges for them
    dim = DIM
    max_tokens = None

    def __init__(self, load: Load) -> None:
        self._known = {**load.asked, **dict(zip(load.texts, load.vectors, strict=True))}

    async def embed_queries(self, texts: Sequence[str]) -> Embeddings:
        """The vectors of questions."""
        return Embeddings(np.stack([self._known[text] for text in texts]), Usage())

    async def embed_passages(self, texts: Sequence[str]) -> Embeddings:
        """The vectors of chunks, whatever stands before them."""
        return await self.embed_queries([text.rpartition("\n")[2] for text in texts])

    async def close(self) -> None:
        """Nothing is open."""


class AtOnce:
    """A chat model in this process that cites what it was given first."""

    name = "supplied/answer"

    async def complete(self, request: ChatRequest) -> ChatResponse:
        """The answer."""
        first = request.evidence[0]
        return ChatResponse(answer(first.document, first.text), self.name, usage=Usage(900, 30))

    async def close(self) -> None:
        """Nothing is open."""


def answer(document: str, text: str) -> str:
    """A sentence of the source, with its citation."""
    return f"{' '.join(text.split()[:12])}. [Source: {document}]"


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] == ["provider"]:
        os.sched_setaffinity(0, {int(sys.argv[3])})
        provider(int(sys.argv[2]))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=10_000)
    parser.add_argument("--questions", type=int, default=600)
    parser.add_argument("--concurrent", type=int, default=64)
    arguments = parser.parse_args()
    load = made(arguments.chunks, arguments.questions)
    port = 18_000 + os.getpid() % 1000
    cores = sorted(os.sched_getaffinity(0))
    command = [sys.executable, "-m", "benchmarks.pipeline", "provider", str(port), str(cores[-1])]
    with subprocess.Popen(command) as server:
        os.sched_setaffinity(0, {cores[0]})
        try:
            asyncio.run(measured(load, f"http://127.0.0.1:{port}/v1", arguments.concurrent))
        finally:
            server.terminate()


def made(chunks: int, questions: int) -> Load:
    """The same load for the same numbers."""
    rng, chance = np.random.default_rng(0), random.Random(0)
    vectors = rng.normal(size=(chunks + questions, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)

    def words(count: int) -> str:
        return " ".join(f"w{min(int(chance.paretovariate(0.7)), 50_000)}" for _ in range(count))

    texts = [f"{words(WORDS_PER_CHUNK)} chunk{number}." for number in range(chunks)]
    asked = [f"{words(WORDS_PER_QUESTION)} question{number}" for number in range(questions)]
    return Load(texts, vectors[:chunks], asked, dict(zip(asked, vectors[chunks:], strict=True)))


async def measured(load: Load, url: str, concurrent: int) -> None:
    """Every pipeline, in turn."""
    await until_it_answers(url)
    hand = ByHand(load)
    async with AsyncExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        pipelines: dict[str, Ask] = {}
        for name, kind in (("by hand", "DefaultAioHttpClient"), ("by hand, httpx", "DefaultAsyncHttpxClient")):
            pipelines[name] = partial(hand.ask, await stack.enter_async_context(hand.client(url, kind)))
        for name, model in (("plumbline", f"vllm/{MODEL}@{url.removesuffix('/v1')}"), ("plumbline, no call", AtOnce())):
            kb = await stack.enter_async_context(opened(load, scratch, model))
            pipelines[name] = partial(text_of, kb)
        for ask in pipelines.values():
            await ask(load.questions[0])
        gc.collect()
        gc.freeze()
        print(f"{len(load.texts):,} chunks, {len(load.questions)} questions, {concurrent} at once\n")
        print(f"{'':24}{'CPU-ms':>8}{'ratio':>8}{'p50 ms':>8}{'/s at once':>12}{'CPU-ms':>8}{'ratio':>8}")
        one_by_one = await sequential(pipelines, load.questions)
        crowds = {name: await crowd(ask, load.questions, concurrent) for name, ask in pipelines.items()}
    first = crowds["by hand"].used
    for name, taken in one_by_one.items():
        ratio = statistics.median(a / b for a, b in zip(taken.used, one_by_one["by hand"].used, strict=True))
        alone = f"{statistics.median(taken.used):8.2f}{ratio:8.2f}{statistics.median(taken.seconds) * 1e3:8.2f}"
        print(f"{name:24}{alone}{crowds[name].rate:12.0f}{crowds[name].used:8.2f}{crowds[name].used / first:8.2f}")


@dataclass(frozen=True, slots=True)
class Taken:
    """CPU-ms a question of each block, and the seconds that each question took."""

    used: list[float]
    seconds: list[float]


@dataclass(frozen=True, slots=True)
class Crowd:
    """Questions a second, and CPU-ms a question."""

    rate: float
    used: float


async def sequential(pipelines: Mapping[str, Ask], questions: Sequence[str], rounds: int = 2) -> dict[str, Taken]:
    """One question after the other, in blocks; the first round warms up."""
    found = {name: Taken([], []) for name in pipelines}
    for number in range(1 + rounds):
        for start in range(0, len(questions), BLOCK):
            for name, ask in pipelines.items():
                used, seconds = time.process_time(), []
                for question in questions[start : start + BLOCK]:
                    began = time.perf_counter()
                    await ask(question)
                    seconds.append(time.perf_counter() - began)
                if number:
                    found[name].used.append((time.process_time() - used) * 1e3 / len(seconds))
                    found[name].seconds.extend(seconds)
    return found


async def crowd(ask: Ask, questions: Sequence[str], concurrent: int, rounds: int = 3) -> Crowd:
    """So many questions at a time; the best of the rounds."""
    gate = asyncio.Semaphore(concurrent)

    async def one(question: str) -> None:
        async with gate:
            await ask(question)

    found = []
    for _ in range(rounds):
        began, used = time.perf_counter(), time.process_time()
        await asyncio.gather(*map(one, questions))
        rate = len(questions) / (time.perf_counter() - began)
        found.append(Crowd(rate, (time.process_time() - used) * 1e3 / len(questions)))
    return max(found, key=lambda each: each.rate)


def opened(load: Load, scratch: Path, model: Any) -> RAG:
    """The knowledge base, filled when it is first opened."""
    kb = RAG.open(
        scratch / "kb",
        home=scratch / "home",
        embedder=Supplied(load),
        model=model,
        environ={},
        settings={
            "chunking.size": 1024,
            "chunking.overlap": 0,
            "retrieval.candidates": CANDIDATES,
            "retrieval.top_n": TOP_N,
            "retrieval.dense_weight": DENSE_WEIGHT,
            "routing.fallback": "none",
        },
    )
    if not kb.status().totals.chunks:
        started = time.process_time()
        kb.ingest(document(number, text) for number, text in enumerate(load.texts))
        print(f"{'':24}{len(load.texts) / (time.process_time() - started):.0f} chunks ingested per CPU-s")
    return kb


def document(number: int, text: str) -> Document:
    """A chunk as a document of its own."""
    return Document(f"d{number}", f"d{number}", f"d{number}.md", text, f"{number:064}", "text/plain")


async def text_of(kb: RAG, question: str) -> str:
    """An answer that must have been grounded."""
    found = await kb.aask(question)
    assert found.citations[0].verdict == "supported", found
    return found.text


class ByHand:
    """Hybrid retrieval and one call, as one writes it in an afternoon."""

    def __init__(self, load: Load, k1: float = 1.2, b: float = 0.75) -> None:
        self._load = load
        counts = [Counter(terms(text)) for text in load.texts]
        lengths = np.array([sum(count.values()) for count in counts], np.float32)
        damping = k1 * (1 - b + b * lengths / lengths.mean())
        postings: dict[str, list[tuple[int, int]]] = {}
        for number, count in enumerate(counts):
            for term, frequency in count.items():
                postings.setdefault(term, []).append((number, frequency))
        self._shares: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        for term, held in postings.items():
            at, frequency = np.array(held).T
            idf = np.log1p((len(counts) - len(held) + 0.5) / (len(held) + 0.5))
            self._shares[term] = at, (idf * frequency * (k1 + 1) / (frequency + damping[at])).astype(np.float32)
        prompt = load_prompt("answer").body
        self._system, self._question = prompt, load_prompt("question")

    def client(self, url: str, kind: str) -> Any:
        """OpenAI's client on one of its transports."""
        import openai

        return openai.AsyncOpenAI(
            base_url=url, api_key="none", http_client=getattr(openai, kind)(), max_retries=2, timeout=60
        )

    async def ask(self, client: Any, question: str) -> str:
        """Search, prompt, call."""
        best = self.search(question)[:TOP_N]
        context = "\n\n".join(f"[Source: d{number}.md]\n{self._load.texts[number]}" for number in best)
        user = self._question.render({"context": context, "question": question})
        response = await client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "system", "content": self._system}, {"role": "user", "content": user}],
            temperature=0.1,
            max_tokens=1024,
        )
        return str(response.choices[0].message.content)

    def search(self, question: str) -> list[int]:
        """The best chunks."""
        dense = self._load.vectors @ self._load.asked[question]
        lexical = np.zeros(len(dense), np.float32)
        for term in terms(question):
            if term in self._shares:
                at, shares = self._shares[term]
                lexical[at] += shares
        fused: dict[int, float] = {}
        for scores, weight in ((dense, DENSE_WEIGHT), (lexical, 1 - DENSE_WEIGHT)):
            best = np.argpartition(scores, -CANDIDATES)[-CANDIDATES:]
            values = scores[best]
            low, reach = values.min(), float(np.ptp(values)) or 1.0
            for number, value in zip(best.tolist(), ((values - low) / reach).tolist(), strict=True):
                fused[number] = fused.get(number, 0.0) + weight * value
        return sorted(fused, key=lambda number: -fused[number])[:10]


async def until_it_answers(url: str) -> None:
    """Wait for the provider."""
    import aiohttp

    async with aiohttp.ClientSession() as session:
        for _ in range(300):
            try:
                async with session.get(f"{url}/models"):
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)
    raise SystemExit("the provider did not start")


def provider(port: int) -> None:
    """Answers at once, with the first words of the first source in the prompt."""
    from aiohttp import web

    async def chat(request: web.Request) -> web.Response:
        prompt = json.loads(await request.read())["messages"][-1]["content"]
        source, _, rest = prompt.partition("[Source: ")[2].partition("]")
        text = rest.partition("\n")[2]
        message = {"role": "assistant", "content": answer(source, text), "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        usage = {"prompt_tokens": 900, "completion_tokens": 30, "total_tokens": 930}
        frame = {"id": "1", "object": "chat.completion", "created": 1, "model": MODEL}
        return web.json_response({**frame, "choices": [choice], "usage": usage})

    async def models(_: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": []})

    application = web.Application()
    application.router.add_post("/v1/chat/completions", chat)
    application.router.add_get("/v1/models", models)
    web.run_app(application, host="127.0.0.1", port=port, print=None, access_log=None)


if __name__ == "__main__":
    main()
