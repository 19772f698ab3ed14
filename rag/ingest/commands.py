"""The commands that bring documents in and prove that they are: ingest, verify, export."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from plumbline.cli import EXIT_ERROR, EXIT_FILES_FAILED, EXIT_INTERRUPTED
from plumbline.errors import InputError, StorageError
from rag.ingest.options import (
    Afresh,
    AllowEmpty,
    DryRun,
    Engine,
    Group,
    InBatches,
    KeepMissing,
    Label,
    Name,
    Rehash,
    Target,
    Tenant,
    Urls,
    Watch,
)
from rag.options import KB_DEFAULT, AsJson, Config, HomeFolder, KnowledgeBase, Set, console, opened, parse_settings

if TYPE_CHECKING:
    from rag.ingest.item import Source
    from rag.ingest.report import IngestReport, OnProgress, Progress
    from rag.knowledge import RAG

STANDARD_INPUT = "-"


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (ingest, verify, export):
        app.command()(command)


def ingest(
    target: Target = None,
    kb: KnowledgeBase = KB_DEFAULT,
    config: Config = None,
    home: HomeFolder = None,
    settings: Set = None,
    urls: Urls = None,
    name: Name = None,
    dry_run: DryRun = False,
    watch: Watch = False,
    afresh: Afresh = False,
    rehash: Rehash = False,
    keep_missing: KeepMissing = False,
    allow_empty: AllowEmpty = False,
    tenant: Tenant = None,
    group: Group = None,
    label: Label = None,
    engine: Engine = None,
    batch: InBatches = False,
    as_json: AsJson = False,
) -> None:
    """Bring the knowledge base in step with a folder, file, list of URLs, or standard input."""
    pairs = [*(settings or []), *([f"loading.engine={engine}"] if engine else [])]
    pairs += ["chunking.batch=true"] if batch else []
    if watch:
        once = {"--dry-run": dry_run, "--afresh": afresh, "--rehash": rehash, "--allow-empty": allow_empty}
        _require_watchable(target, [option for option, given in once.items() if given])
    labels = _labels(tenant, group, label)
    read = _target(target, urls, name)
    with opened(kb, config, home, pairs, create=True) as base:
        if watch:
            _watch(base, target or "", labels, keep_missing=keep_missing, as_json=as_json)
            return
        report = ingest_with_bar(
            lambda on_progress: base.ingest(
                read(base),
                afresh=afresh,
                rehash=rehash,
                keep_missing=keep_missing,
                allow_empty=allow_empty,
                dry_run=dry_run,
                labels=labels,
                on_progress=on_progress,
            )
        )
        _print_report(report, as_json=as_json)
    if report.failed:
        raise typer.Exit(EXIT_FILES_FAILED)


def verify(
    kb: KnowledgeBase = KB_DEFAULT,
    config: Config = None,
    home: HomeFolder = None,
    settings: Set = None,
    check: Annotated[bool, typer.Option("--check", help="Only look; repair nothing.")] = False,
    rehash: Rehash = False,
    as_json: AsJson = False,
) -> None:
    """Prove that every file is indexed and every chunk has its vector and postings; repair what is not."""
    with opened(kb, config, home, settings) as base:
        seen = base.verify(repair=not check, rehash=rehash)
    if as_json:
        from rag.ingest.output import VerifyOutput

        typer.echo(VerifyOutput.of(seen).model_dump_json(indent=2))
    else:
        from rag.ingest import show

        show.verification(console(), seen)
    if not seen.complete:
        raise typer.Exit(EXIT_ERROR)


def export(
    file: Annotated[Path, typer.Argument(help="Where to write; - for standard output.")] = Path(STANDARD_INPUT),
    kb: KnowledgeBase = KB_DEFAULT,
    config: Config = None,
    home: HomeFolder = None,
    settings: Set = None,
) -> None:
    """Write documents, chunks, vectors and postings as sorted lines of JSON: equal contents, equal bytes."""
    with opened(kb, config, home, settings) as base, _opened_for_writing(file) as out:
        base.export(out)


@contextmanager
def _opened_for_writing(file: Path) -> Iterator[TextIO]:
    """`file`, or standard output, as UTF-8 whatever the terminal's encoding; raises `InputError`, `StorageError`."""
    if str(file) == STANDARD_INPUT:
        out = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="\n")
    else:
        try:
            out = file.open("w", encoding="utf-8", newline="\n")
        except OSError as error:
            raise InputError(
                f"Cannot write to '{file}': {error.strerror}.", hint="Name a file in a folder that is there."
            ) from error
    try:
        yield out
        out.flush()
    except BrokenPipeError:
        raise  # whoever reads has had enough: the command ends in silence
    except OSError as error:
        place = "standard output" if str(file) == STANDARD_INPUT else f"'{file}'"
        raise StorageError(f"Cannot write to {place}: {error.strerror}.", hint="Nothing stored was lost.") from error
    finally:
        with suppress(OSError):
            out.detach() if out.buffer is sys.stdout.buffer else out.close()


