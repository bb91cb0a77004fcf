"""Clarion in grpc's place."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from clarion.replace import GRPC_VERSION, install_as_grpc
from support.processes import python_environment

# A child may take a minute, and what became of it is still to be shown.
pytestmark = pytest.mark.timeout(180)


def run(program: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *options, "-c", "import sys\nimport clarion\n" + program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=python_environment(),
    )


IN_ITS_PLACE = """
clarion.install_as_grpc()
import clarion.aio, clarion.experimental
import grpc
assert "grpc.aio" not in sys.modules
import grpc.aio
from grpc import aio, experimental
assert grpc.__clarion__ and grpc.__version__ == clarion.replace.GRPC_VERSION
assert grpc.aio is aio and grpc.experimental is experimental
assert grpc._channel.Channel and grpc._utilities.first_version_is_lower
for mine, theirs in (clarion, grpc), (clarion.aio, aio), (clarion.experimental, experimental):
    assert set(theirs.__all__) >= set(mine.__all__) - {"__version__", "install_as_grpc"}
    for name in set(mine.__all__) - {"__version__"}:
        assert getattr(theirs, name) is getattr(mine, name), name
clarion.install_as_grpc()
assert sys.modules["grpc"] is grpc
"""

LIKE_A_REAL_MODULE = """
clarion.install_as_grpc()
import copy, importlib.util, inspect, pickle
import grpc, grpc.aio
assert inspect.getmodule(grpc) is grpc and inspect.getsource(grpc)
assert inspect.getmodule(grpc.StatusCode) is sys.modules["clarion.status"]
assert importlib.util.find_spec("grpc").origin == grpc.__file__
assert importlib.reload(grpc) is grpc
assert {"insecure_channel", "aio", "experimental"} <= set(dir(grpc))
assert pickle.loads(pickle.dumps(grpc.StatusCode.OK)) is grpc.StatusCode.OK
assert pickle.loads(pickle.dumps(grpc.aio.Metadata(("a", "b")))) == grpc.aio.Metadata(("a", "b"))
assert b"cgrpc\\n" not in pickle.dumps(grpc.Compression.Gzip, 0)
names = {}
exec("from grpc import *", names)
assert names["insecure_channel"] is clarion.insecure_channel and "install_as_grpc" not in names
exec("from grpc.aio import *", names)
assert names["insecure_channel"] is clarion.aio.insecure_channel
for module, name in (grpc, "nothing"), (grpc.aio, "nothing"), (grpc.experimental, "nothing"):
    try:
        getattr(module, name)
    except AttributeError as error:
        assert "Clarion" in str(error) and "nothing" in str(error)
    else:
        raise AssertionError
assert importlib.util.find_spec("grpc._nothing") is None
"""

EVERY_MODULE = """
clarion.install_as_grpc()
import importlib, os, pkgutil
import grpc
found = [module.name for module in pkgutil.walk_packages(grpc.__path__, "grpc.")]
assert {"grpc._channel", "grpc.aio._typing", "grpc._cython.cygrpc"} <= set(found)
for name in found:
    module = importlib.import_module(name)
    assert module.__file__.startswith(clarion.replace.FOLDER + os.sep)
    assert all(hasattr(module, public) for public in getattr(module, "__all__", ())), name
"""

TOO_LATE = """
import types
sys.modules["grpc"] = types.ModuleType("grpc")
try:
    clarion.install_as_grpc()
except ImportError as error:
    assert "before the first 'import grpc'" in str(error)
else:
    raise AssertionError
"""

BLOCKED = """
sys.modules["grpc"] = None
clarion.install_as_grpc()
import grpc
assert grpc.__clarion__
"""

ERRORS = """
clarion.install_as_grpc()
import grpc, asyncio
from grpc._channel import _InactiveRpcError, _MultiThreadedRendezvous, _Rendezvous
from grpc.aio._call import AioRpcError
with grpc.insecure_channel("127.0.0.1:1") as channel:
    try:
        channel.unary_unary("/a/b")(b"", timeout=30)
    except _InactiveRpcError as error:
        assert isinstance(error, _Rendezvous) and error.code() is grpc.StatusCode.UNAVAILABLE
    try:
        next(channel.unary_stream("/a/b")(b"", timeout=30))
    except _MultiThreadedRendezvous as error:
        assert error.code() is grpc.StatusCode.UNAVAILABLE
async def main():
    async with grpc.aio.insecure_channel("127.0.0.1:1") as channel:
        try:
            await channel.unary_unary("/a/b")(b"", timeout=30)
        except AioRpcError as error:
            assert error.code() is grpc.StatusCode.UNAVAILABLE
            return
    raise AssertionError
