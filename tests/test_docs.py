"""Every code block of the documentation runs, in the order of its page, in an empty folder beside `examples/`.

Python runs as it stands. `rag …` runs in this process; when the block shows output, each line of it must come ("…"
stands for anything). A command that would call a hosted model is only parsed. `rag serve` serves in this process, and
`curl` asks what it serves. `make …` and `pip install` must name what exists; YAML must be a valid configuration, JSON
must be JSON.
"""

from __future__ import annotations

import json
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer

from plumbline.cli import build_app, main
from rag.config import read_rag_settings
from tests.docs_server import DocsServer

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("**/*.md")])
BLOCK = re.compile(r"^```(?P<language>\w*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|mailto:|#)(?P<target>[^)#\s]+)")
ASSIGNMENT = re.compile(r"[A-Z_]+=\S*$")


@dataclass(frozen=True)
class Block:
    place: str
    line: int
    language: str
    code: str


@dataclass(frozen=True)
class Command:
    """A command of a console block, and the output the page shows under it."""

    words: list[str]
    environment: list[str]
    shown: list[str]


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for match in BLOCK.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        yield Block(f"{page.relative_to(ROOT)}:{line}", line, match["language"], match["code"])


def commands(block: Block) -> Iterator[Command]:
    for part in re.split(r"^\$ ", block.code, flags=re.MULTILINE)[1:]:
        line, *shown = part.replace("\\\n", " ").splitlines()
        words = shlex.split(line, comments=True)
        environment = []
        while words and ASSIGNMENT.match(words[0]):
            environment.append(words.pop(0))
        yield Command(words, environment, [line for line in shown if line.strip()])


@pytest.fixture
def beside_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLUMBLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    for key in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "CO_API_KEY"):
        monkeypatch.delenv(key, raising=False)


@pytest.fixture
def server(beside_examples: None) -> Iterator[DocsServer]:
    made = DocsServer()
    yield made
    made.stop()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_code_blocks(
    page: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], server: DocsServer
) -> None:
    for block in blocks(page):
        if block.language == "python":
            run_python(page, block)
        elif block.language == "console":
            for command in commands(block):
                run_command(block, command, monkeypatch, capsys, server)
        elif block.language == "yaml":
            Path("block.yaml").write_text(block.code, encoding="utf-8")
            read_rag_settings("block.yaml", environ={})
        elif block.language == "json":
            json.loads(block.code)
        else:
            assert block.language == "text", f"{block.place}: say what this is: python, console, yaml, json or text"


def run_python(page: Path, block: Block) -> None:
    # Errors then name the line of the page; the block does not read its annotations as this file does.
    code = compile("\n" * block.line + block.code, str(page), "exec", dont_inherit=True)
    exec(code, {"__name__": "__main__"})


def run_command(
    block: Block,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    server: DocsServer,
) -> None:
    program, *arguments = command.words
    if program == "curl":
        expect(block, command, server.curl(arguments))
    elif program == "rag" and arguments[0] == "serve" and "--help" not in arguments and not parsed_only(command):
        parse(arguments)
        expect(block, command, server.serve([after for word, after in pairwise(arguments) if word == "--kb"]))
    elif program == "rag":
        run_rag(block, command, arguments, monkeypatch, capsys)
    elif program == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        assert set(words_of(arguments)) <= set(targets), block.place
    elif program == "pip":
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        assert unknown_extras(arguments, project) == set(), block.place
    elif program.startswith("python3"):
        assert arguments[:2] == ["-m", "venv"], block.place
    else:
        assert program in {"cd", "git", "rm", "source", "."}, f"{block.place}: how is '{program}' to be checked?"


def unknown_extras(arguments: list[str], project: dict[str, Any]) -> set[str]:
    """The extras that `pip install 'plumbline[…]'` or `pip install '.[…]'` names and the project lacks."""
    wanted = [re.fullmatch(r"(?P<what>[^\[]+)(?:\[(?P<extras>.*)\])?", word) for word in words_of(arguments)[1:]]
    assert all(match is not None and match["what"] in {".", project["name"]} for match in wanted), arguments
    named = {extra for match in wanted if match for extra in (match["extras"] or "").split(",") if extra}
    return named - set(project["optional-dependencies"])


def words_of(arguments: list[str]) -> list[str]:
    return [word for word in arguments if not word.startswith("-") and "=" not in word]


def run_rag(
    block: Block,
    command: Command,
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if parsed_only(command):
        parse(arguments)
        return
    monkeypatch.setattr(sys, "argv", ["rag", *arguments])
    capsys.readouterr()
    code = exit_code()
    output = " ".join("".join(capsys.readouterr()).split())
    wrong = any(line.startswith("error:") for line in command.shown)
    assert bool(code) == wrong, f"{block.place}: {command.words}: exit {code}\n{output}"
    expect(block, command, output)


def expect(block: Block, command: Command, output: str) -> None:
    """Each line that the page shows comes in the output."""
    output = " ".join(output.split())
    for line in command.shown:
        wanted = ".*".join(re.escape(" ".join(part.split())) for part in line.split("…"))
        assert re.search(wanted, output), f"{block.place}: {command.words} does not print\n{line}\nbut\n{output}"


def parsed_only(command: Command) -> bool:
    """Whether a command would call a hosted model."""
    return bool(command.environment or {"--model", "--config"} & set(command.words))


def exit_code() -> int | str | None:
    try:
        main()
    except SystemExit as stopped:
        return stopped.code
    return 0


def parse(arguments: list[str]) -> None:
    """Arguments and options exist; nothing runs."""
    name, *rest = arguments
    group = typer.main.get_command(build_app())
    group.commands[name].make_context(name, rest)  # type: ignore[attr-defined]  # typer says Command, it is a group


def test_blocks_are_found() -> None:
    assert any(block.language == "python" for block in blocks(ROOT / "README.md"))
    shown = next(commands(Block("", 1, "console", "$ A=1 rag ask \\\n  'why?' # really\nbecause\n")))
    assert shown == Command(["rag", "ask", "why?"], ["A=1"], ["because"])


@pytest.mark.parametrize("form", ["plumbline", "."])
def test_extras_are_checked_in_both_forms(form: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert unknown_extras(["install", f"{form}[openai,anthropic]"], project) == set()
    assert unknown_extras(["install", f"{form}[opneai]"], project) == {"opneai"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = [match["target"] for match in LINK.finditer(page.read_text(encoding="utf-8"))]
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert not missing
