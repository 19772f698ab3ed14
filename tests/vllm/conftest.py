"""The servers that these tests share. PLUMBLINE_VLLM names the command `vllm`; without it the tests are skipped."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vllm.servers import GENERATING, POOLING, Server, served

COMMAND = "PLUMBLINE_VLLM"


@pytest.fixture(scope="session")
def vllm() -> Path:
    """The command."""
    named = os.environ.get(COMMAND)
    if not named:
        pytest.skip(f"{COMMAND} names no command: make test-vllm")
    return Path(named)


@pytest.fixture(scope="session")
def weights(vllm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model, made with the interpreter that vLLM runs on."""
    folder = tmp_path_factory.mktemp("vllm") / "tiny"
    script = Path(__file__).with_name("make_model.py")
    subprocess.run([vllm.with_name("python"), script, folder], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def generating(vllm: Path, weights: Path) -> Iterator[Server]:
    """A server that writes."""
    with served(vllm, weights, *GENERATING) as server:
        yield server


@pytest.fixture(scope="session")
def pooling(vllm: Path, weights: Path) -> Iterator[Server]:
    """A server that embeds and reranks."""
    with served(vllm, weights, *POOLING) as server:
        yield server
