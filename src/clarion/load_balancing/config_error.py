"""What is wrong with a service config, and where."""

from __future__ import annotations

__all__ = ["ConfigError"]


class ConfigError(ValueError):
    """A service config, or a policy's part of one, is not acceptable.

    Args:
        path: where, such as `retryPolicy.maxAttempts`; "" is the whole.
        problem: what is wrong there.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}" if path else problem)
        self.path = path
        self.problem = problem

    def below(self, path: str) -> ConfigError:
        """The same as seen from further up: `path` leads to where this one's path begins."""
        if not self.path:
            return ConfigError(path, self.problem)
        separator = "" if self.path.startswith("[") else "."
        return ConfigError(f"{path}{separator}{self.path}", self.problem)