def ingest_quietly(base: RAG, docs: Path) -> None:
    """Ingest before a question: only what is new or went wrong is worth a line, and never on standard output."""
    report = ingest_with_bar(lambda on_progress: base.ingest(docs, on_progress=on_progress))
    if len(report.files) > report.count("unchanged") + report.count("skipped"):
        typer.secho(str(report), err=True, dim=True)


def ingest_with_bar(run: Callable[[OnProgress], IngestReport]) -> IngestReport:
    """Run an ingestion under a progress bar; Ctrl-C ends the command and says what was stored."""
    from rag.ingest.show import progress_bar

    done = 0
    try:
        with progress_bar(console(stderr=True)) as advance:

            def on_progress(progress: Progress) -> None:
                nonlocal done
                done = progress.done
                advance(progress)

            return run(on_progress)
    except KeyboardInterrupt:
        typer.secho(f"Interrupted after {done} files. They are stored; run the same command again to go on.", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None


def _target(target: str | None, urls: Path | None, name: str | None) -> Callable[[RAG], str | Source]:
    """What to ingest, as a function so that standard input is read when everything else is known to be well."""
    if (target is None) == (urls is None):
        raise InputError("Name what to ingest: a folder, a file, a pattern, a URL or -, or --urls FILE.")
    if urls is not None:
        from rag.ingest.source.pick import url_list

        listed = url_list(urls)
        return lambda base: listed
    if target == STANDARD_INPUT:
        from rag.ingest.source.stdin import StdinSource

        return lambda base: StdinSource(sys.stdin.buffer, name or "stdin.txt", base.parts.settings.loading)
    named = target or ""
    return lambda base: named


def _print_report(report: IngestReport, *, as_json: bool) -> None:
    if as_json:
        from rag.output import ingest_json

        for piece in ingest_json(report):
            typer.echo(piece, nl=False)
        typer.echo()
    else:
        from rag.ingest import show

        show.report(console(), report)


def _require_watchable(target: str | None, once: list[str]) -> None:
    if target is None or target == STANDARD_INPUT or "://" in target:
        raise InputError("Only folders and files can be watched.", hint="Leave out --watch.")
    if once:
        raise InputError(f"--watch does not go with {' and '.join(once)}.", hint="Leave out one or the other.")


def _labels(tenant: str | None, groups: list[str] | None, pairs: list[str] | None) -> dict[str, Any] | None:
    """What the options say of the documents; `None` when they say nothing."""
    said = parse_settings(pairs or [], "--label")
    if tenant is not None:
        said["tenant"] = tenant
    if groups:
        said["groups"] = groups
    return said or None


def _watch(base: RAG, target: str, labels: dict[str, Any] | None, *, keep_missing: bool, as_json: bool) -> None:
    typer.secho("Watching for changes; end with Ctrl-C.", err=True, dim=True)
    try:
        for report in base.watch(target, keep_missing=keep_missing, labels=labels):
            _print_report(report, as_json=as_json)
    except KeyboardInterrupt:
        typer.secho("No longer watching.", err=True, dim=True)
