"""What the commands of this floor share: their options, and how they open a knowledge base."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plumbline.errors import ConfigError, InputError

if TYPE_CHECKING:
    from rag.knowledge import RAG
    from rag.retrieve.access import Access
    from routing.chat import Wants

KnowledgeBase = Annotated[Path, typer.Option("--kb", envvar="PLUMBLINE_KB", help="Folder of the knowledge base.")]
Config = Annotated[
    str | None, typer.Option("--config", envvar="PLUMBLINE_CONFIG", help="A shipped configuration or a YAML file.")
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model", help="Who answers, whatever the rules say, e.g. openai/…, anthropic/…, vllm/NAME@http://…."
    ),
]
HomeFolder = Annotated[
    Path | None,
    typer.Option("--home", envvar="PLUMBLINE_HOME", help="Folder of ledger and traces (default ~/.plumbline)."),
]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change one setting, e.g. retrieval.top_k=20.")
]
Where = Annotated[
    str | None,
    typer.Option(
        "--where",
        metavar="FILTER",
        help="Search only there, e.g. \"date >= 2023 and type = 'text/html'\" (see docs/filters.md).",
    ),
]
Tenant = Annotated[str | None, typer.Option("--tenant", help="See what this tenant sees (default: everything).")]
Group = Annotated[
    list[str] | None, typer.Option("--group", help="See what this group sees; can be repeated (default: everything).")
]
Local = Annotated[bool, typer.Option("--local", help="Nothing of it may leave the machine.")]
Latency = Annotated[
    str | None, typer.Option("--latency", help="How soon it is needed: realtime, interactive or batch.")
]
Task = Annotated[str | None, typer.Option("--task", help="What kind of question it is said to be.")]
Language = Annotated[str | None, typer.Option("--language", help="Its language (default: detected).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON (see docs/json.md).")]

KB_DEFAULT = Path("kb")


@contextmanager
def opened(
    kb: Path,
    config: str | None,
    home: Path | None,
    settings: list[str] | None,
    *,
    model: str | None = None,
    create: bool = False,
) -> Iterator[RAG]:
    """The knowledge base in the folder `kb`, open; raises `InputError` when there is none and none is to be made."""
    from rag.config import KNOWLEDGE_FILE
    from rag.knowledge import RAG

    if not create and not (kb / KNOWLEDGE_FILE).exists():
        raise InputError(
            f"There is no knowledge base in {kb}.", hint="Make one: rag ingest FOLDER (or name another with --kb)."
        )
    with RAG.open(kb, config=config, home=home, model=model, settings=parse_settings(settings or [])) as base:
        yield base


def access(tenant: str | None, groups: list[str] | None) -> Access:
    """Who asks on the command line: whoever has the folder sees everything, unless they say whose eyes to use."""
    from rag.retrieve.access import EVERYTHING, Access

    return Access(tenant, tuple(groups or ())) if tenant is not None or groups else EVERYTHING


def wants(
    model: str | None = None,
    latency: str | None = None,
    local: bool = False,
    task: str | None = None,
    language: str | None = None,
) -> Wants:
    """What the options ask of whoever is asked; raises `InputError` for a latency that is none.

    `--model` makes a model the configured one, and asks for it by name: no rule gives the question to another.
    """
    from rag.wants import latency as known
    from routing.chat import Wants

    return Wants(model, known(latency), local, task, language)


def parse_settings(pairs: list[str], option: str = "--set") -> dict[str, Any]:
    """What `--set KEY=VALUE …`, or another such option, says, values read as YAML; raises `ConfigError`."""
    import yaml

    values = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"{option} {pair}: this is not of the form KEY=VALUE.", key=pair)
        try:
            values[key.strip()] = yaml.safe_load(value)
        except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2024-13-45
            raise ConfigError(
                f"{option} {pair}: the value is not YAML.",
                key=key.strip(),
                value=value,
                hint=f"Put it in quotes if it is text: {option} 'KEY=\"VALUE\"'.",
            ) from error
    return values


def console(*, stderr: bool = False) -> Any:
    """Where a command prints."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)
