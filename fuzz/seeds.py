"""The inputs that fuzzing starts from: files in `fuzz/corpus`, one folder a target. `make_corpus.py` writes them."""

from __future__ import annotations

from pathlib import Path

__all__ = ["CORPUS", "seeds"]

CORPUS = Path(__file__).resolve().parent / "corpus"


def seeds(target: str) -> dict[str, bytes]:
    """The inputs of a target by their names, in the order of these."""
    return {file.name: file.read_bytes() for file in sorted((CORPUS / target).iterdir())}
