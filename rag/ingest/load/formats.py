"""Which formats are read: media types by file name suffix, and the reader of each, imported at its first use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from urllib.parse import unquote, urlsplit

from rag.ingest.settings import LoadingSettings
from rag.ingest.structure import Extracted

Reader = Callable[[bytes, Path], Extracted]
"""From a file's bytes and its path (for messages and for its suffix) to its text. Raises a `LoadError`."""

_OPEN_XML = "application/vnd.openxmlformats-officedocument."
_OPEN_DOCUMENT = "application/vnd.oasis.opendocument."

CODE: Mapping[str, str] = MappingProxyType(
    {
        ".bash": "bash",
        ".bat": "bat",
        ".c": "c",
        ".cc": "cpp",
        ".cfg": "ini",
        ".clj": "clojure",
        ".cpp": "cpp",
        ".cs": "csharp",
        ".css": "css",
        ".cxx": "cpp",
        ".dart": "dart",
        ".erl": "erlang",
        ".ex": "elixir",
        ".exs": "elixir",
        ".f90": "fortran",
        ".fs": "fsharp",
        ".go": "go",
        ".graphql": "graphql",
        ".groovy": "groovy",
        ".h": "c",
        ".hpp": "cpp",
        ".hs": "haskell",
        ".ini": "ini",
        ".java": "java",
        ".jl": "julia",
        ".js": "javascript",
        ".jsx": "jsx",
        ".kt": "kotlin",
        ".kts": "kotlin",
        ".less": "less",
        ".lua": "lua",
        ".m": "objective-c",
        ".mjs": "javascript",
        ".ml": "ocaml",
        ".pas": "delphi",
        ".php": "php",
        ".pl": "perl",
        ".pm": "perl",
        ".proto": "protobuf",
        ".ps1": "powershell",
        ".py": "python",
        ".pyi": "python",
        ".r": "r",
        ".rb": "ruby",
        ".rs": "rust",
        ".scala": "scala",
        ".scss": "scss",
        ".sh": "bash",
        ".sql": "sql",
        ".swift": "swift",
        ".tf": "terraform",
        ".toml": "toml",
        ".ts": "typescript",
        ".tsx": "tsx",
        ".vb": "vb.net",
        ".vue": "vue",
        ".xml": "xml",
        ".yaml": "yaml",
        ".yml": "yaml",
        ".zig": "zig",
    }
)
"""Languages, as Pygments names them, of source code and configuration by suffix; the media type is text/x-LANGUAGE."""

SUPPORTED: Mapping[str, str] = MappingProxyType(
    {
        ".pdf": "application/pdf",
        ".docx": f"{_OPEN_XML}wordprocessingml.document",
        ".pptx": f"{_OPEN_XML}presentationml.presentation",
        ".xlsx": f"{_OPEN_XML}spreadsheetml.sheet",
        ".odt": f"{_OPEN_DOCUMENT}text",
        ".ods": f"{_OPEN_DOCUMENT}spreadsheet",
        ".epub": "application/epub+zip",
        ".rtf": "application/rtf",
        ".html": "text/html",
        ".htm": "text/html",
        ".xhtml": "text/html",
        ".md": "text/markdown",
        ".markdown": "text/markdown",
        ".rst": "text/x-rst",
        ".tex": "text/x-tex",
        ".txt": "text/plain",
        ".text": "text/plain",
        ".log": "text/plain",
        ".csv": "text/csv",
        ".tsv": "text/tab-separated-values",
        ".json": "application/json",
        ".jsonl": "application/x-ndjson",
        ".ndjson": "application/x-ndjson",
        ".ipynb": "application/x-ipynb+json",
        ".vtt": "text/vtt",
        ".srt": "application/x-subrip",
        ".eml": "message/rfc822",
        ".msg": "application/vnd.ms-outlook",
        ".zip": "application/zip",
        **{suffix: f"text/x-{language}" for suffix, language in CODE.items()},
    }
)
"""What is read: media types by file name suffix, in lower case."""

CONTAINERS = frozenset(["message/rfc822", "application/vnd.ms-outlook", "application/zip"])
"""Media types of files that hold other files."""

_READERS: Mapping[str, str] = MappingProxyType(
    {
        "application/json": "json.read_json",
        "application/x-ipynb+json": "notebook.read_notebook",
        "application/x-ndjson": "json.read_json_lines",
        "application/x-subrip": "captions.read_captions",
        "text/csv": "rows.read_csv",
        "text/html": "html.read_html",
        "text/markdown": "text.read_markdown",
        "text/plain": "text.read_text",
        "text/tab-separated-values": "rows.read_csv",
        "text/vtt": "captions.read_captions",
        "text/x-rst": "markup.read_rst",
        "text/x-tex": "markup.read_tex",
        SUPPORTED[".pptx"]: "slides.read_slides",
    }
)


def suffix_of(name: str) -> str:
    """The suffix of a path, a URL or the name of a member, in lower case; "" for none."""
    path = unquote(urlsplit(name).path) if "://" in name else name
    return PurePosixPath(path.rsplit("/", 1)[-1]).suffix.lower()


def unsupported(suffix: str) -> str | None:
    """Why files with `suffix` are not read, `None` where they are."""
    if suffix.lower() in SUPPORTED:
        return None
    return f"the format '{suffix}' is not read" if suffix else "no format is known for it"


def sniff(data: bytes) -> str:
    """The media type of bytes without a suffix, as web servers send them: PDF, a web page, else plain text."""
    start = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(b"%pdf-"):
        return "application/pdf"
    if start.startswith((b"<!doctype html", b"<html")) or b"<html" in start:
        return "text/html"
    return "text/plain"


def reader(media_type: str, loading: LoadingSettings) -> Reader:
    """The reader of a format that is no container."""
    if media_type == "application/pdf":
        from rag.ingest.load.pdf import read_pdf

        return partial(read_pdf, loading=loading)
    place = _READERS.get(media_type)
    if place is None:
        place = "code.read_code" if media_type.startswith("text/x-") else "office.read_nodes"
        return partial(_function(place), media_type=media_type)
    return _function(place)


def _function(place: str) -> Callable[..., Extracted]:
    module, name = place.split(".")
    found: Callable[..., Extracted] = getattr(import_module(f"rag.ingest.load.{module}"), name)
    return found
