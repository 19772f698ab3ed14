"""Check digits of card numbers, bank accounts and national ids: what tells them from any other run of digits.

Luhn: ISO/IEC 7812-1, annex B. IBAN: ISO 13616 with ISO/IEC 7064 MOD 97-10. The national ones: the rules their issuers
publish (each function names the issuer's country).
"""

from __future__ import annotations

import re
from datetime import date

_IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "BY": 28,
    "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18,
    "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22,
    "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LI": 21, "LT": 20, "LU": 20,
    "LV": 21, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18, "NO": 15, "PK": 24,
    "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SE": 24, "SI": 19, "SK": 24, "SM": 27,
    "TN": 24, "TR": 26, "UA": 29, "VA": 22, "XK": 20,
}  # fmt: skip
_CARD = re.compile(
    r"4\d{12}(?:\d{3})?(?:\d{3})?|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|3(?:0[0-5]|[68]\d)\d{11}|6(?:011|5\d\d|4[4-9]\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}"
)
_DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
_HETU_LETTERS = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_ODD_VALUES = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)


def luhn(digits: str) -> bool:
    """Whether the last of the decimal digits is right by Luhn's formula."""
    total = sum(int(d) for d in digits[-1::-2]) + sum(sum(divmod(2 * int(d), 10)) for d in digits[-2::-2])
    return total % 10 == 0


def is_card(digits: str) -> bool:
    """Whether this is a payment card number: prefix and length of a network, the check digit."""
    return _CARD.fullmatch(digits) is not None and luhn(digits)


def is_iban(compact: str) -> bool:
    """Whether this, capitals and digits without spaces, is an IBAN: a country's length and the check digits."""
    if _IBAN_LENGTHS.get(compact[:2]) != len(compact):
        return False
    return int("".join(str(int(c, 36)) for c in compact[4:] + compact[:4])) % 97 == 1


def is_ssn(digits: str) -> bool:
    """United States: nine digits that the Social Security Administration can have issued."""
    return digits[:3] not in {"000", "666"} and digits[0] != "9" and digits[3:5] != "00" and digits[5:] != "0000"


def is_dni(text: str) -> bool:
    """Spain: eight digits (the first may be X, Y or Z) and their letter."""
    return _DNI_LETTERS[int(text[:-1].translate(str.maketrans("XYZ", "012"))) % 23] == text[-1]


def is_codice_fiscale(text: str) -> bool:
    """Italy: sixteen letters and digits, the last of which checks the others."""
    values = [int(c) if c.isdigit() else ord(c) - ord("A") for c in text[:15]]
    total = sum(_ODD_VALUES[v] if place % 2 == 0 else v for place, v in enumerate(values))
    return chr(ord("A") + total % 26) == text[15]


def is_nir(digits: str) -> bool:
    """France: thirteen digits and the two that check them."""
    return digits[0] in "12" and 1 <= int(digits[3:5]) <= 12 and 97 - int(digits[:13]) % 97 == int(digits[13:])


def is_pesel(digits: str) -> bool:
    """Poland: eleven digits, the date of birth first."""
    century, month = divmod(int(digits[2:4]), 20)
    weighted = sum(int(d) * w for d, w in zip(digits, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3), strict=False))
    years = (1900, 2000, 2100, 2200, 1800)
    return _is_date(years[century] + int(digits[:2]), month, int(digits[4:6])) and -weighted % 10 == int(digits[10])


def is_personnummer(digits: str) -> bool:
    """Sweden: ten digits, the date of birth first, the last by Luhn."""
    return _is_date(2000, int(digits[2:4]), int(digits[4:6]) % 60) and luhn(digits)


def is_hetu(text: str) -> bool:
    """Finland: DDMMYY, the sign of the century, three digits and a checking letter."""
    return (
        _is_date(2000, int(text[2:4]), int(text[:2]))
        and _HETU_LETTERS[int(text[:6] + text[7:10]) % 31] == text[10].upper()
    )


def is_cpf(digits: str) -> bool:
    """Brazil: eleven digits, the last two of which check the others."""
    for length in (9, 10):
        total = sum(int(d) * w for d, w in zip(digits[:length], range(length + 1, 1, -1), strict=True))
        if total * 10 % 11 % 10 != int(digits[length]):
            return False
    return len(set(digits)) > 1


def is_bsn(digits: str) -> bool:
    """Netherlands: nine digits that pass the eleven-test."""
    total = sum(int(d) * w for d, w in zip(digits, (9, 8, 7, 6, 5, 4, 3, 2, -1), strict=True))
    return total % 11 == 0 and int(digits) > 0


def is_nhs(digits: str) -> bool:
    """England: ten digits, the last by modulus 11."""
    total = sum(int(d) * w for d, w in zip(digits[:9], range(10, 1, -1), strict=True))
    return (11 - total % 11) % 11 == int(digits[9])


def is_tax_id(digits: str) -> bool:
    """Germany: eleven digits, the last by ISO/IEC 7064 MOD 11,10."""
    product = 10
    for digit in digits[:10]:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    return digits[0] != "0" and (11 - product) % 10 == int(digits[10])


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True
