"""The Dockerfile, read: no engine runs here. The health check is run as a shell runs it."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from plumbline.cli import EXIT_STATE
from rag import RAG

ROOT = Path(__file__).parents[1]


def instructions() -> list[tuple[str, str]]:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#")).replace("\\\n", " ").splitlines()
    return [(word, rest.strip()) for word, _, rest in (line.strip().partition(" ") for line in lines) if word]


def stages() -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for word, rest in instructions():
        if word == "FROM":
            found.append([])
        found[-1].append((word, rest))
    return found


def last(word: str) -> str:
    return next(rest for found, rest in reversed(stages()[-1]) if found == word)


def health_command() -> list[str]:
    command: list[str] = json.loads(last("HEALTHCHECK").partition("CMD ")[2])
    return command


def test_two_stages_on_pinned_slim_images() -> None:
    images = [stage[0][1].split()[0] for stage in stages()]
    assert len(images) == 2
    assert all(re.fullmatch(r"python:3\.1[1-3]-slim", image) for image in images)
    assert len(set(images)) == 1  # the environment is copied, so both must have the same Python at the same place


def test_final_image_builds_nothing_and_is_not_root() -> None:
    runs = " ".join(rest for word, rest in stages()[-1] if word == "RUN")
    assert not re.search(r"\b(pip|apt-get|gcc|make|build-essential|git|curl)\b", runs)
    words = [word for word, _ in stages()[-1]]
    assert last("USER") not in {"root", "0"}
    assert words.index("USER") < words.index("ENTRYPOINT")
    assert f"useradd --create-home --uid 10001 {last('USER')}" in runs


@pytest.mark.parametrize("word", ["ENTRYPOINT", "CMD"])
def test_signals_reach_the_program(word: str) -> None:
    assert isinstance(json.loads(last(word)), list)  # the shell form would put /bin/sh in between


def test_what_is_copied_exists_and_nothing_else_is_sent() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    sent = {line[1:] for line in ignored if line.startswith("!")}
    copied = {
        source
        for stage in stages()
        for word, rest in stage
        if word == "COPY" and "--from" not in rest
        for source in shlex.split(rest)[:-1]
    }
    assert "*" in ignored
    assert copied == sent
    assert not [name for name in copied if not (ROOT / name).exists()]
    assert any(fnmatch.fnmatch("rag/__pycache__", pattern) for pattern in ignored if pattern != "*")


def health(folder: Path) -> int:
    assert not {"curl", "wget"} & set(re.findall(r"\w+", " ".join(health_command())))
    program = folder / "bin" / "rag"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m plumbline.cli "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    environment = os.environ | {
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PLUMBLINE_KB": str(folder / "kb"),
        "PLUMBLINE_HOME": str(folder / "home"),
    }
    return subprocess.run(health_command(), env=environment, cwd=folder, capture_output=True, check=False).returncode


def test_health_without_a_knowledge_base(tmp_path: Path) -> None:
    assert health(tmp_path) == 0


def test_health_with_a_knowledge_base(tmp_path: Path) -> None:
    (tmp_path / "note.md").write_text("The depot opens at seven.", encoding="utf-8")
    with RAG.open(tmp_path / "kb", home=tmp_path / "home") as kb:
        kb.ingest(tmp_path / "note.md")
    assert health(tmp_path) == 0


def test_health_with_a_damaged_knowledge_base(tmp_path: Path) -> None:
    (tmp_path / "kb").mkdir()
    (tmp_path / "kb" / "knowledge.db").write_bytes(b"this is no database" * 500)
    assert health(tmp_path) == EXIT_STATE
