"""The command `rag chunk`."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from plumbline.errors import ConfigError
from rag.errors import MissingFileError
from rag.ingest.chunk import command

MARKDOWN = "# Returns\n\nThe refund window is thirty days.\n\n## Costs\n\n" + "Who pays? The customer does. " * 40


class Shell:
    """Runs `rag chunk`; errors are raised, as they are for `plumbline.cli.main`."""

    def __init__(self) -> None:
        self._app = typer.Typer()
        self._app.callback()(lambda: None)
        command.register(self._app)

    def __call__(self, *arguments: object, stdin: str = "") -> tuple[str, str]:
        result = CliRunner().invoke(self._app, ["chunk", *map(str, arguments)], input=stdin)
        if result.exception is not None:
            raise result.exception
        return result.stdout, result.stderr

    def json(self, *arguments: object, stdin: str = "") -> list[dict[str, Any]]:
        return [json.loads(line) for line in self(*arguments, "--json", stdin=stdin)[0].splitlines()]


@pytest.fixture
def rag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLUMBLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("PLUMBLINE_CONFIG", raising=False)
    Path("returns.md").write_text(MARKDOWN, encoding="utf-8")
    return Shell()


@pytest.mark.parametrize("chunker", ["fixed", "recursive", "sentence", "structure", "parent_child"])
def test_one_chunk_a_line(rag: Shell, chunker: str) -> None:
    lines = rag.json("returns.md", "--chunker", chunker, "--size", 64, "--overlap", 0, "--parent-size", 200)
    assert len(lines) > 3
    for line in lines:
        assert MARKDOWN[line["start"] : line["end"]] == line["text"]
        assert line["tokens"] <= 64
        assert (line["document"], line["page"]) == ("returns.md", None)
        assert line["context"].startswith("returns")
        assert (line["parent"] is None) == (chunker != "parent_child")
    assert lines[0]["section"] == "Returns"


def test_a_table_for_people(rag: Shell) -> None:
    out, _ = rag("returns.md", "--chunker", "structure", "--size", 64, "--overlap", 0)
    title, head, *rows, total = out.splitlines()
    assert title.strip() == "returns.md"
    assert head.split() == ["start", "end", "tokens", "page", "section", "text"]
    assert rows[0].split()[:2] == ["0", str(MARKDOWN.index("\n\n## Costs"))]
    assert "Returns > Costs" in rows[1]
    assert f"{len(rows)} chunks" in total


def test_text_on_standard_input(rag: Shell) -> None:
    assert [line["text"] for line in rag.json("-", stdin="A sentence. Another.")] == ["A sentence. Another."]


def test_the_documents_of_an_archive(rag: Shell) -> None:
    with zipfile.ZipFile("both.zip", "w") as archive:
        archive.writestr("one.md", "# One\n\nText.")
        archive.writestr("two.txt", "Other text.")
        archive.writestr("bad.pdf", b"no pdf")
    assert {line["document"].rpartition("/")[2] for line in rag.json("both.zip")} == {"one.md", "two.txt"}
    assert "bad.pdf" in rag("both.zip")[1]


@pytest.mark.parametrize("chunker", ["semantic", "late"])
def test_a_chunker_that_asks_a_model(rag: Shell, chunker: str) -> None:
    lines = rag.json("returns.md", "--chunker", chunker, "--size", 64, "--overlap", 0)
    assert "".join("".join(line["text"].split()) for line in lines) == "".join(MARKDOWN.split())
    assert all(line["tokens"] <= 64 for line in lines)


def test_an_extractive_model_writes_no_context(rag: Shell) -> None:
    with pytest.raises(ConfigError, match=r"needs a language model.*extractive/default") as caught:
        rag("returns.md", "--chunker", "contextual")
    assert caught.value.key == "generation.model"


def test_errors_name_what_is_wrong(rag: Shell) -> None:
    with pytest.raises(MissingFileError, match=r"none\.md"):
        rag("none.md")
    with pytest.raises(ConfigError, match="fixd") as caught:
        rag("returns.md", "--chunker", "fixd")
    assert caught.value.key == "chunking.chunker"
    with pytest.raises(ConfigError, match="cl100k_base"):
        rag("returns.md", "--tokenizer", "cl100k")
    with pytest.raises(ConfigError, match="100 tokens") as caught:
        rag("returns.md", "--chunker", "parent_child", "--parent-size", 100)
    assert caught.value.key == "chunking.parent_size"
