"""Equal texts, told by a hash. Imports nothing heavy: the ingestor uses it for every document."""

from __future__ import annotations

import unicodedata
from hashlib import blake2b


def text_fingerprint(text: str) -> str:
    """32 hexadecimal digits, equal for texts that differ in case, white space and forms of characters (NFKC) alone."""
    normal = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return blake2b(normal.encode("utf-8", "replace"), digest_size=16).hexdigest()
