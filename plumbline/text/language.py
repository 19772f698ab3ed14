"""In which language a text is written, from a sample of it: by its script, else by its most frequent words.

Scripts that serve one language decide at once (Greek, Thai, Hangul …); Han is Japanese with kana among it, else
Chinese. Within Latin, Cyrillic and Arabic script the language with the largest share of function words wins, each word
weighed by how few languages share it; letters that few languages have decide short texts. A text that shows neither
has no language, rather than a wrong one.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache

SAMPLE = 2000
"""Code points looked at; they are taken from the beginning, the middle and the end of longer texts."""

_SCRIPTS = (
    ("latin", "A-Za-z\u00c0-\u024f\u1e00-\u1eff"),
    ("cyrillic", "\u0400-\u04ff"),
    ("arabic", "\u0600-\u06ff\u0750-\u077f"),
    ("han", "\u4e00-\u9fff\u3400-\u4dbf"),
    ("kana", "\u3040-\u30ff"),
    ("ko", "\u1100-\u11ff\uac00-\ud7af"),
    ("el", "\u0370-\u03ff\u1f00-\u1fff"),
    ("he", "\u0590-\u05ff"),
    ("th", "\u0e00-\u0e7f"),
    ("hi", "\u0900-\u097f"),
    ("bn", "\u0980-\u09ff"),
    ("ta", "\u0b80-\u0bff"),
    ("te", "\u0c00-\u0c7f"),
    ("ka", "\u10a0-\u10ff"),
    ("hy", "\u0530-\u058f"),
)
_SCRIPT = re.compile("|".join(f"(?P<{name}>[{ranges}])" for name, ranges in _SCRIPTS))
_SEVERAL = frozenset(["latin", "cyrillic", "arabic"])
"""Scripts of many languages."""
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_DENSE = {"han": 2.0, "kana": 2.0, "ko": 2.0}
"""A character of these scripts says as much as two or more letters."""
_FEWEST = 2
_LEAST_EVIDENCE = 0.5
_KANA_SHARE = 0.05

_WORDS: Mapping[str, str] = {
    "en": "the of and to in is that it for was on are with as be by this from or an not have at which but they "
    "you were their has will would been can if more when who what its our we may shall such any all these "
    "than into how does do",
    "de": "der die das und ist nicht ein eine zu den von mit sich des auf für im dem auch es an werden aus er hat "
    "dass sie nach wird bei einer um am sind noch wie einem über einen so zum war haben nur oder aber vor "
    "zur bis kann innerhalb wir ich wenn durch man sein unter",
    "fr": "de la le les et des en un une du est que dans qui pour pas sur au par plus ne se avec sont il ce aux "
    "être cette ou nous vous leur elle mais ont été son sa ses ces comme fait peut deux l'on c'est qu'il "
    "d'un d'une je entre sans",
    "es": "de la que el en y los se del las un por con no una su para es al lo como más o pero sus le ha este si "
    "sin sobre fue son está entre cuando muy también hasta desde nos todo esta ser tiene han hay donde",
    "it": "di che e la il un a per è in una sono non con del si da le dei al nel della gli ha più alla anche ma "
    "come lo i questo delle o se dalla essere nella dal suo ed ai stato dell'anno ogni entro cui tra sul "
    "degli",
    "pt": "de que e o a do da em um para é com não uma os no se na por mais as dos como mas foi ao ele das tem à "
    "seu sua ou ser quando muito há nos já está também só pelo pela até isso ela entre são foram",
    "nl": "de van het een en in is dat op te voor met zijn die niet aan er om ook als bij of maar dan door uit "
    "wordt naar ze nog worden over deze hij kan heeft ik je wij tot na was werd binnen onze hebben geen "
    "moet dit",
    "sv": "och att det i en som är på för av med den till inte har om ett var de från men så sig kan vi eller ska "
    "också när efter man över mycket vid under han detta dessa jag inom",
    "da": "og i at det en er til på den af for ikke der med som har de et var om fra men sig kan vi eller skal "
    "også når efter man over ved blev hans hun denne disse jeg være bliver inden hvad nogen noget mellem "
    "selv ud hvor hvis kunne blive ind op ned brug bruges fejl kun",
    "no": "og i det er til på en av for at ikke som den har med de et var om fra men seg kan vi eller skal også "
    "når etter man over ved ble hans hun denne disse jeg være blir innen hva opp noe noen mellom selv ut "
    "hvor hvis kunne bli inn ned bruk brukes feil bare",
    "fi": "ja on ei se että oli hän mutta ovat kun niin myös tai joka jos voi sen ole kuin ne mitä olla sekä vain "
    "jo tämä siitä hänen mukaan jälkeen ennen sitä ollut jotka jonka tämän näin tällä virhe käytä voidaan "
    "kaikki jonkin kuten voit kanssa",
    "pl": "w i na z się nie do to że jest o od za po jak przez dla co ale czy są ze jego tym przy być był tego "
    "oraz może które który już tylko ich lub ma roku",
    "cs": "a se v na je že s z do to o i si ve jako za by po pro jeho k ale jsou od který nebo byl jsem při aby "
    "jen tak už není podle které také co až",
    "sk": "a sa v na je že s z do to o i si vo ako za by po pre jeho k ale sú od ktorý alebo bol som pri aby len "
    "tak už nie podľa ktoré tiež čo až",
    "hu": "a az és hogy nem is egy ez meg de van volt csak ha el már mint vagy még ki azt ezt lehet kell után be "
    "ön nap ami amely belül szerint minden között",
    "ro": "de și în a la cu nu pe care că o un este din pentru mai au fi sau prin sunt ce se dar după al ale lui "
    "fost până această acest lor cele poate între",
    "tr": "ve bir bu da de için ile olarak çok daha olan gibi kadar değil en ne var sonra ama mi her o ya ise "
    "içinde göre olduğu tarafından veya ki ben iade gün",
    "vi": "và của là có không cho các được trong một người những với này đã khi để từ ở đến như về ra cũng sẽ "
    "phải tôi bạn",
    "id": "yang dan di dengan untuk dari ini tidak dalam pada adalah akan itu ke oleh juga atau karena sebagai "
    "dapat telah ada bisa mereka kami anda harus lebih sudah",
    "ru": "и в не на что с по это как а из у к за то от о для но его все так же или был бы только если мы они он "
    "она при до есть может чтобы также после быть было через",
    "uk": "і в на не що з та до це як у за від по для але його або був є про так ми вони він вона при також може "
    "щоб після бути було через яка який які ви ці",
    "bg": "и в на не се да за от с че е по това са като ще но си при до или беше може има към той тя го най след "
    "които във със през което",
    "sr": "и у је да на се не за од су са као што то али или био бити који која које по ће до из сам његов",
    "ar": "في من على أن إلى ما لا هذا هذه التي الذي عن مع كان أو كل ذلك قد بعد بين لم هو هي إن ثم عند حتى خلال غير",
    "fa": "و در به از که این را با است برای آن یک خود تا بر هم نیز می شود شد بود کرد های ها اما اگر یا پس باید",
    "ur": "کے کی میں ہے اور سے کا کو نے پر یہ اس کہ ہیں جو تھا بھی ایک نہیں ہو وہ کر تو گیا لیے ان",
}
_LETTERS: Mapping[str, str] = {
    "de": "äöüß",
    "fr": "éèêàçùœ",
    "es": "ñáéíóú¿¡",
    "it": "èàùòìé",
    "pt": "ãõçáéíóúâê",
    "sv": "åäö",
    "da": "æøå",
    "no": "æøå",
    "fi": "äö",
    "pl": "ąćęłńóśźż",
    "cs": "ěščřžýáíéůťď",
    "sk": "ľĺŕčšžýáíéôť",
    "hu": "őűáéíóöüú",
    "ro": "ăâîșțşţ",
    "tr": "ğışçöüİ",
    "vi": "ơưđạảấầẩậắằặẹẻẽếềểễệỉịọỏốồổộớờởợụủứừửữựỳỵỷỹ",
    "uk": "іїєґ",
    "ru": "ыэё",
    "bg": "ъщ",
    "sr": "јљњђћџ",
    "fa": "پچژگیک",
    "ur": "ٹڈڑںےہ",
    "ar": "ةىيك",
}  # fmt: skip (two or three languages a line read better than one)
_LETTER_WEIGHT = 0.5
_CODES = {
    "eng": "en",
    "deu": "de",
    "ger": "de",
    "fra": "fr",
    "fre": "fr",
    "spa": "es",
    "ita": "it",
    "por": "pt",
    "nld": "nl",
    "dut": "nl",
    "swe": "sv",
    "dan": "da",
    "nor": "no",
    "nob": "no",
    "nb": "no",
    "fin": "fi",
    "pol": "pl",
    "ces": "cs",
    "cze": "cs",
    "slk": "sk",
    "hun": "hu",
    "ron": "ro",
    "rum": "ro",
    "tur": "tr",
    "vie": "vi",
    "ind": "id",
    "rus": "ru",
    "ukr": "uk",
    "bul": "bg",
    "srp": "sr",
    "ara": "ar",
    "fas": "fa",
    "per": "fa",
    "urd": "ur",
    "zho": "zh",
    "chi": "zh",
    "cmn": "zh",
    "jpn": "ja",
    "kor": "ko",
    "ell": "el",
    "gre": "el",
    "heb": "he",
    "iw": "he",
    "tha": "th",
    "hin": "hi",
}  # fmt: skip (a table)


def language_code(value: str | None) -> str | None:
    """The ISO 639-1 code in a language tag such as "en-US", "deu" or "pt_BR"; `None` for anything else."""
    code = re.split("[-_ ]", (value or "").strip().lower(), maxsplit=1)[0]
    return _CODES.get(code) or (code if len(code) == 2 and code.isascii() and code.isalpha() else None)


def detect_language(text: str) -> str | None:
    """The ISO 639-1 code of the language of most of `text`, `None` where it does not show. Reads a sample only."""
    sample = _sample(text).lower()
    letters = Counter(sample)
    counts: dict[str, float] = defaultdict(float)
    for letter, count in letters.items():
        if script := _script_of(letter):
            counts[script] += count * _DENSE.get(script, 1.0)
    kana = counts.pop("kana", 0.0)
    if kana:
        counts["han"] += kana
    script = max(counts, key=lambda name: counts[name], default="")
    if counts[script] < _FEWEST:
        return None
    if script == "han":
        return "ja" if kana > _KANA_SHARE * counts["han"] else "zh"
    return _by_words(sample, letters, script) if script in _SEVERAL else script


def _sample(text: str) -> str:
    if len(text) <= SAMPLE:
        return text
    third, middle = SAMPLE // 3, len(text) // 2
    return f"{text[:third]} {text[middle : middle + third]} {text[-third:]}"


def _by_words(sample: str, letters: Mapping[str, int], script: str) -> str | None:
    words, marks = _evidence(script)
    scores: dict[str, float] = defaultdict(float)
    for word in _WORD.findall(sample):
        for language, weight in words.get(word, ()):
            scores[language] += weight
    for letter, count in letters.items():
        for language, weight in marks.get(letter, ()):
            scores[language] += weight * count
    best = max(scores, key=lambda language: scores[language], default="")
    return best if scores[best] >= _LEAST_EVIDENCE else None


_Weights = dict[str, list[tuple[str, float]]]


@cache
def _evidence(script: str) -> tuple[_Weights, _Weights]:
    """What words and letters say for each language of `script`: the less, the more languages share them."""
    languages = [language for language, words in _WORDS.items() if _script_of(words[0]) == script]
    return (
        _weighed({language: _WORDS[language].split() for language in languages}, 1.0),
        _weighed({language: list(_LETTERS.get(language, "")) for language in languages}, _LETTER_WEIGHT),
    )


@lru_cache(maxsize=4096)
def _script_of(letter: str) -> str:
    found = _SCRIPT.match(letter)
    return found.lastgroup or "" if found else ""


def _weighed(marks: Mapping[str, Iterable[str]], weight: float) -> _Weights:
    found: _Weights = defaultdict(list)
    for language, each in marks.items():
        for mark in dict.fromkeys(each):
            found[mark].append((language, weight))
    return {mark: [(language, weight / len(shared)) for language, weight in shared] for mark, shared in found.items()}
