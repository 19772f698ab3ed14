"""For every test: no network but this machine, no keys, no writing into the user's home, no deadlines."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

LOOPBACK = ("127.", "::1", "localhost")
KEYS = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "VLLM_API_KEY")

# A slow machine is no failure; in CI the examples are the same at every run.
settings.register_profile("plumbline", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("plumbline")


@pytest.fixture(scope="session", autouse=True)
def closed_off(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Connections leave this machine in no test; homes are temporary; environments have no keys and no settings."""
    with pytest.MonkeyPatch.context() as patch:
        home: Path = tmp_path_factory.mktemp("home")
        patch.setenv("HOME", str(home))
        patch.setenv("PLUMBLINE_HOME", str(home / "plumbline"))
        patch.setenv("HF_HUB_OFFLINE", "1")
        for name in [*KEYS, *(name for name in os.environ if name.startswith("PLUMBLINE__"))]:
            patch.delenv(name, raising=False)
        for method in ("connect", "connect_ex"):
            patch.setattr(socket.socket, method, _guarded(getattr(socket.socket, method)))
        yield


def _guarded(connect: Any) -> Any:
    def only_here(self: socket.socket, address: Any) -> Any:
        if isinstance(address, tuple) and not str(address[0]).startswith(LOOPBACK):
            raise OSError(f"a test reached for {address}")
        return connect(self, address)

    return only_here
