"""Finds personal data: e-mail addresses, phone numbers, cards, accounts, national ids, network addresses, birth dates.

A run of digits counts only with proof: a check digit, a form that nothing else has, or a word before it that says what
it is. So names and postal addresses are not found: that needs a model, and errs either way.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator

from plumbline.text.dates import find_dates
from rag.ingest.quality import checksums
from rag.ingest.quality.finding import Finding, Scanned, places, shapes

_LOCAL = re.compile(r"[\w.!$%&'*+^`{|}~-]{1,64}\Z")
_DOMAIN = re.compile(r"(?!\dx\.)(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}[^\W\d_]{2,24}(?![\w@])")
_LOCAL_FIRST = ".!$%&'*+^`{|}~-"

# Digits with at most two separators between them; what is no number of a person's is sorted out below.
_RUN = re.compile(r"(?<![\w.,$€£%])[+(]{0,2}\d(?:[ \u00a0.()/\u2010-\u2013-]{0,2}\d){6,20}(?![\w%]|[.,]\d)")
_LONGEST_LEAD, _LONGEST_RUN = 24, 72
_DIGITS = re.compile(r"\d+")
_PHONE = re.compile(r"\+[1-9][\d \u00a0.()/\u2010-\u2013-]{6,20}\d|00[1-9]\d[\d \u00a0()/-]{6,16}\d")
_AMERICAN = re.compile(
    r"(?:1[-. ])?(?:\([2-9]\d\d\) ?|[2-9]\d\d(?P<sign>[-.\u2010\u2011]))"
    r"[2-9]\d\d(?(sign)(?P=sign)|[-. \u2010\u2011])\d{4}"
)
_PHONE_WORD = re.compile(
    r"(?:\b(?:phone|tel|telephone|mobile|cell|fax|telefon|teléfono|téléphone|telefono|handy|mobil|call|hotline)"
    r"(?: (?:number|no\.?|nr\.?))?|☎|📞)[^\w+(]{0,4}(?:(?:at|is|on|us at|us on)\W{1,2})?\Z",
    re.IGNORECASE,
)
_CALLING_CODES = re.compile(
    r"1|7|2[07]|2[1-689]\d|3[0-469]|3[578]\d|4[013-9]|42\d|5[1-8]|5[09]\d|6[0-6]|6[789]\d|8[1246]|8[0578]\d"
    r"|9[0-58]|9[679]\d"
)
_CARD_FORM = re.compile(r"\d{12,19}|\d{4}(?:[ -]\d{4}){3}|\d{4}[ -]\d{6}[ -]\d{4,5}")
_SSN_FORM = re.compile(r"\d{3}-\d{2}-\d{4}")
_CPF_FORM = re.compile(r"\d{3}\.\d{3}\.\d{3}-\d{2}")
_PERSONNUMMER_FORM = re.compile(r"(?:19|20)?\d{6}[-+]\d{4}")
_NIR_FORM = re.compile(r"[12] ?\d\d ?\d\d ?\d\d ?\d{3} ?\d{3} ?\d\d")
# Digits that need a word before them: what the word is, how many digits, what checks them.
_NAMED: tuple[tuple[re.Pattern[str], int, Callable[[str], bool]], ...] = (
    (re.compile(r"\b(?:ssn|social security)\b.{0,20}\Z", re.IGNORECASE), 9, checksums.is_ssn),
    (re.compile(r"\bnhs\b.{0,12}\Z", re.IGNORECASE), 10, checksums.is_nhs),
    (re.compile(r"\b(?:bsn|burgerservicenummer)\b.{0,12}\Z", re.IGNORECASE), 9, checksums.is_bsn),
    (re.compile(r"\b(?:steuer-?id|idnr|steuerliche id\w+|tax id)\b.{0,24}\Z", re.IGNORECASE), 11, checksums.is_tax_id),
    (re.compile(r"\bpesel\b.{0,12}\Z", re.IGNORECASE), 11, checksums.is_pesel),
    (re.compile(r"\bcpf\b.{0,12}\Z", re.IGNORECASE), 11, checksums.is_cpf),
)
# Ids of letters and digits begin where letters and digits meet.
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d\d(?: ?[A-Z0-9]{1,4}){3,8}(?![A-Za-z0-9])")
_LETTERED = (
    (re.compile(r"\b(?:\d{8}|[XYZ]\d{7})[A-HJ-NP-TV-Z]\b"), checksums.is_dni),
    (re.compile(r"\b[A-Z]{6}\d\d[A-EHLMPR-T]\d\d[A-Z]\d{3}[A-Z]\b"), checksums.is_codice_fiscale),
    (re.compile(r"\b\d{6}[-+A-FU-Y]\d{3}[0-9A-FHJ-NPR-Y]\b"), checksums.is_hetu),
    (re.compile(r"\b(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] \d\d ?\d\d ?\d\d ?[A-D]\b"), bool),
)
# Where such an id, and a run of digits, can stand: fixed strings in the shape of a text.
_LETTERED_SHAPES = (
    b"AA00", b"AA 00", b"00000000A", b"A0000000A", b"AAAAAA00A00A", b"000000A000", b"000000 000",
)  # fmt: skip
_DIGIT_SHAPES = (b"000000", b"000 000", b"0000 000", b"000 00 0000", b"00 00 00")
_QUAD = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)")
_DOTS = re.compile(r"\.\d{1,3}\.\d")
_NUMBERING = re.compile(r"(?:\bv|\bver(?:sion)?|\brelease|\bsection|§|\bchapter|\brule)\W{0,3}\Z", re.IGNORECASE)
_ADDRESS_WORD = re.compile(r"\b(?:ip|ipv4|host|server|address|gateway|dns)\b.{0,16}\Z", re.IGNORECASE)
_SIX = re.compile(r"(?<![\w:])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])")
_SIX_PART = re.compile(r":[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{1,4}:")
_BIRTH_BEGINS = ("birth", "dob", "d.o.b", "born", "geb", "née", "né le", "naissance", "nacimiento", "nasci")
_BIRTH = re.compile(
    r"birth ?date|(?<=date of )birth|dob(?=[ :])|d\.o\.b\.?|born(?: on|:)|geburtsdatum|geb(?:oren|\.) am|née? le"
    r"|naissance|nacimiento|nascita|nascimento"
)
_BIRTH_WINDOW = 48


def find_personal(scanned: Scanned) -> Iterator[Finding]:
    """The personal data in a text, in no order."""
    text = scanned.text
    yield from _emails(text)
    for start in sorted({at for shape in _DIGIT_SHAPES for at in shapes(scanned.form, shape)} | set(places(text, "+"))):
        for match in _RUN.finditer(text, max(start - _LONGEST_LEAD, 0), start + _LONGEST_RUN):
            if match.start() <= start < match.end():
                yield from _digits(text, match)
    for start in sorted({at for shape in _LETTERED_SHAPES for at in shapes(scanned.form, shape)}):
        yield from _lettered(text, start)
    yield from _addresses(text)
    yield from _births(scanned)


def _births(scanned: Scanned) -> Iterator[Finding]:
    for begin in _BIRTH_BEGINS:
        for at in places(scanned.low, begin):
            if word := _BIRTH.match(scanned.low, at):
                end = word.end()
                for found in find_dates(scanned.text[end : end + _BIRTH_WINDOW])[:1]:
                    if found.start <= 16 and found.day is not None and found.year is not None:
                        yield _personal("birth date", end + found.start, end + found.end)


def _emails(text: str) -> Iterator[Finding]:
    for at in places(text, "@"):
        before, after = _LOCAL.search(text, max(at - 64, 0), at), _DOMAIN.match(text, at + 1)
        if before and after:
            start = at - len(before[0].lstrip(_LOCAL_FIRST))
            # "://user:pw@host" is an address of another kind; its password is found as a secret.
            if start < at and text[start - 3 : start] != "://":
                yield _personal("e-mail", start, after.end())


def _digits(text: str, match: re.Match[str]) -> Iterator[Finding]:
    """What a run of digits is, if anything."""
    run, (start, end) = match[0], match.span()
    digits = "".join(_DIGITS.findall(run))
    before = text[max(start - 40, 0) : start].rpartition("\n")[2]
    kind = None
    if _CARD_FORM.fullmatch(run) and checksums.is_card(digits):
        kind = "card"
    elif _is_national(run, digits, before):
        kind = "national id"
    elif _is_phone(run, digits, before):
        kind = "phone"
    if kind:
        opened = run.startswith("(") and ")" not in run
        yield _personal(kind, start + opened, end)


def _is_national(run: str, digits: str, before: str) -> bool:
    if _SSN_FORM.fullmatch(run):
        return checksums.is_ssn(digits)
    if _CPF_FORM.fullmatch(run):
        return checksums.is_cpf(digits)
    if _PERSONNUMMER_FORM.fullmatch(run):
        return checksums.is_personnummer(digits[-10:])
    if len(digits) == 15 and _NIR_FORM.fullmatch(run):
        return checksums.is_nir(digits)
    return any(len(digits) == n and word.search(before) and check(digits) for word, n, check in _NAMED)


def _is_phone(run: str, digits: str, before: str) -> bool:
    if _PHONE.fullmatch(run):
        code = digits.removeprefix("00")
        return 8 <= len(code) <= 15 and _CALLING_CODES.match(code) is not None
    if _AMERICAN.fullmatch(run):
        return True
    return 7 <= len(digits) <= 15 and _PHONE_WORD.search(before) is not None


def _lettered(text: str, at: int) -> Iterator[Finding]:
    account = _IBAN.match(text, at)
    while account and account.end() - account.start() >= 15:
        compact = account[0].replace(" ", "")
        if checksums.is_iban(compact):
            yield _personal("iban", *account.span())
            return
        shorter = account[0].rpartition(" ")[0]  # the next word may be in capitals too
        account = _IBAN.match(text, at, at + len(shorter)) if shorter else None
    for shape, check in _LETTERED:
        match = shape.match(text, at)
        if match and check(match[0]):
            yield _personal("national id", *match.span())


def _addresses(text: str) -> Iterator[Finding]:
    for dots in _DOTS.finditer(text):
        match = _QUAD.search(text, max(dots.start() - 3, 0), dots.end() + 8)
        if match is None or not match.start() < dots.start() < match.end() or not _is_address(match[0]):
            continue
        before = text[max(match.start() - 24, 0) : match.start()]
        # "1.2.3.4" numbers a paragraph as often as a machine.
        low = all(int(part) < 32 for part in match[0].split("."))
        if not _NUMBERING.search(before) and (not low or _ADDRESS_WORD.search(before)):
            yield _personal("ip address", *match.span())
    for part in _SIX_PART.finditer(text):
        start = max(part.start() - 24, 0)
        for match in _SIX.finditer(text, start, part.end() + 32):
            if match.start() <= part.start() < match.end() and match[0].count(":") > 2 and _is_address(match[0]):
                yield _personal("ip address", *match.span())


def _is_address(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (
        address.is_loopback or address.is_unspecified or address.is_multicast or text.startswith(("255.", "0."))
    )


def _personal(kind: str, start: int, end: int) -> Finding:
    return Finding(kind, "personal", start, end)
