"""What is generated, to the letter. `python tests/codegen/test_golden.py` writes the files anew."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from clarion.codegen import generate

HERE = Path(__file__).parent
GOLDEN = {
    "plain.proto": "plain_pb2_grpc.py",
    "reserved.proto": "reserved_pb2_grpc.py",
    "shop/cart-items.proto": "shop/cart_items_pb2_grpc.py",
    "shop/orders.proto": "shop/orders_pb2_grpc.py",
}


def _golden(path: str) -> Path:
    return HERE / "golden" / f"{path}.txt"


@pytest.mark.parametrize("name", GOLDEN)
def test_output_is_the_golden_file(name: str, clarion_protoc: Callable[..., Path]) -> None:
    written = clarion_protoc(name) / GOLDEN[name]
    assert written.read_text(encoding="utf-8") == _golden(GOLDEN[name]).read_text(encoding="utf-8")


def test_output_does_not_depend_on_what_else_is_generated(
    clarion_protoc: Callable[..., Path],
) -> None:
    alone = clarion_protoc("shop/orders.proto")
    first = (alone / "shop/orders_pb2_grpc.py").read_bytes()
    together = clarion_protoc(*reversed(GOLDEN))
    assert (together / "shop/orders_pb2_grpc.py").read_bytes() == first


def test_a_named_file_that_the_set_lacks_is_an_error() -> None:
    with pytest.raises(KeyError, match=r"missing\.proto"):
        generate(b"", ["missing.proto"])


if __name__ == "__main__":
    for proto in GOLDEN:
        command = ["-m", "clarion", "protoc", f"-I{HERE / 'protos'}"]
        subprocess.run(
            [sys.executable, *command, f"--grpc_python_out={HERE / 'golden'}", proto], check=True
        )
    for name in GOLDEN.values():
        (HERE / "golden" / name).replace(_golden(name))
