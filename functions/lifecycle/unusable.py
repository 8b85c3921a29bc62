"""What can't be read of an object that others write."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Unusable:
    """A field of an object, or of an annotation of ours, that can't be read: which, what stands there, what may."""

    field: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.field} is {self.found}; expected {self.expected}"
