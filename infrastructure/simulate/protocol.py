"""What the server needs of a wire protocol; each has its module."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from ...domain.pricing import Usage
from ..providers.simulated_text import Asked, Written
from .faults import Fault


class BadBody(ValueError):
    """The request is not what the protocol says; the text is the provider's kind of message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What to send for one request."""

    id: str
    asked: Asked
    body: dict[str, Any]  # as it came in
    written: Written
    usage: Usage | None  # None: say nothing of it
    refusal: bool


class Protocol(ABC):
    """One vendor's shapes."""

    @abstractmethod
    def asked(self, body: dict[str, Any]) -> Asked:
        """The request in the simulator's words. Raises BadBody."""

    @abstractmethod
    def whole(self, reply: Reply) -> dict[str, Any]:
        """The reply in one piece."""

    @abstractmethod
    def events(self, reply: Reply) -> list[str]:
        """The reply as server-sent events, each with its empty line."""

    @abstractmethod
    def error(self, status: int, kind: str, message: str) -> dict[str, Any]:
        """The vendor's error body."""

    @abstractmethod
    def error_event(self) -> str:
        """An error inside a stream."""

    @abstractmethod
    def failure(self, fault: Fault) -> tuple[int, str, str]:
        """Status, kind and message of a fault that is an error reply."""


REFUSAL_TEXT = "I can't help with that."


def need(body: dict[str, Any], name: str, kind: type, *, optional: bool = False) -> Any:
    """A field of the body. Raises BadBody."""
    value = body.get(name)
    if value is None and optional:
        return None
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise BadBody(f"{name}: expected {kind.__name__}" if name in body else f"{name}: field required")
    return value


def strings(value: Any, name: str) -> tuple[str, ...]:
    """A list of strings; empty where there is none. Raises BadBody."""
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise BadBody(f"{name}: expected strings")
    return tuple(value)


def limit(value: int | None, name: str) -> int | None:
    """A limit of output tokens, if there is one. Raises BadBody below 1."""
    if value is not None and value < 1:
        raise BadBody(f"{name}: must be at least 1")
    return value


def only(body: dict[str, Any], known: frozenset[str]) -> None:
    """No field that the protocol does not have. Raises BadBody."""
    for name in body:
        if name not in known:
            raise BadBody(f"{name}: unknown parameter")


def texts(content: Any) -> tuple[list[str], int]:
    """The texts of a message's content and the number of its images. Raises BadBody."""
    if isinstance(content, str):
        return [content], 0
    if not isinstance(content, list):
        raise BadBody("content: expected a string or a list of parts")
    found: list[str] = []
    images = 0
    for part in content:
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            raise BadBody("content: a part has no type")
        match part["type"]:
            case "text":
                found.append(need(part, "text", str))
            case "image" | "image_url":
                images += 1
            case "tool_result":
                found += texts(part.get("content", ""))[0]
            case "tool_use":
                found.append(str(part.get("input")))
            case other:
                raise BadBody(f"content: unknown part {other!r}")
    return found, images
