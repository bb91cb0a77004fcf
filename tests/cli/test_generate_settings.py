"""`[tool.clarion.generate]`: each setting, who wins, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from clarion.cli import main
from clarion.cli._settings import Settings, SettingsError, nearest_settings, read_settings

TABLE = "[tool.clarion.generate]\n"
ALL = """\
paths = ["protos", "more/x.proto"]
include = ["vendor"]
exclude = ["protos/old"]
out = "src/app/protos"
packages = {"google/api/" = "google.api", "" = "vendor.protos"}
messages = true
types = false
services = false
relative = false
py-typed = true
"""


def _write(folder: Path, text: str) -> Path:
    file = folder / "pyproject.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_every_setting(tmp_path: Path) -> None:
    assert read_settings(_write(tmp_path, TABLE + ALL)) == Settings(
        paths=(tmp_path / "protos", tmp_path / "more/x.proto"),
        include=(tmp_path / "vendor",),
        exclude=(tmp_path / "protos/old",),
        out=tmp_path / "src/app/protos",
        packages={"google/api": "google.api", "": "vendor.protos"},
        messages=True,
        types=False,
        services=False,
        relative=False,
        py_typed=True,
        base=tmp_path,
    )


@pytest.mark.parametrize("text", ["", "[project]\n", "[tool.clarion]\nx = 1\n", "tool = 1\n"])
def test_a_file_without_settings(text: str, tmp_path: Path) -> None:
    assert read_settings(_write(tmp_path, text)) is None


def test_the_nearest_file_counts(tmp_path: Path) -> None:
    _write(tmp_path, f'{TABLE}out = "far"\n')
    (tmp_path / "a/b").mkdir(parents=True)
    assert nearest_settings(tmp_path / "a/b").out == tmp_path / "far"
    _write(tmp_path / "a", "[project]\n")
    assert nearest_settings(tmp_path / "a/b") == Settings(base=tmp_path / "a/b")
    _write(tmp_path / "a", f'{TABLE}out = "../near"\n')
    assert nearest_settings(tmp_path / "a/b").out == tmp_path / "near"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('pahts = ["x"]', 'has an unknown setting "pahts"; did you mean "paths"?'),
        ("zork = 1", 'has an unknown setting "zork"; there are: paths, include, exclude, out, '),
        ('paths = "x"', '"paths" must be a list of strings'),
        ("include = [1]", '"include" must be a list of strings'),
        ("out = 1", '"out" must be a string'),
        ('packages = ["x"]', '"packages" must be a table from folders to packages'),
        ('packages = {"x" = 1}', '"packages" must be a table from folders to packages'),
        ('types = "yes"', '"types" must be true or false'),
        ("py-typed = 1", '"py-typed" must be true or false'),
    ],
)
def test_bad_settings_are_named_with_their_file(line: str, said: str, tmp_path: Path) -> None:
    file = _write(tmp_path, f"{TABLE}{line}\n")
    with pytest.raises(SettingsError) as caught:
        read_settings(file)
    assert str(caught.value).startswith(f"{file}: [tool.clarion.generate]")
    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["[tool.clarion\n", "[tool.clarion]\ngenerate = 1\n"])
def test_files_that_cannot_be_understood(text: str, tmp_path: Path) -> None:
    file = _write(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        read_settings(file)
    assert str(caught.value).startswith(f"{file}: ")


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes(b"\xff")
    with pytest.raises(SettingsError, match=r"pyproject\.toml: "):
        read_settings(tmp_path / "pyproject.toml")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protoc: Path) -> Path:
    """A project with settings; its folder `deep` is the current one."""
    (tmp_path / "protos").mkdir()
    (tmp_path / "deep").mkdir()
    (tmp_path / "protos/one.proto").write_text('syntax = "proto3"; message One {}')
    _write(tmp_path, f'{TABLE}paths = ["protos"]\nout = "made"\ntypes = false\n')
    monkeypatch.chdir(tmp_path / "deep")
    return tmp_path


def _made(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_settings_are_enough(project: Path) -> None:
    assert main(["generate", "--quiet"]) == 0
    assert _made(project / "made") == ["__init__.py", "one_pb2.py"]


def test_the_command_line_wins(project: Path) -> None:
    assert main(["generate", "--quiet", "--types", "--py-typed", "--out=here"]) == 0
    assert _made(project / "deep/here") == ["__init__.py", "one_pb2.py", "one_pb2.pyi", "py.typed"]
    (project / "deep/two.proto").write_text('syntax = "proto3"; message Two {}')
    assert main(["generate", "--quiet", "two.proto"]) == 0
    assert _made(project / "made") == ["__init__.py", "two_pb2.py"]


def test_bad_settings_are_one_line(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = _write(project, f"{TABLE}zork = 1\n")
    assert main(["generate", "../protos"]) == 1
    err = capfd.readouterr().err
    assert err.startswith(f"clarion generate: {file}: [tool.clarion.generate] has an unknown")
    assert err.count("\n") == 1
