"""`clarion generate` with bad input: a line that says what and where, an exit code, and nothing left behind."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from clarion.cli import _compile, _outputs, main
from clarion.cli._compile import explain
from clarion.cli._protoc_binary import ProtocNotFoundError

GOOD = 'syntax = "proto3"; message Good {}'
ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protoc: Path) -> Path:
    """The current directory: a folder `protos` with one good file, and `out` with what it gave before."""
    (tmp_path / "protos").mkdir()
    (tmp_path / "protos/good.proto").write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    assert main(["generate", "protos", "--out=out", "--quiet"]) == 0
    return tmp_path


def _state(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


Fails = Callable[..., str]


@pytest.fixture
def fails(project: Path, capfd: pytest.CaptureFixture[str]) -> Fails:
    """Runs the command, which has to fail and to change nothing; gives what it said."""

    def run(*arguments: str, code: int = 1) -> str:
        before = _state(project)
        folders = sorted(path for path in project.rglob("*") if path.is_dir())
        assert main(["generate", *(arguments or ("protos", "--out=out"))]) == code
        assert _state(project) == before
        assert sorted(path for path in project.rglob("*") if path.is_dir()) == folders
        out, err = capfd.readouterr()
        assert out == ""
        return err

    return run


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'syntax = "proto3";\n\nmessage M { string a = 1 }\n',
            (
                'protos/bad.proto:3:26: Expected ";".\n'
                "    message M { string a = 1 }\n"
                "                             ^\n"
            ),
        ),
        (
            'syntax = "proto3";\r\n\tmessage M { Nothing a = 1; }\r\n',
            (
                'protos/bad.proto:2:21: "Nothing" is not defined.\n'
                "    \tmessage M { Nothing a = 1; }\n"
                "    \t            ^\n"
            ),
        ),
        (
            'syntax = "proto3";\nimport "absent.proto";\nmessage M { Absent a = 1; }\n',
            (
                'protos/bad.proto:2:1: Import "absent.proto" was not found.\n'
                '    import "absent.proto";\n'
                "    ^\n"
            ),
        ),
        (
            'syntax = "proto3";\n/* ä */ option zork = 1;\n',
            None,
        ),
        (
            'syntax = "proto3";\nmessage M { string a = 1 [zork = 2]; }\n',
            None,
        ),
        ('syntax = "proto9";', None),
        ("\x00\x1b[31m", None),
    ],
)
def test_protocs_errors_come_with_the_line(
    text: str, said: str | None, project: Path, fails: Fails
) -> None:
    (project / "protos/bad.proto").write_bytes(text.encode())
    err = fails()
    if said is not None:
        assert err == said
        return
    place, line, caret = err.splitlines()[:3]
    assert place.startswith("protos/bad.proto:")
    assert caret.endswith("^")
    assert line.startswith("    ")
    assert "\x1b" not in err


def test_the_caret_counts_characters_and_not_bytes(project: Path, fails: Fails) -> None:
    (project / "protos/bad.proto").write_text('syntax = "proto3"; /* äöü */ zork', encoding="utf-8")
    _, line, caret = fails().splitlines()
    assert line[len(caret) - 1 :] == "zork"


@pytest.mark.parametrize("mistake", ["int", "Absent absent = 1;"])
@pytest.mark.parametrize(("broken", "user"), [("first", "second"), ("second", "first")])
def test_what_follows_from_a_broken_import_is_not_repeated(
    broken: str, user: str, mistake: str, project: Path, fails: Fails
) -> None:
    (project / f"protos/{broken}.proto").write_text(
        f'syntax = "proto3"; message Broken {{ {mistake} }}'
    )
    (project / f"protos/{user}.proto").write_text(
        f'syntax = "proto3"; import "{broken}.proto"; message User {{ Broken first = 1; }}'
    )
    (project / "protos/a.proto").write_text(f'syntax = "proto3"; import "{user}.proto";')
    places = [line for line in fails().splitlines() if line.startswith("protos")]
    assert {place.split(":")[0] for place in places} == {f"protos/{broken}.proto"}


def test_an_import_that_is_in_another_folder(project: Path, fails: Fails) -> None:
    (project / "protos/inner").mkdir()
    (project / "protos/inner/user.proto").write_text(
        'syntax = "proto3"; import "used.proto"; message User {}'
    )
    (project / "protos/inner/used.proto").write_text('syntax = "proto3"; message Used {}')
    assert "It is in protos/inner: add that as an include folder (-I).\n" in fails()


def test_an_edition_that_is_not_known(project: Path, fails: Fails) -> None:
    (project / "protos/bad.proto").write_text('edition = "2099";')
    assert fails().startswith('protos/bad.proto:1:11: Unknown edition "2099".\n')


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (
            ["a-b.proto", "a_b.proto"],
            "a-b.proto and a_b.proto would both become a_b_pb2.py; rename one of them",
        ),
        (
            ["a.b.proto", "a/b.proto"],
            "a.b.proto and a/b.proto would both become a/b_pb2.py; rename one of them",
        ),
        (
            ["a.proto", "a_pb2/b.proto"],
            (
                "a.proto would become the module a_pb2.py, and a_pb2/b.proto needs a folder a_pb2;"
                " rename one of them"
            ),
        ),
        (
            ["a.proto", "a_pb2_grpc/c/b.proto"],
            (
                "a.proto would become the module a_pb2_grpc.py, and a_pb2_grpc/c/b.proto needs a folder"
                " a_pb2_grpc; rename one of them"
            ),
        ),
    ],
)
def test_names_that_clash(names: list[str], said: str, project: Path, fails: Fails) -> None:
    for name in names:
        (project / "protos" / name).parent.mkdir(parents=True, exist_ok=True)
        (project / "protos" / name).write_text('syntax = "proto3";')
    assert fails() == f"clarion generate: {said}\n"


@pytest.mark.parametrize(
    "name", [".x.proto", "a..b.proto", "a/.b.proto", "a\nb.proto", "a\\b.proto"]
)
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
def test_names_that_would_lead_elsewhere(name: str, project: Path, fails: Fails) -> None:
    path = project / "protos" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text('syntax = "proto3";')
    assert fails(f"protos/{name}", "-Iprotos", "--out=out") == (
        f"clarion generate: {name!r} is a name for which there can be no module\n"
    )
    if not path.name.startswith("."):
        assert fails("protos", "--out=out").endswith("there can be no module\n")


def test_hidden_files_are_not_searched_for(project: Path) -> None:
    (project / "protos/.good.proto").write_bytes(b"\x00\x05\x16\x07")
    assert main(["generate", "protos", "--out=out", "--check"]) == 0


def test_files_with_one_name(project: Path, fails: Fails) -> None:
    shutil.copytree(project / "protos", project / "more")
    assert fails("protos", "more", "--out=out") == (
        "clarion generate: protos/good.proto is hidden by more/good.proto: for both the name is good.proto;"
        " rename one, or choose other include folders\n"
    )


def test_a_file_that_an_include_folder_hides(project: Path, fails: Fails) -> None:
    shutil.copytree(project / "protos", project / "more")
    err = fails("more/good.proto", "-Iprotos", "-Imore", "--out=out")
    assert err.startswith("clarion generate: more/good.proto is hidden by protos/good.proto: ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--out=out"], "which .proto files? Name files or folders, or set paths in "),
        (["protos"], "where to? Name a folder with --out, or set out in "),
        (["out", "--out=out"], "no .proto files in out"),
        (["absent", "--out=out"], "there is no file or folder absent"),
        (["protos", "--out=out", "-Iabsent"], "there is no folder absent to include"),
        (["protos", "--out=protos/good.proto"], "protos/good.proto is not a folder"),
        (["protos", "--out=out", "--package=x"], "--package needs FOLDER=PACKAGE, not x"),
    ],
)
def test_arguments_without_sense(arguments: list[str], said: str, fails: Fails) -> None:
    err = fails(*arguments)
    assert err.startswith("clarion generate: ")
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--zork"], ["--check", "--watch"], ["--out"]])
def test_usage_errors(arguments: list[str], fails: Fails) -> None:
    assert "usage: clarion generate" in fails(*arguments, code=2)


def test_without_protoc_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, fails: Fails) -> None:
    def absent() -> Path:
        raise ProtocNotFoundError('pip install "clarion-rpc[protoc]"')

    monkeypatch.setattr(_compile, "find_protoc", absent)
    assert fails() == 'clarion generate: pip install "clarion-rpc[protoc]"\n'


@pytest.mark.skipif(ROOT or os.name == "nt", reason="this user may write everywhere")
def test_a_folder_that_cannot_be_written(project: Path, fails: Fails) -> None:
    (project / "protos/good.proto").write_text(GOOD + "message More {}")
    (project / "out").chmod(0o500)
    try:
        assert "Permission denied; nothing was changed" in fails()
    finally:
        (project / "out").chmod(0o700)


def test_a_folder_that_refuses(
    project: Path, monkeypatch: pytest.MonkeyPatch, fails: Fails
) -> None:
    real = tempfile.mkdtemp

    def refuse(
        suffix: str | None = None, prefix: str | None = None, dir: Path | None = None
    ) -> str:
        if dir is None:
            return real(suffix, prefix)
        raise PermissionError(13, "Permission denied", f"{dir}/{prefix}")

    (project / "protos/good.proto").write_text(GOOD + "message More {}")
    monkeypatch.setattr(_outputs.tempfile, "mkdtemp", refuse)
    assert fails() == "clarion generate: out/.clarion-: Permission denied; nothing was changed\n"


def test_a_folder_in_the_place_of_a_file(project: Path, fails: Fails) -> None:
    (project / "protos/also.proto").write_text(GOOD.replace("Good", "Also"))
    (project / "protos/good.proto").write_text(GOOD + "message More {}")
    (project / "out/good_pb2.pyi").unlink()
    (project / "out/good_pb2.pyi").mkdir()
    assert fails() == "clarion generate: out/good_pb2.pyi: Is a directory; nothing was changed\n"


def test_a_file_in_the_place_of_a_folder(project: Path, fails: Fails) -> None:
    (project / "protos/inner").mkdir()
    (project / "protos/inner/more.proto").write_text(GOOD.replace("Good", "More"))
    (project / "out/inner").write_text("")
    err = fails()
    assert err.startswith("clarion generate: out/inner")
    assert err.count("\n") == 1


@pytest.mark.parametrize("kind", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("moves", range(5))
def test_a_write_that_fails_leaves_all_as_it_was(
    kind: BaseException,
    moves: int,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    fails: Fails,
) -> None:
    # One file changes in both of its modules, one is new, in a new folder, and one is gone.
    (project / "protos/good.proto").write_text(GOOD + "message More {}")
    (project / "protos/new").mkdir()
    (project / "protos/new/also.proto").write_text(GOOD.replace("Good", "Also"))
    (project / "out/gone_pb2.py").write_text(
        "# Generated by Clarion from gone.proto. DO NOT EDIT.\n"
    )
    real, left = os.replace, [moves]

    def replace(source: str, target: str) -> None:
        if left[0] == 0:
            left[0] -= 1
            raise kind
        left[0] -= 1
        real(source, target)

    monkeypatch.setattr(_outputs.os, "replace", replace)
    err = fails(code=1 if isinstance(kind, OSError) else 130)
    assert err.count("\n") == (1 if isinstance(kind, OSError) else 0)
    monkeypatch.setattr(_outputs.os, "replace", real)
    assert main(["generate", "protos", "--out=out", "--quiet"]) == 0
    assert not (project / "out/gone_pb2.py").exists()
    assert (project / "out/new/also_pb2.py").exists()


def test_messages_without_a_place_come_through() -> None:
    here = Path.cwd()
    said = "strange: thing\n\nx.proto: warning: old.\nabsent.proto: File not found.\n"
    assert explain(said, lambda name: here / "deep" / name, here).splitlines() == [
        "strange: thing",
        "deep/x.proto: warning: old.",
        "deep/absent.proto: File not found.",
    ]


def test_a_line_that_is_not_there_is_not_shown(project: Path) -> None:
    said = "good.proto:9:1: Odd.\ngone.proto:1:1: Odd.\nx.proto:1:1: Odd.\n"
    places = {"good.proto": project / "protos/good.proto", "gone.proto": project / "gone.proto"}
    assert explain(said, places.get, project).splitlines() == [
        "protos/good.proto:9:1: Odd.",
        "gone.proto:1:1: Odd.",
        "x.proto:1:1: Odd.",
    ]


def test_warnings_come_with_the_line_and_do_not_stop(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (project / "protos/user.proto").write_text('syntax = "proto3";\nimport "good.proto";\n')
    assert main(["generate", "protos", "--out=out", "--quiet"]) == 0
    assert capfd.readouterr().err == (
        "protos/user.proto:2:1: warning: Import good.proto is unused.\n"
        '    import "good.proto";\n'
        "    ^\n"
    )
