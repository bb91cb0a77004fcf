"""Whatever grpcio-tools gives a name, Clarion gives the same name and shape."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.limits import CHILD_SECONDS

pytest.importorskip("grpc_tools", reason="grpcio-tools is not installed: nothing to compare with")


def _said(function: ast.FunctionDef) -> list[str]:
    """The statements of a function; of a constructor, the calls that it makes available."""
    if function.name == "__init__":
        return [ast.unparse(node) for node in function.body if isinstance(node, ast.Assign)]
    return [ast.unparse(node) for node in function.body if not _is_docstring(node)]


def _shape(source: str) -> dict[str, object]:
    """Return what a user can see of a generated module, without docstrings and static methods."""
    shape: dict[str, object] = {}
    for node in ast.parse(source.replace("grpc.", "clarion.")).body:
        if isinstance(node, ast.ClassDef):
            for each in node.body:
                if isinstance(each, ast.FunctionDef) and not each.decorator_list:
                    shape[f"{node.name}.{each.name}"] = (ast.unparse(each.args), _said(each))
        elif isinstance(node, ast.FunctionDef) and not node.name.startswith("__"):
            shape[node.name] = (ast.unparse(node.args), _said(node))
        elif isinstance(node, ast.ImportFrom | ast.Import) and "_pb2" in ast.unparse(node):
            shape[ast.unparse(node)] = "import"
    return shape


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


@pytest.mark.parametrize(
    ("proto", "output"),
    [
        ("plain.proto", "plain_pb2_grpc.py"),
        ("shop/cart-items.proto", "shop/cart_items_pb2_grpc.py"),
        ("shop/orders.proto", "shop/orders_pb2_grpc.py"),
    ],
)
def test_same_names_and_shapes(
    proto: str, output: str, clarion_protoc: Callable[..., Path], protos: Path, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{protos}"]
    subprocess.run(
        [*command, f"--grpc_python_out={theirs}", proto], check=True, timeout=CHILD_SECONDS
    )
    expected = _shape((theirs / output).read_text(encoding="utf-8"))
    assert _shape((clarion_protoc(proto) / output).read_text(encoding="utf-8")) == expected
