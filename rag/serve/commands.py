"""The commands of the endpoint: serve, and keys add, list, revoke.

Everything heavy is imported when a command runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plumbline.errors import ConfigError
from plumbline.text.printable import printable
from rag.options import Config, HomeFolder, Model, Set, parse_settings

if TYPE_CHECKING:
    from rag.serve.host import Host
    from rag.serve.keys import KeyRing

KnowledgeBases = Annotated[
    list[Path],
    typer.Option("--kb", envvar="PLUMBLINE_KB", help="Folder of a knowledge base; repeat it to serve several."),
]
KB_DEFAULT = [Path("kb")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(serve)
    keys = typer.Typer(no_args_is_help=True, help="Make, list and revoke API keys of the endpoint.")
    keys.command("add")(add)
    keys.command("list")(list_keys)
    keys.command("revoke")(revoke)
    app.add_typer(keys, name="keys")


def serve(
    kb: KnowledgeBases = KB_DEFAULT,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port to listen on.")] = 8000,
    model: Model = None,
    config: Config = None,
    home: HomeFolder = None,
    settings: Set = None,
    no_auth: Annotated[
        bool, typer.Option("--no-auth", help="Serve other machines without API keys, if there are none.")
    ] = False,
    log: Annotated[bool, typer.Option("--log", help="Print a line for each request.")] = False,
) -> None:
    """Serve knowledge bases: a web page, a JSON API and an OpenAI-compatible one."""
    import asyncio

    from plumbline.extras import require

    require("fastapi", "serve")
    from rag.serve.app import create_app
    from rag.serve.guard import is_loopback
    from rag.serve.host import Host
    from rag.serve.server import claimed, start_logging
    from rag.serve.server import serve as run

    async def main(opened: Host) -> None:
        try:
            _require_ready(opened, host, no_auth=no_auth)
            await run(
                opened, create_app(opened), host, port, on_listening=lambda: typer.echo(greeting(opened, host, port))
            )
        finally:
            await opened.aclose()

    chosen = parse_settings(settings or [])
    with claimed(host, port):
        opened = Host.open(kb, config=config, model=model, home=home, settings=chosen, loopback=is_loopback(host))
        start_logging(requests=log)
        asyncio.run(main(opened))


def add(
    name: Annotated[str, typer.Argument(help="Who or what uses the key.")],
    tenant: Annotated[
        str | None,
        typer.Option("--tenant", help="Sees its own documents beside everybody's; written into trace and ledger."),
    ] = None,
    group: Annotated[
        list[str] | None, typer.Option("--group", help="Sees the documents of this group too; repeat it for several.")
    ] = None,
    home: HomeFolder = None,
) -> None:
    """Make a key and print it, for the only time."""
    ring = _ring(home)
    try:
        key = ring.add(name, tenant, group or ())
    finally:
        ring.close()
    typer.echo(key)
    typer.secho("Keep it: only its hash is stored, so that it cannot be shown again.", err=True, dim=True)


def list_keys(home: HomeFolder = None) -> None:
    """List the keys, without their secrets."""
    ring = _ring(home)
    try:
        keys = ring.all()
    finally:
        ring.close()
    if not keys:
        typer.echo("There are no keys. Make one: rag keys add NAME")
    for key in keys:
        state = f"revoked {key.revoked}" if key.revoked else f"used {key.last_used or 'never'}"
        tenant = f"tenant {key.tenant}" if key.tenant else "no tenant"
        groups = f"  groups {', '.join(key.groups)}" if key.groups else ""
        typer.echo(printable(f"{key.id}  {key.name}  {tenant}{groups}  made {key.created}  {state}"))


def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME_OR_ID", help="The key's name or id.")], home: HomeFolder = None
) -> None:
    """Revoke a key; a server that runs refuses it from its next request on."""
    ring = _ring(home)
    try:
        key = ring.revoke(name)
    finally:
        ring.close()
    typer.echo(printable(f"Revoked {key.name} ({key.id})."))


def _ring(home: Path | None) -> KeyRing:
    from rag.config import HOME_FILE, home_folder
    from rag.serve.keys import KeyRing

    return KeyRing(home_folder(home) / HOME_FILE)


def _require_ready(host: Host, address: str, *, no_auth: bool) -> None:
    """Raise what would go wrong at the first request: no keys where some are needed, a model that cannot be made."""
    if not (host.loopback or no_auth or host.keys.any()):
        raise ConfigError(
            f"Other machines reach {address}, and there is no API key.",
            hint="Make one: rag keys add NAME. Or say that everybody may ask: --no-auth.",
        )
    for base in host.bases.values():
        base.require_model()


def greeting(host: Host, address: str, port: int) -> str:
    """What a server says when it has started."""
    shown = f"[{address}]" if ":" in address else address
    documents = [f"{name} ({base.parts.catalogue.totals().documents} documents)" for name, base in host.bases.items()]
    auth = "API keys are needed" if host.keys.any() else "no API key is needed"
    model = host.bases[host.default].parts.model_name
    return printable(
        f"Serving {', '.join(documents)} at http://{shown}:{port}\nAnswers by {model}; {auth}; stop with Ctrl-C."
    )
