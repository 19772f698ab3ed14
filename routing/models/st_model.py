"""What models of sentence-transformers have in common: loaded at first use, run on a thread of their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar

from plumbline.extras import require
from routing.errors import ModelError, ModelNotFoundError

T = TypeVar("T")
P = ParamSpec("P")
_NO_LIMIT = 10**9  # tokens: tokenizers without a limit say 1e30 or infinity


class StModel:
    """The model called or lying at `source`, of the package's class `kind`; `name` is "st/" and the source.

    `device` is one of torch's ("cpu", "cuda"; `None`: the best there is). Loading raises `MissingExtraError` without
    the extra `st`, and `ModelNotFoundError`.
    """

    def __init__(
        self, source: str | Path, kind: Literal["SentenceTransformer", "CrossEncoder"], *, device: str | None = None
    ) -> None:
        self.name = f"st/{source}"
        self.source = str(source)
        self._kind = kind
        self._device = device
        self._model: Any = None
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=self.name)

    def loaded(self) -> Any:
        """The package's own model."""
        with self._lock:
            if self._model is None:
                self._model = self._load()
            return self._model

    @property
    def max_tokens(self) -> int | None:
        """The tokens it reads at once, special ones included; `None`: no limit."""
        limit = self.loaded().max_seq_length
        return int(limit) if limit is not None and limit < _NO_LIMIT else None

    async def run(self, work: Callable[P, T], *given: P.args, **_: P.kwargs) -> T:
        """What `work` gives, done on the model's thread, where calls queue."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *given)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Turns torch's errors (out of memory, a device that went away) into `ModelError`."""
        try:
            yield
        except RuntimeError as error:
            raise ModelError(f"The model {self.source!r} failed: {error}", model=self.name) from error

    async def close(self) -> None:
        """Forget the model and end its thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._model = None

    def _load(self) -> Any:
        package = require("sentence_transformers", "st")
        try:
            return getattr(package, self._kind)(self.source, device=self._device)
        except (OSError, ValueError) as error:
            raise ModelNotFoundError(
                f"The model {self.source!r} cannot be loaded: {str(error).partition(chr(10))[0]}",
                model=self.name,
                hint="Give a folder that holds one, or a name on the hub while it is reachable.",
            ) from error


class TokenCounter:
    """Counts tokens with whichever kind of tokenizer a model carries: transformers' or tokenizers' own.

    `special` are those around a text, or around a `pair` of them.
    """

    def __init__(self, tokenizer: Any, *, pair: bool = False) -> None:
        self._tokenizer = tokenizer
        self._own = not hasattr(tokenizer, "num_special_tokens_to_add")
        self.special = 0 if self._own else int(tokenizer.num_special_tokens_to_add(pair=pair))

    def count(self, text: str) -> int:
        """The tokens of `text`, special ones left out."""
        if not text:
            return 0
        if self._own:
            return len(self._tokenizer.encode(text, add_special_tokens=False).ids)
        return len(self._tokenizer.encode(text, add_special_tokens=False, truncation=False, verbose=False))
