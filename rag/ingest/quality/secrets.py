"""Finds secrets: keys of known providers, tokens, private keys, passwords in addresses and in assignments.

A provider's key is known by how it begins, and beginnings are looked for as plain strings, so that a text without any
costs next to nothing. Anything else must be assigned to a name that says what it is, and look random.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

from rag.ingest.quality.finding import Finding, Scanned, places, shapes

MIN_ENTROPY = 3.0
"""Bits a character that an assigned value of unknown make must have to pass for random."""

_FREE = r"(?<![A-Za-z0-9_-])"


# What stands in a run of at least _LEAST characters of keys, which few words are.
_LEAST = 20
_KEYS = re.compile(
    _FREE
    + r"""(?P<api_key>
      sk-(?:ant-|proj-|svcacct-|admin-|or-v1-)?[A-Za-z0-9_-]{20,}    # OpenAI, Anthropic, OpenRouter
    | (?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}(?![A-Za-z0-9_-])           # AWS
    | gh[pousr]_[A-Za-z0-9]{36,} | github_pat_[A-Za-z0-9_]{22,}      # GitHub
    | glpat-[A-Za-z0-9_-]{20,}                                       # GitLab
    | AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])                         # Google
    | GOCSPX-[A-Za-z0-9_-]{28} | ya29\.[A-Za-z0-9_-]{20,}
    | xox[abeoprs]-(?:\d+-)?[A-Za-z0-9-]{14,}                        # Slack
    | [sr]k_(?:live|test)_[A-Za-z0-9]{16,} | whsec_[A-Za-z0-9+/=]{24,}  # Stripe
    | hf_[A-Za-z]{30,} | npm_[A-Za-z0-9]{36} | pypi-AgEI[A-Za-z0-9_-]{50,}
    | SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,}                   # SendGrid
    | do[opr]_v1_[a-f0-9]{64}                                        # DigitalOcean
    | [A-Za-z0-9_~.-]{3}8Q~[A-Za-z0-9_~.-]{31,34}(?![A-Za-z0-9_~-])  # Azure
    )
    | hooks\.slack\.com/services/(?P<hook>[A-Za-z0-9/]{20,})
    | (?:AccountKey|SharedAccessKey|[?&]sig)=(?P<azure>[A-Za-z0-9%+/]{30,}={0,2})
    | (?<![A-Za-z0-9_-])(?P<token>eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{16,})  # JWT
    | [Bb]earer\ (?P<bearer>[A-Za-z0-9._~+/-]{20,}=*)
    | Authorization:\ Basic\ (?P<basic>[A-Za-z0-9+/]{16,}={0,2})
    """,
    re.VERBOSE,
)
_KEY_KINDS = {"token": "token", "bearer": "token", "basic": "token"}
_ARMOUR = re.compile(
    r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:(?s:.){0,16000}?-----END [A-Z0-9 ]{0,40}-----|[A-Za-z0-9+/=\s\\]*)"
)
_IN_ADDRESS = re.compile(r"://[^\s:/@'\"<>]{0,64}:(?P<value>[^\s/@'\"<>]{3,128})@[\w.-]")
_WORD = re.compile(rb"w+")
_LEAD = 48  # characters before a run in which its key may begin: "hooks.slack.com/", a JWT's short header
_HEADER = 160

# Names of what must not be known, by how they begin.
_NAMES = ("passw", "passphrase", "pwd", "secret", "token", "key", "credential", "contraseña")
_WORDY = frozenset({"passw", "passphrase", "pwd", "contraseña"})
_NAMES_A_KEY = re.compile(r"(?:api|access|private|auth|encryption|signing|master|account|shared|ssh)[-_ ]?\Z")
_ASSIGNED = re.compile(
    r"(?P<rest>[\w-]{0,24})[\"'`]?\s{0,3}(?:=>|:=|=|:)\s{0,3}"
    r"(?:\"(?P<double>[^\"\n]{6,200})\"|'(?P<single>[^'\n]{6,200})'|(?P<bare>[^\s\"'`,;<>(){}\[\]]{6,200}))"
)
_PLACEHOLDER = re.compile(
    r"\$\{|\{\{|%\w+%|^<|^\$\w+$|^[\[*x.X•-]+|^\W+$|example|placeholder|change_?me|your[-_ ]|redacted|dummy|^https?:|^/"
    r"|^(?:os|process|env|self|config|settings)\.|\w\(",
    re.IGNORECASE,
)


def find_secrets(scanned: Scanned) -> Iterator[Finding]:
    """The secrets in a text, in no order."""
    text = scanned.text
    yield from _keys(scanned)
    for at in places(text, "-----BEGIN "):
        if match := _ARMOUR.match(text, at):
            yield Finding("private key", "secrets", *match.span())
    for at in places(text, "://"):
        if (match := _IN_ADDRESS.match(text, at)) and not _PLACEHOLDER.search(match["value"]):
            yield Finding("password", "secrets", *match.span("value"))
    for name in _NAMES:
        for at in places(scanned.low, name):
            yield from _assigned(scanned, name, at)


def entropy(value: str) -> float:
    """Shannon's entropy of the characters, in bits a character."""
    counts = Counter(value).values()
    return -math.fsum(n / len(value) * math.log2(n / len(value)) for n in counts) if value else 0.0


def _keys(scanned: Scanned) -> Iterator[Finding]:
    """The keys and tokens that begin in or shortly before a long run of what keys are made of."""
    text, done = scanned.text, 0
    for at in shapes(scanned.key, b"w" * _LEAST):
        if at < done:
            continue
        run = _WORD.match(scanned.key, at)
        done = run.end() if run else at + _LEAST
        for match in _KEYS.finditer(text, max(at - _LEAD, 0), min(done + _HEADER, len(text))):
            group = match.lastgroup or ""
            if any(map(str.isdigit, match[group])) or match[group].startswith("hf_"):  # "sk-learn-contrib-…": words
                yield Finding(_KEY_KINDS.get(group, "api key"), "secrets", *match.span(group))


def _assigned(scanned: Scanned, name: str, at: int) -> Iterator[Finding]:
    match = _ASSIGNED.match(scanned.text, at + len(name))
    if match is None or match.lastgroup is None:
        return
    if name == "key" and not _NAMES_A_KEY.search(scanned.low[max(at - 12, 0) : at]):
        return
    group = "double" if match["double"] else "single" if match["single"] else "bare"
    value = match[group]
    stop = group == "bare" and value.endswith(".")  # of the sentence that it ends
    if _is_random(value[: len(value) - stop], name):
        start, end = match.span(group)
        yield Finding("password" if name in _WORDY else "secret", "secrets", start, end - stop)


def _is_random(value: str, name: str) -> bool:
    if _PLACEHOLDER.search(value) or " " in value:
        return False
    kinds = sum(any(map(test, value)) for test in (str.islower, str.isupper, str.isdigit, _is_sign))
    if name in _WORDY:
        return kinds >= 2 and any(not c.isalpha() and c not in "-_." for c in value)
    return len(value) >= 12 and any(map(str.isdigit, value)) and entropy(value) >= MIN_ENTROPY


def _is_sign(character: str) -> bool:
    return not character.isalnum()
