"""A build hook for hatchling: `[tool.hatch.build.hooks.clarion]` generates before a wheel or an sdist is built.

Rule: what is generated, and where to, is said once, in `[tool.clarion.generate]`. So `clarion generate` in a checkout
and a build give the same files. They are part of the build even if version control ignores them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.plugin import hookimpl

__all__ = ["ClarionBuildHook", "hatch_register_build_hook"]

_MADE = ("**/*_pb2.py", "**/*_pb2.pyi", "**/*_pb2_grpc.py", "**/*_pb2_grpc.pyi")


class ClarionBuildHook(BuildHookInterface):  # type: ignore[misc]
    """Runs the generator; hatchling finds it by its name."""

    PLUGIN_NAME = "clarion"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Generate, and name the generated files as part of the build.

        Args:
            version: the kind of build, which makes no difference here.
            build_data: what hatchling lets hooks change.
        """
        from clarion.cli._settings import SettingsError, read_settings
        from clarion.cli.generate import generate_in

        root = Path(self.root)
        try:
            settings = read_settings(root / "pyproject.toml")
        except (OSError, SettingsError) as error:
            self.app.abort(f"clarion generate: {error}")
            return
        if settings is None:
            self.app.abort("clarion generate: pyproject.toml has no [tool.clarion.generate]")
            return
        out = settings.out
        if out is not None and not out.is_relative_to(root):
            self.app.abort(f"clarion generate: out is {out}, which is outside of the project")
        elif generate_in(root, settings):
            self.app.abort("clarion generate failed, see above")
        elif out is not None:
            names = [*_MADE, "**/__init__.py", "py.typed"]
            files = [(out / name).relative_to(root).as_posix() for name in names]
            build_data["artifacts"] += [f"/{file}" for file in files]


@hookimpl  # type: ignore[untyped-decorator]
def hatch_register_build_hook() -> type[ClarionBuildHook]:
    """Tell hatchling of the hook."""
    return ClarionBuildHook
