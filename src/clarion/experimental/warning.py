"""The warning that goes with experimental functions, once for each of them in a process."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import ParamSpec, TypeVar

__all__ = ["ExperimentalApiWarning", "experimental_api"]

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")

_warned: set[str] = set()


class ExperimentalApiWarning(Warning):
    """A function is experimental in grpcio: it may change there, and then here, with any release."""


def experimental_api(f: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """Make `f` warn with `ExperimentalApiWarning` when it is called for the first time.

    Args:
        f: a function; functions of one name warn once together.
    """

    @functools.wraps(f)
    def warn(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> _Result:
        if f.__name__ not in _warned:
            _warned.add(f.__name__)
            warnings.warn(
                f"'{f.__name__}' is experimental; grpcio may change or remove it in any release",
                ExperimentalApiWarning,
                stacklevel=2,
            )
        return f(*args, **kwargs)

    return warn
