"""Classes of which many instances live at once: their attributes are known before the first instance is.

CPython keeps the attributes of an instance within it, by names that all instances of its class share. The first thirty
or so instances settle these names. Where those are all new together, as under a burst of first calls, a name that comes
later in an instance's life is never among them, and each instance for ever after has a dictionary of its own: a call
then takes a twentieth more time.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = ["SettledAttributes"]


class SettledAttributes:
    """A base of such classes."""

    # What ordinary instances get after they were made; of each class, and beside what its bases name.
    _set_later: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        model = cls.__new__(cls)
        for base in reversed(cls.__mro__):
            for name in base.__dict__.get("_set_later", ()):
                # A property stands for an attribute of another name, and would have a whole instance.
                if not hasattr(getattr(cls, name, None), "__set__"):
                    object.__setattr__(model, name, None)
