"""A chat model that is made when it is first asked: one that only some requests go to may lack its key until then."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable

from plumbline.errors import PlumblineError
from routing.chat import ChatEvent, ChatModel, ChatRequest, ChatResponse


class LaterModel:
    """The chat model `name`, made by `make`; what that raises (a missing key) is raised when it is asked."""

    def __init__(self, name: str, make: Callable[[], ChatModel]) -> None:
        self.name = name
        self._make = make
        self._model: ChatModel | None = None
        self._lock = threading.Lock()

    @property
    def continues(self) -> bool:
        """Whether it can go on with a text that another began; one that cannot be made cannot."""
        try:
            return bool(getattr(self._made(), "continues", True))
        except PlumblineError:
            return False

    async def complete(self, request: ChatRequest) -> ChatResponse:
        """Answer in one piece."""
        return await self._made().complete(request)

    def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        """Answer in pieces."""
        return self._made().stream(request)

    async def close(self) -> None:
        """Close the model, if it was made."""
        if self._model is not None:
            await self._model.close()

    def _made(self) -> ChatModel:
        with self._lock:
            if self._model is None:
                self._model = self._make()
            return self._model
