"""The one place that states the version; the build and the package both read it."""

__version__ = "0.1.0"
