"""What is generated, to the letter. `python tests/codegen/test_golden.py` writes the files anew."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from clarion.codegen import generate, generate_types

HERE = Path(__file__).parent
GOLDEN = {
    "bygone.proto": "bygone_pb2_grpc.py",
    "names.proto": "names_pb2_grpc.py",
    "options.proto": "options_pb2_grpc.py",
    "plain.proto": "plain_pb2_grpc.py",
    "reserved.proto": "reserved_pb2_grpc.py",
    "shop/cart-items.proto": "shop/cart_items_pb2_grpc.py",
    "shop/orders.proto": "shop/orders_pb2_grpc.py",
}


def _golden(path: str) -> Path:
    return HERE / "golden" / f"{path}.txt"


@pytest.mark.parametrize("suffix", ["", "i"])
@pytest.mark.parametrize("name", GOLDEN)
def test_output_is_the_golden_file(
    name: str, suffix: str, clarion_protoc: Callable[..., Path]
) -> None:
    path = GOLDEN[name] + suffix
    written = clarion_protoc(name) / path
    assert written.read_text(encoding="utf-8") == _golden(path).read_text(encoding="utf-8")


def test_output_does_not_depend_on_what_else_is_generated(
    clarion_protoc: Callable[..., Path],
) -> None:
    alone = clarion_protoc("shop/orders.proto")
    first = (alone / "shop/orders_pb2_grpc.py").read_bytes()
    together = clarion_protoc(*reversed(GOLDEN))
    assert (together / "shop/orders_pb2_grpc.py").read_bytes() == first


@pytest.mark.parametrize("function", [generate, generate_types])
def test_a_named_file_that_the_set_lacks_is_an_error(
    function: Callable[[bytes, list[str]], dict[str, str]],
) -> None:
    with pytest.raises(KeyError, match=r"missing\.proto"):
        function(b"", ["missing.proto"])


if __name__ == "__main__":
    for proto in GOLDEN:
        command = ["-m", "clarion", "protoc", f"-I{HERE / 'protos'}"]
        with tempfile.TemporaryDirectory() as elsewhere:
            outputs = [f"--grpc_python_out={HERE / 'golden'}", f"--pyi_out={elsewhere}"]
            subprocess.run([sys.executable, *command, *outputs, proto], check=True)
    for name in GOLDEN.values():
        for path in (name, name + "i"):
            (HERE / "golden" / path).replace(_golden(path))
