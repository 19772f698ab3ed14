"""The options of `rag ingest`, beside those that commands share (`rag.options`)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Target = Annotated[
    str | None,
    typer.Argument(help="A folder, a file, a pattern such as 'docs/**/*.md', a URL, or - for standard input."),
]
Urls = Annotated[Path | None, typer.Option("--urls", help="Ingest the URLs that this file lists, one a line.")]
Name = Annotated[str | None, typer.Option("--name", help="Name of the document on standard input, e.g. notes.md.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would be done, in tokens and dollars too, and do nothing.")
]
Watch = Annotated[bool, typer.Option("--watch", help="Stay, and ingest again whenever something changes.")]
Afresh = Annotated[bool, typer.Option("--afresh", help="Read every file again, changed or not.")]
Rehash = Annotated[bool, typer.Option("--rehash", help="Trust no time stamp: compare the contents of every file.")]
KeepMissing = Annotated[bool, typer.Option("--keep-missing", help="Keep documents whose files are gone.")]
AllowEmpty = Annotated[
    bool, typer.Option("--allow-empty", help="Remove the documents of a folder that is gone or empty.")
]
Tenant = Annotated[str | None, typer.Option("--tenant", help="Whose documents these are: nobody else finds them.")]
Group = Annotated[list[str] | None, typer.Option("--group", help="Who may find these documents; can be repeated.")]
Label = Annotated[
    list[str] | None,
    typer.Option("--label", metavar="NAME=VALUE", help="Said of all these documents, to filter by; repeatable."),
]
Engine = Annotated[
    str | None, typer.Option("--engine", help="Where files are read: local (default) or ray (extra ray).")
]
InBatches = Annotated[
    bool,
    typer.Option("--batch", help="Ask the model of contextual chunks in batches: half the price, within a day."),
]
