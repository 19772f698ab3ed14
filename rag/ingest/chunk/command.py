"""The command `rag chunk`: what a chunker makes of a file, one chunk a line, for whoever wants to see or score it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plumbline.text.printable import printable
from rag.options import AsJson, Config, HomeFolder, Set, console, parse_settings

if TYPE_CHECKING:
    from rag.settings import RagSettings
    from rag.types import Chunk, Document

STANDARD_INPUT = "-"
_SHOWN_CHARS = 200
_SECTION_CHARS = 30


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(chunk)


def chunk(
    file: Annotated[str, typer.Argument(help="A file of any format that is read, a URL, or - for text on stdin.")],
    chunker: Annotated[
        str | None,
        typer.Option(
            "--chunker", help="fixed, recursive, sentence, structure, parent_child, semantic, late, contextual."
        ),
    ] = None,
    size: Annotated[int | None, typer.Option("--size", help="Tokens in a chunk, at most.")] = None,
    overlap: Annotated[int | None, typer.Option("--overlap", help="Tokens shared with the chunk before.")] = None,
    parent_size: Annotated[
        int | None, typer.Option("--parent-size", help="Tokens in a parent (chunker parent_child).")
    ] = None,
    tokenizer: Annotated[str | None, typer.Option("--tokenizer", help="Who counts, e.g. cl100k_base.")] = None,
    config: Config = None,
    home: HomeFolder = None,
    settings: Set = None,
    as_json: AsJson = False,
) -> None:
    """Show the chunks of a file; what is not given comes from the configuration."""
    from rag.config import read_rag_settings

    named = {"chunker": chunker, "size": size, "overlap": overlap, "parent_size": parent_size, "tokenizer": tokenizer}
    overrides = parse_settings(settings or [])
    overrides |= {f"chunking.{key}": value for key, value in named.items() if value is not None}
    read = read_rag_settings(config, overrides=overrides)
    documents = _documents(file, read)
    cuts = _cut(documents, read, config, home, overrides)
    if as_json:
        _print_json(cuts)
    else:
        _print_table(cuts)


Cuts = Iterator[tuple["Document", Sequence["Chunk"]]]


def _documents(file: str, settings: RagSettings) -> Sequence[Document]:
    """The documents of `file`; what could not be read inside a container is told on standard error."""
    if file == STANDARD_INPUT:
        from rag.ingest.source.given import document_from_text

        text = sys.stdin.buffer.read().decode("utf-8", "replace")
        return [document_from_text(text, source="stdin.txt")]
    from rag.ingest.item import Item
    from rag.ingest.load import read_item

    name = printable(file.rstrip("/").rsplit("/", 1)[-1])
    source = printable(file if "://" in file else str(Path(file).absolute()))
    reading = read_item(Item(source, name, file, size=None, stamp=""), settings.loading)
    assert reading is not None, "only a known hash makes a file unchanged"
    for problem in reading.problems:
        typer.echo(f"not read: {printable(problem.name)}: {printable(problem.reason)}", err=True)
    return reading.documents


def _cut(
    documents: Sequence[Document],
    settings: RagSettings,
    config: str | None,
    home: Path | None,
    overrides: dict[str, Any],
) -> Cuts:
    from rag.ingest.chunk.build import build_splitter

    splitter = build_splitter(settings.chunking)
    if splitter is not None:
        for document in documents:
            yield document, splitter.split(document)
        return
    import asyncio

    yield from asyncio.run(_cut_with_models(documents, config, home, overrides))


async def _cut_with_models(
    documents: Sequence[Document], config: str | None, home: Path | None, overrides: dict[str, Any]
) -> list[tuple[Document, Sequence[Chunk]]]:
    """As ingestion would: with the configured models, priced in the home's ledger, for an empty knowledge base."""
    from tempfile import TemporaryDirectory

    from rag.knowledge import RAG

    with TemporaryDirectory() as folder:
        base = RAG.open(folder, config=config, home=home, settings=overrides)
        try:
            return [(document, await base.parts.chunker.chunk(document)) for document in documents]
        finally:
            await base.aclose()


def _print_json(cuts: Cuts) -> None:
    from rag.ingest.chunk.output import ChunkOutput

    for document, chunks in cuts:
        for each in chunks:
            typer.echo(ChunkOutput.of(document, each).model_dump_json())


def _print_table(cuts: Cuts) -> None:
    from rich.table import Table
    from rich.text import Text

    for document, chunks in cuts:
        title = Text(printable(document.name))
        table = Table(title=title, box=None, title_justify="left", pad_edge=False, expand=True)
        for name in ("start", "end", "tokens", "page"):
            table.add_column(name, justify="right", no_wrap=True, min_width=len(str(len(document.text))))
        table.add_column("section", max_width=_SECTION_CHARS, no_wrap=True)
        table.add_column("text", no_wrap=True, ratio=1)
        for each in chunks:
            page = "" if each.page is None else str(each.page)
            text = " ".join(each.text[:_SHOWN_CHARS].split())
            numbers = (str(each.start), str(each.end), str(each.tokens), page)
            table.add_row(*numbers, Text(printable(each.section or "")), Text(printable(text)))
        console().print(table)
        console().print(Text(f"{len(chunks)} chunks, {sum(each.tokens for each in chunks):,} tokens", "dim"))
