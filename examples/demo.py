"""The demo: reads six documents of a made-up outdoor shop and answers three questions, the last of which they do not.

    python -m examples.demo [--kb FOLDER]

No key, no network: the default models are part of the install.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from rag import RAG, show
from rag.ingest.show import report

CORPUS = Path(__file__).parent / "corpus"
QUESTIONS = (
    "When did the solar roof at Preston go into operation?",
    "What does delivery to the European Union cost?",
    "Which firm audited the accounts for 2025?",
)
NEXT = """\
[bold]What to do next[/bold]
  your own documents   [cyan]{rag} ask "…" --docs FOLDER[/cyan]
  with a model         [cyan]{pip} install --editable '.\\[openai]'[/cyan]
                       [cyan]OPENAI_API_KEY=… {rag} ask "…" --docs FOLDER --model openai/gpt-6.1-terra[/cyan]
  the whole way        [cyan]{rag} trace --home {home}[/cyan]
  from Python          [cyan]from rag import RAG; kb = RAG.open("kb"); kb.ingest("docs/"); print(kb.ask("…"))[/cyan]"""


def main() -> None:
    """Ingest, ask, and say what comes next."""
    parser = argparse.ArgumentParser(description="Plumbline's demo.")
    parser.add_argument("--kb", type=Path, default=Path(".plumbline-demo"), help="folder for what the demo stores")
    folder = parser.parse_args().kb
    console = Console(highlight=False)
    home = folder / "home"
    with RAG.open(folder, home=home) as kb:
        console.rule(f"[bold]Reading {CORPUS.name}/[/bold]")
        report(console, kb.ingest(CORPUS))
        for question in QUESTIONS:
            console.rule(f"[bold]{question}[/bold]")
            show.answer(console, kb.ask(question))
    console.rule()
    programs = Path(sys.executable).parent
    if programs.is_relative_to(Path.cwd()):
        programs = programs.relative_to(Path.cwd())
    console.print(NEXT.format(rag=programs / "rag", pip=programs / "pip", home=home), soft_wrap=True)


if __name__ == "__main__":
    main()
