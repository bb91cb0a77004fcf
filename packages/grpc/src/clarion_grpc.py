"""Refuses `import grpc` where grpcio is installed beside Clarion, which took its name.

`clarion_grpc.pth` imports this module when Python starts, so it imports nothing and does as little as it can. The
check runs with the first `import grpc`, and then never again. `clarion.install_as_grpc()` and
`python -m clarion.as_grpc` say explicitly which one is meant; after them nothing is refused.
"""

import sys

__all__ = ["refuse_a_second_one"]


def _real():
    """The folder of grpcio's package, if any entry of `sys.path` has it."""
    from importlib.machinery import PathFinder
    from os import path

    for entry in sys.path:
        spec = PathFinder.find_spec("grpc", [entry])
        if spec is not None and spec.origin is not None:
            folder = path.dirname(spec.origin)
            native = path.join(folder, "_cython")
            if path.exists(path.join(native, "cygrpc.py")):
                # Clarion's own folder, which only `clarion.as_grpc` puts on the path: somebody chose.
                return None
            if path.isdir(native):
                return folder
    return None


def refuse_a_second_one():
    """Raise ImportError if grpcio is installed too: one name cannot mean both, and which one it meant would be luck."""
    folder = _real()
    if folder is not None:
        raise ImportError(
            f"clarion-grpc and grpcio ({folder}) are both installed, and both are 'grpc'. Keep one: "
            "'pip uninstall grpcio' for Clarion, 'pip uninstall clarion-grpc' for grpcio. To choose "
            "for one program alone, keep grpcio and run it with 'python -m clarion.as_grpc'",
            name="grpc",
        )


class _Guard:
    """A finder on `sys.meta_path` that finds nothing. It is there to be asked before any other."""

    @staticmethod
    def find_spec(fullname, path=None, target=None):
        if fullname == "grpc" and path is None:
            refuse_a_second_one()
        return


if _Guard not in sys.meta_path:
    sys.meta_path.insert(0, _Guard)
