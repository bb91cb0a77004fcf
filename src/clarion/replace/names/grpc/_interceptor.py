"""The classes behind `grpc.intercept_channel`, for interceptors that build or check them."""

from __future__ import annotations

from clarion import intercept_channel
from clarion.sync.interceptors import AnsweredCall as _UnaryOutcome
from clarion.sync.interceptors import CallDetails as _ClientCallDetails
from clarion.sync.interceptors import FailedCall as _FailureOutcome
from clarion.sync.interceptors import InterceptedChannel as _Channel

__all__ = [
    "_Channel",
    "_ClientCallDetails",
    "_FailureOutcome",
    "_UnaryOutcome",
    "intercept_channel",
]
