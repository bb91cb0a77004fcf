"""A pool of threads that logs what its tasks raise."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

__all__ = ["pool"]

_LOG = logging.getLogger("clarion")


class _LoggingPool(ThreadPoolExecutor):
    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return super().submit(partial(_logged, fn), *args, **kwargs)


def _logged(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    try:
        return fn(*args, **kwargs)
    except Exception:
        _LOG.exception("%r raised in a logging pool", fn)
        raise


def pool(max_workers: int) -> ThreadPoolExecutor:
    """Make a `ThreadPoolExecutor` that logs what its tasks raise; their futures raise it too.

    Args:
        max_workers: the number of threads, at most.
    """
    return _LoggingPool(max_workers)
