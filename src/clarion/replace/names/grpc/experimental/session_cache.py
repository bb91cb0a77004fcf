"""`grpc.experimental.session_cache`."""

from __future__ import annotations

import clarion.experimental.session_cache as _session_cache

globals().update({name: getattr(_session_cache, name) for name in _session_cache.__all__})

__all__ = list(_session_cache.__all__)