asyncio.run(main())
"""

PRIVATE = """
clarion.install_as_grpc()
import grpc, operator
names = "_common _compression _cython.cygrpc _runtime_protos _simple_stubs _utilities"
names += " aio._base_call aio._base_channel aio._base_server aio._call aio._channel aio._interceptor"
names += " aio._metadata.Metadata aio._server aio._typing"
for name in names.split():
    operator.attrgetter(name)(grpc)
"""

LEFTOVERS = """
clarion.install_as_grpc()
import grpc, logging
from grpc._utilities import first_version_is_lower as lower
assert not lower(grpc.__version__, "999.0.0")
assert lower("1.9.0", "1.10.0") and not lower("1.10.0", "1.9.9")
assert not lower("1.60.0", "1.60.0") and lower("1.60.0", "1.60.0.dev0")
assert not lower("1.60.0.dev0", "1.60.0") and not lower("one", "two")

from grpc.framework.foundation import logging_pool
records = []
handler = logging.Handler()
handler.emit = records.append
logging.getLogger("clarion").addHandler(handler)
with logging_pool.pool(2) as pool:
    assert list(pool.map(abs, (-1, -2))) == [1, 2]
    assert isinstance(pool.submit(divmod, 1, 0).exception(30), ZeroDivisionError)
assert [record.exc_info[0] for record in records] == [ZeroDivisionError]

from grpc._common import CYGRPC_STATUS_CODE_TO_STATUS_CODE as codes
from grpc._cython import cygrpc
assert codes[14] is codes[cygrpc.StatusCode.unavailable] is grpc.StatusCode.UNAVAILABLE
channel = grpc.insecure_channel("127.0.0.1:1", [(cygrpc.ChannelArgKey.max_send_message_length, -1)])
channel.close()
"""


@pytest.mark.parametrize(
    "program",
    [
        IN_ITS_PLACE,
        LIKE_A_REAL_MODULE,
        EVERY_MODULE,
        TOO_LATE,
        BLOCKED,
        ERRORS,
        PRIVATE,
        LEFTOVERS,
    ],
    ids=[
        "in-its-place",
        "like-a-real-module",
        "every-module",
        "too-late",
        "blocked",
        "errors",
        "private",
        "leftovers",
    ],
)
def test_install(program: str) -> None:
    done = run(program)
    assert done.returncode == 0, done.stderr


def test_what_clarion_does_not_serve_falls_through(tmp_path: Path) -> None:
    (tmp_path / "grpc_csds.py").write_text("import grpc\n")
    done = run(
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "clarion.install_as_grpc()\n"
        "import grpc_csds\n"
        f"assert grpc_csds.__file__.startswith({str(tmp_path)!r})\n"
        "assert grpc_csds.grpc.__clarion__\n"
    )
    assert done.returncode == 0, done.stderr


# Without site-packages, so without grpcio.
METADATA = """
from importlib.metadata import PackageNotFoundError, distribution, distributions, version
try:
    version("grpcio")
except PackageNotFoundError:
    pass
else:
    raise AssertionError("grpcio is installed after all")
clarion.install_as_grpc()
assert version("grpcio") == clarion.replace.GRPC_VERSION
assert "Clarion" in distribution("grpcio").metadata["Summary"]
assert not distribution("grpcio").files and not distribution("grpcio").requires
assert "grpcio" not in {each.metadata["Name"] for each in distributions()}
"""


def test_metadata_where_grpcio_is_not_installed() -> None:
    done = run(METADATA, "-S")
    assert done.returncode == 0, done.stderr


def test_metadata_of_an_installed_grpcio_stays(tmp_path: Path) -> None:
    folder = tmp_path / "grpcio-1.2.3.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: grpcio\nVersion: 1.2.3\n")
    done = run(
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "clarion.install_as_grpc()\n"
        "from importlib.metadata import version\n"
        "assert version('grpcio') == '1.2.3'\n",
        "-S",
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def no_grpc() -> Iterator[None]:
    """A process in which nobody has imported `grpc` yet."""
    names = [name for name in sys.modules if name == "grpc" or name.startswith("grpc.")]
    saved = {name: sys.modules.pop(name) for name in names}
    finders = list(sys.meta_path)
    yield
    for name in [name for name in sys.modules if name == "grpc" or name.startswith("grpc.")]:
        del sys.modules[name]
    sys.modules.update(saved)
    sys.meta_path[:] = finders


@pytest.mark.usefixtures("no_grpc")
def test_in_this_process() -> None:
    install_as_grpc()
    grpc = importlib.import_module("grpc")
    assert grpc.__version__ == GRPC_VERSION
    install_as_grpc()
    assert sys.modules["grpc"] is grpc
    sys.modules["grpc"] = ModuleType("grpc")
    with pytest.raises(ImportError, match="before the first 'import grpc'"):
        install_as_grpc()
