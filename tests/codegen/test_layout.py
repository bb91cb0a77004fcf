"""How generated modules import each other."""

from __future__ import annotations

import ast

import pytest

from clarion.codegen.layout import PROTOC_LAYOUT, Layout
from clarion.codegen.names import module_name


def test_imports_come_once_and_in_a_fixed_order() -> None:
    files = ["z.proto", "import/c.proto", "a/b.proto", "z.proto"]
    expected = [
        "from a import b_pb2 as a_dot_b__pb2",
        "import z_pb2 as z__pb2",
        'import_dot_c__pb2 = importlib.import_module("import.c_pb2")',
    ]
    assert PROTOC_LAYOUT.import_lines("x.proto", files) == expected
    assert PROTOC_LAYOUT.import_lines("x.proto", reversed(files)) == expected


@pytest.mark.parametrize(
    ("importer", "file", "line"),
    [
        ("a.proto", "b.proto", "from . import b_pb2 as b__pb2"),
        ("a.proto", "x/b.proto", "from .x import b_pb2 as x_dot_b__pb2"),
        ("x/a.proto", "x/b.proto", "from . import b_pb2 as x_dot_b__pb2"),
        ("x/a.proto", "b.proto", "from .. import b_pb2 as b__pb2"),
        ("x/y/a.proto", "x/z/b.proto", "from ..z import b_pb2 as x_dot_z_dot_b__pb2"),
        ("x/y/a.proto", "z/b-c.proto", "from ...z import b_c_pb2 as z_dot_b__c__pb2"),
        (
            "x/a.proto",
            "in/b.proto",
            'in_dot_b__pb2 = importlib.import_module("..in.b_pb2", __package__)',
        ),
        (
            "in/a.proto",
            "in/b.proto",
            "from . import b_pb2 as in_dot_b__pb2",
        ),
    ],
)
def test_modules_generated_together_import_each_other_relatively(
    importer: str, file: str, line: str
) -> None:
    assert Layout([importer, file]).import_lines(importer, [file]) == [line]


@pytest.mark.parametrize(
    "file",
    ['a");1/0#.proto', "a\\.proto", "a\n1/0\n.proto", "\udc80.proto", "\u00b2.proto", "{a}.proto"],
)
@pytest.mark.parametrize("together", [True, False])
def test_a_name_is_no_code(file: str, together: bool) -> None:
    layout = Layout(["x.proto", file]) if together else PROTOC_LAYOUT
    [line] = layout.import_lines("x.proto", [file])
    [statement] = ast.parse(line).body
    assert isinstance(statement, ast.Assign)
    assert isinstance(statement.value, ast.Call)
    name = ast.literal_eval(statement.value.args[0])
    assert name.lstrip(".") == module_name(file)


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("google/api/http.proto", "from gapis.api import http_pb2 as google_dot_api_dot_http__pb2"),
        ("google/type/x.proto", "from google.type import x_pb2 as google_dot_type_dot_x__pb2"),
        (
            "google/api/v1/x.proto",
            "from gapis.api.v1 import x_pb2 as google_dot_api_dot_v1_dot_x__pb2",
        ),
    ],
)
def test_packages_of_other_files(file: str, line: str) -> None:
    layout = Layout(["a.proto"], {"google/api": "gapis.api"})
    assert layout.import_lines("a.proto", [file]) == [line]


def test_one_package_of_all_other_files() -> None:
    lines = Layout(["a.proto"], {"": "vendor"}).import_lines("a.proto", ["b.proto", "c/d.proto"])
    assert lines == [
        "from vendor import b_pb2 as b__pb2",
        "from vendor.c import d_pb2 as c_dot_d__pb2",
    ]
