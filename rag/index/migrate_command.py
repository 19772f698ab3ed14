"""The command that moves a knowledge base between stores: migrate."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from plumbline.cli import EXIT_ERROR
from rag.options import KB_DEFAULT, AsJson, Config, HomeFolder, KnowledgeBase, Set, console, opened

if TYPE_CHECKING:
    from rag.index.migrate import Moved
    from rag.index.settings import StoreSettings
    from rag.knowledge import RAG


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(migrate)


def migrate(
    to: Annotated[
        str, typer.Option("--to", help="Where to: qdrant://HOST:6333/COLLECTION, postgresql://… or embedded:.")
    ],
    collection: Annotated[
        str | None, typer.Option("--collection", help="What the index is called on a PostgreSQL server.")
    ] = None,
    kb: KnowledgeBase = KB_DEFAULT,
    config: Config = None,
    home: HomeFolder = None,
    settings: Set = None,
    as_json: AsJson = False,
) -> None:
    """Copy the index to another store, prove that both are equal, and say what to configure; the old one stays."""
    from rag.index.build_store import settings_of

    with opened(kb, config, home, settings) as base:
        target = settings_of(to, base.parts.settings.store, collection)
        moved = _run(base, target)
    if as_json:
        typer.echo(_json(moved, target))
    else:
        _show(moved, target)
    if not all(each.proven for each in moved.values()):
        raise typer.Exit(EXIT_ERROR)


def _run(base: RAG, target: StoreSettings) -> dict[int, Moved]:
    with console(stderr=True).status("Migrating …") as status:

        def on_progress(done: int, points: int) -> None:
            status.update(f"Migrating {done:,} of {points:,} points …")

        return base.migrate(target, on_progress=on_progress)


def _show(moved: dict[int, Moved], target: StoreSettings) -> None:
    for each in moved.values():
        typer.echo(f"{each.points:,} points: {each.copied:,} copied, {each.kept:,} there already.")
        typer.echo(
            f"Proof: count {_word(each.same_count)}, ids {_word(each.same_ids)}, "
            f"{each.equal} of {each.searches} exact searches equal."
        )
        if each.lexical_overlap is not None:
            typer.echo(f"By words, the ten best agree to {each.lexical_overlap:.0%}.")
    if not moved:
        typer.echo("Nothing was ingested yet: there is nothing to move.")
    typer.echo("To search there from now on, put this into the configuration:")
    typer.echo(configuration(target))


def _json(moved: dict[int, Moved], target: StoreSettings) -> str:
    from rag.index.store_urls import without_password

    store = {"kind": target.kind, "url": without_password(target.url), "collection": target.collection}
    rows = [{"generation": number, "proven": each.proven, **asdict(each)} for number, each in moved.items()]
    return json.dumps({"store": store, "generations": rows}, indent=2)


def configuration(target: StoreSettings) -> str:
    """The lines of YAML that name a store, without a password."""
    from urllib.parse import urlsplit

    import yaml

    from rag.index.build_store import KEY_VARIABLE
    from rag.index.store_urls import without_password

    url = without_password(target.url)
    lines = {"kind": target.kind, "url": url, "collection": target.collection}
    given = {name: value for name, value in lines.items() if value is not None}
    secret = f"# and the password into {KEY_VARIABLE}\n" if urlsplit(target.url or "").password else ""
    return secret + str(yaml.safe_dump({"store": given}, sort_keys=False)).rstrip()


def _word(same: bool) -> str:
    return "equal" if same else "DIFFERENT"
