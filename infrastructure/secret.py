"""A value that must not be seen: it prints as stars wherever it is printed."""

from __future__ import annotations


class Secret:
    """A text such as an API key. `reveal()` is the only way to its value."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """The value itself, for the wire."""
        return self.__value

    def __repr__(self) -> str:
        return "Secret(****)"

    def __str__(self) -> str:
        return "****"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.__value == other.__value

    def __hash__(self) -> int:
        return hash((Secret, self.__value))

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a secret is not pickled: read it again from the environment")
