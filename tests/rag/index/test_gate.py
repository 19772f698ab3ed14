"""The gate: many share it, or one is alone."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from rag.index.gate import Gate


def test_many_share_it_at_once() -> None:
    gate, together = Gate(), threading.Barrier(4, timeout=10)

    def search() -> None:
        with gate.shared():
            together.wait()  # breaks unless all four are inside

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(search) for _ in range(4)]:
            done.result()


def test_a_change_is_alone_and_searches_see_it_whole() -> None:
    gate, pair, torn = Gate(), [0, 0], []

    def change() -> None:
        for _ in range(200):
            with gate.alone():
                pair[0] += 1
                pair[1] += 1

    def search() -> None:
        for _ in range(400):
            with gate.shared():
                if pair[0] != pair[1]:
                    torn.append(tuple(pair))

    with ThreadPoolExecutor(5) as pool:
        for done in [pool.submit(work) for work in (change, change, search, search, search)]:
            done.result()
    assert pair == [400, 400]
    assert not torn


def test_an_error_inside_opens_it_again() -> None:
    gate = Gate()
    for way in (gate.shared, gate.alone):
        try:
            with way():
                raise KeyError
        except KeyError:
            pass
    with gate.alone():
        assert True
