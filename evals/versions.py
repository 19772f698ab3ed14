"""What was run: versions of packages, and the code itself, which changes between releases in a clone."""

from __future__ import annotations

import hashlib
import platform
import re
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path

ANSWERING = ("plumbline", "routing", "rag")
"""The packages whose code decides what is answered; that of evals only judges."""


def package_versions() -> dict[str, str]:
    """Versions of Python, of Plumbline and of the packages it can use that are installed."""
    versions = {"python": platform.python_version(), "plumbline": version("plumbline")}
    for line in requires("plumbline") or []:
        name = re.match(r"[A-Za-z0-9._-]+", line)
        if name is None or 'extra == "dev"' in line:
            continue
        try:
            versions[name[0]] = version(name[0])
        except PackageNotFoundError:
            continue
    return dict(sorted(versions.items()))


@cache
def running_code() -> str:
    """The hash of the code that answers in this process, which files that are edited meanwhile do not change.

    Rows that other code has answered are another experiment's.
    """
    return code_hash(ANSWERING)


def code_hash(packages: Sequence[str]) -> str:
    """A SHA-256 over the Python files of the packages."""
    digest = hashlib.sha256()
    for package in packages:
        spec = find_spec(package)
        for folder in spec.submodule_search_locations or () if spec else ():
            for path in sorted(Path(folder).rglob("*.py")):
                name = path.relative_to(folder).as_posix()
                digest.update(f"{package}/{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()
