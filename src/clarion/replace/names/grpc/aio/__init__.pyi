from clarion.aio import *  # noqa: F403
