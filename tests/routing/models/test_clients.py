from __future__ import annotations

import asyncio
import gc

import pytest

from plumbline.aio import LoopThread
from routing.models.catalog import DEFAULT_CATALOG
from routing.models.clients import ClientPool, Connections
from routing.testing.chat import REQUEST
from routing.testing.server import FakeProvider

pytest.importorskip("openai")

from routing.models.openai import OpenAIChatModel


class Client:
    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.closed_on: asyncio.AbstractEventLoop | None = None

    async def close(self) -> None:
        self.closed_on = asyncio.get_running_loop()


@pytest.fixture
def made() -> list[Client]:
    return []


@pytest.fixture
def pool(made: list[Client]) -> ClientPool[Client]:
    def make() -> Client:
        made.append(Client())
        return made[-1]

    return ClientPool(make)


async def test_one_client_per_loop(pool: ClientPool[Client], made: list[Client]) -> None:
    first, second = await asyncio.gather(pool.get(), pool.get())
    assert first is second
    assert len(made) == 1
    await pool.close()
    assert made[0].closed_on is asyncio.get_running_loop()
    assert await pool.get() is not first
    await pool.close()


def test_a_client_is_closed_with_its_loop(pool: ClientPool[Client], made: list[Client]) -> None:
    asyncio.run(pool.get())
    asyncio.run(pool.get())
    assert [client.closed_on is client.loop for client in made] == [True, True]


def test_closing_reaches_the_loops_of_other_threads(pool: ClientPool[Client], made: list[Client]) -> None:
    thread = LoopThread()
    thread.run(pool.get())
    asyncio.run(pool.close())
    thread.run(asyncio.sleep(0))
    assert made[0].closed_on is made[0].loop
    thread.close()


def test_a_forgotten_pool_closes_its_clients(made: list[Client]) -> None:
    thread = LoopThread()

    async def use_and_forget() -> None:
        def make() -> Client:
            made.append(Client())
            return made[-1]

        await ClientPool(make).get()

    thread.run(use_and_forget())
    gc.collect()
    thread.run(asyncio.sleep(0.01))
    assert made[0].closed_on is made[0].loop
    thread.close()


def test_real_connections_end_with_their_loops() -> None:
    background = LoopThread()
    server = FakeProvider()
    background.run(server.__aenter__())
    model = OpenAIChatModel("m", api_key="k", base_url=f"{server.url}/v1")
    answers = [
        background.run(model.complete(REQUEST)).text,
        asyncio.run(model.complete(REQUEST)).text,
        asyncio.run(model.complete(REQUEST)).text,
    ]
    assert len(set(answers)) == 1
    assert open_connections(background, server, down_to=1) == 1, "only the background loop still runs"
    asyncio.run(model.close())
    assert open_connections(background, server, down_to=0) == 0
    background.run(server.__aexit__(None, None, None))
    background.close()


def open_connections(background: LoopThread, server: FakeProvider, *, down_to: int) -> int:
    """How many are open when no more than `down_to` are, or after a second: the server notices a moment later."""

    async def wait() -> int:
        for _ in range(100):
            if server.connections <= down_to:
                break
            await asyncio.sleep(0.01)
        return server.connections

    return background.run(wait())


async def test_models_of_one_provider_share_their_connections() -> None:
    connections, made = Connections(), list[Client]()

    def make() -> Client:
        made.append(Client())
        return made[-1]

    one, two, other = (connections.pool(key, make) for key in ("a", "a", "b"))
    assert await one.get() is await two.get() is not await other.get()
    await one.close()
    assert not closed(made), "the other one still uses it"
    assert await two.get() is made[0]
    await two.close()
    assert closed(made) == [made[0]]
    await two.close()
    assert await connections.pool("a", make).get() is made[2]
    await connections.pool("a", make).close()
    assert closed(made) == [made[0]]


def closed(made: list[Client]) -> list[Client]:
    return [client for client in made if client.closed_on is not None]


async def test_models_of_the_catalogue_share_their_connections() -> None:
    async with FakeProvider() as server:
        environ = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": server.url}
        catalog = DEFAULT_CATALOG.connected()
        models = [catalog.chat_model(f"openai/{name}", environ=environ) for name in ("gpt-5-mini", "gpt-5-nano")]
        for model in models:
            await model.complete(REQUEST)
        assert server.connections == 1
        await models[0].close()
        await models[1].complete(REQUEST)
        assert server.connections == 1
        await models[1].close()
