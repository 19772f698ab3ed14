"""This process's connection to a Ray cluster. Ray allows one to a process, so that all ingestions here share it."""

from __future__ import annotations

import logging
import os
import threading
from typing import Any

from plumbline.extras import require
from rag.errors import RagError
from rag.ingest.settings import LoadingSettings

LOCAL = "local"


class _Connection:
    """Who uses the connection, and whether it is ours to end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._is_ours = False

    def join(self, loading: LoadingSettings) -> None:
        ray = require("ray", "ray")
        with self._lock:
            if not ray.is_initialized():
                _begin(ray, loading)
                self._is_ours = True
            self._users += 1

    def leave(self) -> None:
        ray = require("ray", "ray")
        with self._lock:
            self._users -= 1
            if self._users == 0 and self._is_ours:
                self._is_ours = False
                ray.shutdown()


_CONNECTION = _Connection()
"""State of the process, because Ray's is: two ingestions at once must not end each other's connection."""

connect = _CONNECTION.join
"""Join the cluster at `loading.ray_address`, unless the process already is in one. Raises `RagError` without one."""
disconnect = _CONNECTION.leave
"""Undo one `connect`: the last one leaves the cluster, unless the program had joined it before the first."""


def _begin(ray: Any, loading: LoadingSettings) -> None:
    address = loading.ray_address
    options: dict[str, Any] = {}
    if address == LOCAL:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray's only switch for it; it reports home otherwise
        options = {"include_dashboard": False, "num_cpus": loading.workers or None}
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **options)
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise RagError(
            f"There is no Ray cluster at loading.ray_address '{address}': {reason}",
            hint="Start one (ray start --head), name another (host:port), or set it to 'local'.",
        ) from error
