"""Tables of settings: dataclasses whose fields say how their value is read, what is expected and what it is for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any

from ..domain.errors import ConfigurationError
from .setting_values import Detail, Parse


@dataclass(frozen=True, slots=True)
class Key:
    """How a setting is read. The value of a `private` one is never repeated in an error."""

    parse: Parse
    expected: str
    about: str = ""
    private: bool = False


def key(parse: Parse, expected: str, about: str = "", *, private: bool = False) -> dict[str, Key]:
    """The metadata of a dataclass field that is a setting."""
    return {"key": Key(parse, expected, about, private)}


def keys_of(kind: type) -> dict[str, Key]:
    """The settings of a table, by name."""
    return {one.name: one.metadata["key"] for one in fields(kind) if "key" in one.metadata}


def read(one: Key, value: object, *, name: str, source: str) -> Any:
    """The value as the setting holds it. Raises ConfigurationError with the name, its source and what was expected."""
    try:
        return one.parse(value)
    except (ValueError, OverflowError) as error:
        reason = f" ({error})" if isinstance(error, Detail) else ""
        got = "" if one.private or isinstance(value, dict | list) else f", got {_shown(value)}"
        raise ConfigurationError(f"{name} in {source}: expected {one.expected}{reason}{got}") from None


def read_table(kind: type, table: object, *, prefix: str, source: str) -> dict[str, Any]:
    """The settings of one table, read. Raises ConfigurationError for an unknown key, naming the nearest."""
    if not isinstance(table, Mapping):
        raise ConfigurationError(f"{prefix} in {source}: expected a table, [{prefix}]")
    known = keys_of(kind)
    values = {}
    for name, value in table.items():
        if name not in known:
            raise unknown(f"{prefix}.{name}", name, known, source)
        values[name] = read(known[name], value, name=f"{prefix}.{name}", source=source)
    return values


def unknown(full_name: str, name: str, known: Mapping[str, object], source: str) -> ConfigurationError:
    """The error for a key that does not exist."""
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"known are: {', '.join(known)}"
    if "key" in name and "api_key_env" in known:
        hint = "keys are read from environment variables only: api_key_env names the variable"
    return ConfigurationError(f"{full_name} in {source}: there is no such setting; {hint}")


def _shown(value: object) -> str:
    """The value as a person typed it, cut."""
    shown = repr(value) if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."
