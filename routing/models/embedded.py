"""The default embedder: static word vectors that come with the base install and never need a network.

The vectors are wordllama's (MIT), 32,000 tokens by 256 dimensions, trained contrastively for mean pooling on top of
Llama 2's token embeddings. The files are read straight from the installed package: importing it would cost more time
than embedding a thousand texts. A text's vector is the mean over its tokens, so word order is not seen and there is
no limit to its length; English is served best. Weighting tokens by frequency (SIF, Arora et al. 2017; Zipf ranks as in
model2vec), dropping function words and removing the common component were measured inside the hybrid search and gave
nothing: the training has already put the weights into the lengths of the vectors. See `benchmarks/embedders.py`.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import re
import threading
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from routing.chat import Usage
from routing.errors import ModelNotFoundError
from routing.vectors import Embeddings, TokenEmbeddings

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_NAME = "embedded/wordllama"
_DIM = 256
_WEIGHTS = "weights/l2_supercat_256.safetensors"
_TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"
_TENSOR = "embedding.weight"
_AT_ONCE = 20_000  # characters embedded on the event loop itself, about a millisecond; more goes to a thread
_MEMO = 2**16  # words whose token ids are remembered, about 10 MB
_LONGEST = 48  # characters: longer "words" are rarely seen twice


class EmbeddedEmbedder:
    """The embedder "embedded/wordllama": 256 dimensions, no key, no network, thousands of texts a second.

    Loads at first use. Raises `routing.errors.ModelNotFoundError` when the package `wordllama` is not where pip put it.
    """

    name = _NAME
    dim = _DIM
    max_tokens: int | None = None

    def __init__(self) -> None:
        self._model: _StaticModel | None = None
        self._lock = threading.Lock()

    async def embed_queries(self, texts: Sequence[str]) -> Embeddings:
        """Embed texts that ask; the same as `embed_passages`."""
        return await self.embed_passages(texts)

    async def embed_passages(self, texts: Sequence[str]) -> Embeddings:
        """Embed texts of any length; usage counts the tokens of Llama 2's tokenizer, white space left out."""
        if self._model is not None and sum(map(len, texts)) <= _AT_ONCE:
            return self._model.embed(texts)
        return await asyncio.to_thread(lambda: self._loaded().embed(texts))

    async def embed_tokens(self, texts: Sequence[str]) -> list[TokenEmbeddings]:
        """The vectors of the tokens, each the same wherever it stands; a `TokenEmbedder`."""
        return await asyncio.to_thread(lambda: [self._loaded().embed_tokens(text) for text in texts])

    async def close(self) -> None:
        """Forget the vectors and the words seen."""
        self._model = None

    def _loaded(self) -> _StaticModel:
        with self._lock:
            if self._model is None:
                self._model = _StaticModel(_package())
            return self._model


class _StaticModel:
    """The token vectors, mapped into memory and shared between processes, with the tokenizer in front."""

    def __init__(self, package: Path) -> None:
        self._vectors = _mapped(package / _WEIGHTS)
        self._words = _Words(package / _TOKENIZER)

    def embed(self, texts: Sequence[str]) -> Embeddings:
        import numpy as np

        vectors = np.zeros((len(texts), _DIM), np.float32)
        tokens = 0
        for row, text in zip(vectors, texts, strict=True):
            ids = np.frombuffer(b"".join(map(self._words.__getitem__, text.split())), np.int32)
            tokens += len(ids)
            used, counts = np.unique(
                ids, return_counts=True
            )  # widening each half-precision row once saves half the time
            total = counts.astype(np.float32) @ self._vectors[used].astype(np.float32)
            length = np.linalg.norm(total)
            if length > 0:
                row[:] = total / length
        return Embeddings(vectors, Usage(input_tokens=tokens))

    def embed_tokens(self, text: str) -> TokenEmbeddings:
        import numpy as np

        spans: list[tuple[int, int]] = []
        ids: list[int] = []
        for word in re.finditer(r"\S+", text):
            for token, (start, end) in self._words.tokens(word.group()):
                ids.append(token)
                spans.append((word.start() + start, word.start() + end))
        vectors = self._vectors[np.asarray(ids, np.int64)].astype(np.float32).reshape(len(ids), _DIM)
        return TokenEmbeddings(vectors, tuple(spans))


class _Words(dict[str, bytes]):
    """A memo from a word to its token ids, as the bytes of int32. No token of this tokenizer spans two words."""

    def __init__(self, tokenizer: Path) -> None:
        from tokenizers import Tokenizer

        super().__init__()
        self._tokenizer = Tokenizer.from_file(str(_existing(tokenizer)))

    def tokens(self, word: str) -> Iterator[tuple[int, tuple[int, int]]]:
        """The ids of a word's tokens, each with its span in the word."""
        encoding = self._tokenizer.encode(word, add_special_tokens=False)
        return zip(encoding.ids, encoding.offsets, strict=True)

    def __missing__(self, word: str) -> bytes:
        ids = array("i", self._tokenizer.encode(word, add_special_tokens=False).ids).tobytes()
        if len(word) <= _LONGEST:
            if len(self) >= _MEMO:
                self.clear()  # cheap and rare; the frequent words are back at once
            self[word] = ids
        return ids


def _package() -> Path:
    spec = importlib.util.find_spec("wordllama")
    if spec is None or spec.origin is None:
        raise _missing("The package 'wordllama' is not installed.")
    return Path(spec.origin).parent


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise _missing(f"The package 'wordllama' has no file {path.parent.name}/{path.name}.")
    return path


def _missing(message: str) -> ModelNotFoundError:
    return ModelNotFoundError(message, model=_NAME, hint="Run: pip install --force-reinstall wordllama")


def _mapped(path: Path) -> npt.NDArray[np.float16]:
    """The tensor of a safetensors file as a memory map: eight bytes of header length, a JSON header, the data."""
    import numpy as np

    with _existing(path).open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header: dict[str, dict[str, Any]] = json.loads(file.read(size))
    tensor = header.get(_TENSOR, {})
    shape = tensor.get("shape", ())
    if tensor.get("dtype") != "F16" or len(shape) != 2 or shape[1] != _DIM:
        raise _missing(f"{path.name} does not hold the vectors expected: {tensor or 'no ' + _TENSOR}.")
    offset = 8 + size + int(tensor["data_offsets"][0])
    return np.asarray(np.memmap(path, np.float16, "r", offset, tuple(shape)))  # still mapped; plain arrays index faster
