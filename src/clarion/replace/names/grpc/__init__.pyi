# What `grpc` is to type checkers that find this folder; `__init__.py` takes the names at run time.
from clarion import *  # noqa: F403
from clarion import aio as aio
from clarion import experimental as experimental
