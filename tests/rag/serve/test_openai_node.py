"""The official Node client of OpenAI against the running server.

Skipped where `node` is missing, or PLUMBLINE_NODE_TESTS names no folder with what `node/package.json` asks for:

    cp tests/rag/serve/node/* FOLDER && npm install --prefix FOLDER --no-package-lock --no-audit --no-fund
    PLUMBLINE_NODE_TESTS=FOLDER make test
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.rag.serve.openai_endpoint import GROUNDED, KB, MODEL, running

pytest.importorskip("granian")
pytest.importorskip("openai")  # the server's own way to its provider

SCRIPT = Path(__file__).parent / "node" / "client.mjs"
FOLDER = os.environ.get("PLUMBLINE_NODE_TESTS")
QUESTION = "When may unopened goods be returned?"


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the client saw."""
    if shutil.which("node") is None:
        pytest.skip("there is no node on this machine")
    if FOLDER is None or not (Path(FOLDER) / "node_modules" / "openai").is_dir():
        pytest.skip("PLUMBLINE_NODE_TESTS names no folder in which the npm package openai is installed")
    script = Path(FOLDER) / SCRIPT.name  # packages are looked for beside the script
    shutil.copy(SCRIPT, script)
    with running(tmp_path_factory.mktemp("served")) as endpoint:
        command = ["node", str(script), endpoint.openai, endpoint.key, KB, MODEL, QUESTION]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_models_are_listed(seen: Any) -> None:
    assert (seen["models"], seen["retrieved"]) == ([KB, MODEL], KB)


def test_a_completion_is_read_whole_and_in_pieces(seen: Any) -> None:
    assert seen["completion"]["text"] == seen["streamedCompletion"]["text"] == GROUNDED.text
    assert seen["completion"]["usage"] == seen["streamedCompletion"]["usage"]
    assert seen["completion"]["usage"]["prompt_tokens_details"]["cached_tokens"] == 32
    assert seen["withTools"] == GROUNDED.text


def test_an_answer_is_read_whole_and_in_pieces(seen: Any) -> None:
    assert seen["answer"]["text"] == seen["streamedAnswer"]["text"] == GROUNDED.text
    whole, streamed = seen["answer"]["plumbline"], seen["streamedAnswer"]["plumbline"]
    assert whole["citations"] == streamed["citations"]
    assert whole["citations"][0]["document"] == "returns.md"


def test_errors_are_of_their_kind(seen: Any) -> None:
    assert seen["unknownModel"] == {
        "kind": "NotFoundError",
        "status": 404,
        "code": "model_not_found",
        "param": "model",
    }
    assert (seen["unsupported"]["kind"], seen["unsupported"]["param"]) == ("BadRequestError", "logprobs")
    assert (seen["wrongKey"]["kind"], seen["wrongKey"]["status"]) == ("AuthenticationError", 401)
