"""Binary logs of calls (gRFC A16): headers, messages and statuses, in files that other programs read, too.

with clarion.binary_log.start("calls.binlog", "*{h;m:256}"):
    ...                                     # channels and servers made here are logged

for entry in clarion.binary_log.read("calls.binlog"):
    print(clarion.binary_log.describe(entry))

config        which methods, and how much of them: the filters of `GRPC_BINARY_LOG_FILTER`
logging       what calls tell, as entries
entries       entries as messages of grpc.binarylog.v1
sinks         where entries go
reading       files of entries, and entries as text
"""

from __future__ import annotations

from clarion.binary_log.config import Filter, Limits, parse_filter
from clarion.binary_log.entries import entry_class
from clarion.binary_log.logs import BinaryLog, from_environment, start
from clarion.binary_log.reading import DamagedLogError, describe, read
from clarion.binary_log.sinks import FileSink, Sink

__all__ = [
    "BinaryLog",
    "DamagedLogError",
    "FileSink",
    "Filter",
    "Limits",
    "Sink",
    "describe",
    "entry_class",
    "from_environment",
    "parse_filter",
    "read",
    "start",
]
