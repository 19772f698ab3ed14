"""What defines something in which language: keywords, layout, and how such lines begin."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType


def _names(names: str) -> frozenset[str]:
    return frozenset(names.split())


KEYWORDS = _names(
    "actor class contract def defmodule defp enum extension fn fun func function impl interface message method mod "
    "module namespace object proc procedure protocol record service struct sub subroutine trait type union"
)
"""The name of what is defined stands behind one of these, whatever the language."""

INDENTED = _names("bash clojure delphi elixir erlang fortran fsharp haskell julia lua ocaml python ruby vb.net")
"""Languages in which a definition ends where its indentation does; in the others braces end it."""

PLAIN = _names("bat css graphql less scss terraform vue xml")
"""Read without sections: nothing in them is a definition that a reader would name."""

_INI = re.compile(r"^[ \t]*\[{1,2}([^\]\n]+)\]{1,2}[ \t]*(?:[#;].*)?$", re.MULTILINE)
LINES: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        "ini": _INI,
        "toml": _INI,
        "yaml": re.compile(r"^([\w.\-/\"' ]+):(?=[ \t]*$)", re.MULTILINE),
        "sql": re.compile(
            r"^[ \t]*CREATE\s+(?:OR\s+REPLACE\s+)?(?:\w+\s+){0,3}?"
            r"(?:TABLE|VIEW|FUNCTION|PROCEDURE|INDEX|TRIGGER|TYPE|SCHEMA)\s+(?:IF\s+NOT\s+EXISTS\s+)?([\w.\"`\[\]]+)",
            re.MULTILINE | re.IGNORECASE,
        ),
    }
)
"""Lines that begin a section, all of one rank, in languages without nesting."""

_SCRIPT = (
    r"(?:export\s+)?(?:default\s+)?(?:declare\s+)?(?:abstract\s+)?(?:async\s+)?"
    r"(?:(?:function|class|interface|namespace|enum)\b\s*\*?\s*([\w$.]+)"
    r"|(?:const|let|var)\s+([\w$]+)\s*(?::[^=\n]+)?=\s*(?:async\s*)?"
    r"(?:function\b|\([^()\n]*\)\s*(?::[^=\n]+)?=>|\w+\s*=>)"
    r"|(?:(?:public|private|protected|static|override|readonly|get|set)\s+)*(?!(?:if|for|while|switch|catch|with)\b)"
    r"([\w$#]+)\s*(?:<[^<>\n]*>)?\([^;\n]*\)\s*(?::[^{;\n]+)?\{[^\n]*$)"
)
BEGINNINGS: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        language: re.compile(rule, re.MULTILINE)
        for language, rule in {
            "bash": r"(?:function\s+([\w:.-]+)|([\w:.-]+)\s*\(\))",
            "clojure": r"\((?:def\w*-?|ns)\s+([^\s()\[\]{}]+)",
            "erlang": r"([a-z]\w*)\([^\n]*\)[^\n]*->",
            "go": r"(?:func\s*(?:\([^)\n]*\)\s*)?|type\s+)(\w+)",
            "haskell": r"(?:(?:data|newtype|type|class|instance)\s+([^\n=]+?)\s*(?:=|\bwhere\b|$)|([a-z_][\w']*)\s*::)",
            "javascript": _SCRIPT,
            "julia": r"(?:(?:mutable\s+)?struct|module|function|macro)\s+([\w.!]+)",
            "jsx": _SCRIPT,
            "lua": r"(?:local\s+)?function\s+([\w.:]+)",
            "powershell": r"(?i:function|filter|class)\s+([\w:-]+)",
            "r": r"([\w.]+)\s*(?:<-|=)\s*function\b",
            "tsx": _SCRIPT,
            "typescript": _SCRIPT,
        }.items()
    }
)
"""How a line begins that defines something, in languages whose lexers do not tell."""
