"""Loads the prompts that live, versioned and readable, in the package `prompts`.

A prompt file is Markdown with a front matter of `version:` and `description:`; its body may hold `{{name}}` places,
which `Prompt.render` fills. Code never contains prompt text.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from plumbline.errors import ConfigError

_FRONT_MATTER = re.compile(r"\A---\n(?P<head>.*?)\n---\n(?P<body>.*)\Z", re.DOTALL)
_PLACE = re.compile(r"\{\{(\w+)\}\}")


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt: `hash` is the SHA-256 of its body, so that a release can pin exactly what ran."""

    name: str
    version: str
    body: str
    hash: str

    def render(self, values: Mapping[str, str]) -> str:
        """Fill every `{{place}}`; raises `ConfigError` when a place has no value.

        Values are put in as they are: a value that itself contains `{{…}}` is never expanded.
        """
        missing = sorted({place for place in _PLACE.findall(self.body) if place not in values})
        if missing:
            raise ConfigError(
                f"The prompt '{self.name}' has places without a value: {', '.join(missing)}.", key=missing[0]
            )
        return _PLACE.sub(lambda match: values[match.group(1)], self.body)


@lru_cache(maxsize=64)
def load_prompt(name: str) -> Prompt:
    """The shipped prompt `name`, or the Markdown file at that path; raises `ConfigError` if there is none."""
    path = Path(name)
    if path.suffix == ".md":
        if not path.is_file():
            raise ConfigError(f"There is no prompt file at {path}.", key="prompt", value=name)
        return _parse(path.stem, path.read_text(encoding="utf-8"))
    folder = files("prompts")
    known = sorted(entry.name.removesuffix(".md") for entry in folder.iterdir() if entry.name.endswith(".md"))
    if name not in known:
        nearest = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean '{nearest[0]}'?" if nearest else f"Known prompts: {', '.join(known)}."
        raise ConfigError(f"There is no prompt named '{name}'.", key="prompt", value=name, hint=hint)
    return _parse(name, folder.joinpath(f"{name}.md").read_text(encoding="utf-8"))


def _parse(name: str, text: str) -> Prompt:
    match = _FRONT_MATTER.match(text)
    if match is None:
        raise ConfigError(
            f"The prompt '{name}' does not start with a front matter between two lines '---'.", key="prompt"
        )
    head = dict(line.split(":", 1) for line in match["head"].splitlines() if ":" in line)
    if "version" not in head:
        raise ConfigError(f"The front matter of the prompt '{name}' has no 'version:'.", key="prompt")
    body = match["body"].strip()
    return Prompt(name, head["version"].strip(), body, hashlib.sha256(body.encode()).hexdigest())
