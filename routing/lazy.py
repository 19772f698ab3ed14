"""A router that is made when it is first needed: what needs no model works without the model's key."""

from __future__ import annotations

import threading
from collections.abc import Callable

from routing.router import Router


class LazyRouter:
    """Makes its router at the first `get`, once, whichever thread asks; `make` may raise, and is then tried again."""

    def __init__(self, make: Callable[[], Router]) -> None:
        self._make = make
        self._router: Router | None = None
        self._lock = threading.Lock()

    def get(self) -> Router:
        """The router; raises what making it raises (a missing key, a missing package)."""
        with self._lock:
            if self._router is None:
                self._router = self._make()
            return self._router

    async def close(self) -> None:
        """Close the router if there is one."""
        if self._router is not None:
            await self._router.close()
