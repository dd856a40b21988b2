"""What both protocols ask of a body: decoded with its types, or refused by the field that is off, never by its text."""

from __future__ import annotations

import hashlib
import re
from binascii import Error as NotBase64
from binascii import a2b_base64
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, TypeVar

import msgspec

from ...application.run_options import LABEL_LIMIT, checked_options
from ...domain.errors import InvalidRequest
from ...domain.request import ImagePart, TextPart

T = TypeVar("T")
Expected = Sequence[tuple[re.Pattern[str], str]]  # a field's path, and the words that may stand there

MOST_NESTED = 64  # levels of a schema or a tool's input
BESIDE = frozenset(  # options of a run that the protocols have fields for
    {"messages", "system", "max_tokens", "temperature", "top_p", "stop", "seed", "response_format", "tools"}
)
_LISTS = ("chain", "models")  # options that name models
_PLACE = re.compile(r" - at `(?:key in )?\$(.*)`$", re.DOTALL)
_FIELD = re.compile(r"`([\w.-]{1,64})`")
_DATA_URL = re.compile(r"data:(image/[\w.+-]{1,40});base64,", re.IGNORECASE)


def refuse(path: str, what: str) -> NoReturn:
    """Raises InvalidRequest that names the field."""
    raise InvalidRequest(f"{path}: {what}")


def decoded(decoder: msgspec.json.Decoder[T], body: bytes, expected: Expected) -> T:
    """The body as its types say. Raises InvalidRequest."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        said = str(error)
    except RecursionError:
        raise InvalidRequest("the body is nested too deeply") from None
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"the body is not valid UTF-8 (at byte {error.start})") from None
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"the body is not valid JSON: {error}") from None
    raise InvalidRequest(_worded(said, expected))


def _worded(said: str, expected: Expected) -> str:
    """The decoder's complaint as the vendors put one: the path, then what was expected; no value is repeated."""
    place = _PLACE.search(said)
    path = place[1].lstrip(".") if place else ""
    what = said[: place.start()] if place else said
    field = _FIELD.search(what)
    inside = f"{path}." if path else ""
    if what.startswith("Object missing required field") and field:
        return f"{inside}{field[1]}: this field is required"
    if what.startswith("Object contains unknown field"):
        named = f"{inside}{field[1]}" if field else f"{path or 'the body'}: a field"
        return f"{named}: it is unknown here or cannot be honoured, and could change the answer: leave it out"
    if what.startswith(("Invalid value", "Invalid enum value")):
        words = next((words for pattern, words in expected if pattern.fullmatch(path)), "another word")
        return f"{path}: expected {words}"
    return f"{path or 'the body'}: {what[0].lower()}{what[1:].replace('`', '')}"


def check_depth(path: str, value: Any) -> None:
    """A JSON value that every reader of it can walk. Raises InvalidRequest."""
    level = [value]
    for _ in range(MOST_NESTED):
        level = [
            child
            for parent in level
            if isinstance(parent, dict | list)
            for child in (parent.values() if isinstance(parent, dict) else parent)
        ]
        if not level:
            return
    refuse(path, f"it is nested more than {MOST_NESTED} levels deep")


def texts(path: str, given: Sequence[str]) -> list[TextPart]:
    """The texts that are not empty; one must be. Raises InvalidRequest."""
    parts = [TextPart(text=text) for text in given if text]
    if not any(part.text.strip() for part in parts):
        refuse(path, "it is empty")
    return parts


def image_of_url(path: str, url: str) -> ImagePart:
    """An image at an address, or in a `data:` URL. Raises InvalidRequest."""
    if url.startswith(("https://", "http://")):
        return ImagePart(url=url)
    data = _DATA_URL.match(url)
    if data is None:
        refuse(path, "expected an https: address, or data:image/TYPE;base64,DATA")
    return image_of_data(path, data[1].lower(), url[data.end() :])


def image_of_data(path: str, media_type: str, data: str) -> ImagePart:
    """An image in base64. Raises InvalidRequest."""
    try:
        is_image = media_type.startswith("image/") and len(a2b_base64(data.encode(), strict_mode=True)) > 0
    except (NotBase64, ValueError):
        is_image = False
    if not is_image:
        refuse(path, "expected base64 data of an image, and its type such as image/png")
    return ImagePart(data=data, media_type=media_type)


def label(path: str, value: Any) -> str:
    """A text by which runs are reported. Raises InvalidRequest."""
    if not isinstance(value, str) or not 1 <= len(value) <= LABEL_LIMIT or not value.isprintable():
        refuse(path, f"it is kept as a label here: expected 1 to {LABEL_LIMIT} printable characters")
    return value


def pseudonym(user: str | None) -> str | None:
    """The subject that a client's word for its user stands for: the word itself, or its hash where it is no label."""
    if not user or (len(user) <= LABEL_LIMIT and user.isprintable()):
        return user or None
    return "sha256-" + hashlib.sha256(user.encode(errors="surrogatepass")).hexdigest()[:32]


def labels(path: str, given: Mapping[str, Any]) -> dict[str, str]:
    """Tags, by name. Raises InvalidRequest."""
    return {label(f"a name in {path}", name): label(f"{path}.{name}", value) for name, value in given.items()}


def run_options(given: dict[str, Any] | None, *, subject: str | None, tags: Mapping[str, str]) -> dict[str, Any]:
    """The body's `orchestration` object, which goes before what the protocol itself says of subject and tags.

    Raises InvalidRequest.
    """
    known = {"subject": subject, "tags": tags}
    said = {name: value for name, value in known.items() if value}
    if not given:
        return said
    for name, value in given.items():
        if name in BESIDE:
            refuse(f"orchestration.{name[:LABEL_LIMIT]}", "say it as a field of the body itself")
        if name in ("subject", "category") and value is not None:
            label(f"orchestration.{name}", value)
        if name in _LISTS and value is not None:
            _check_names(f"orchestration.{name}", value)
    if len(max(given, key=len)) > LABEL_LIMIT:
        refuse("orchestration", "an option is unknown")
    try:
        options: dict[str, Any] = dict(checked_options(given))
    except InvalidRequest as error:
        raise InvalidRequest(f"orchestration: {error}") from None
    if str(options.get("policy", "")).endswith(".toml"):
        refuse("orchestration.policy", "expected the name of a policy; a file is named in the service's settings")
    if tagged := options.get("tags"):
        options["tags"] = {**tags, **labels("orchestration.tags", tagged)}
    return {**said, **options}


def _check_names(path: str, value: Any) -> None:
    names = value if isinstance(value, list) else [value]
    if not all(isinstance(name, str) and len(name) <= 1_000 for name in names) or len(names) > 100:
        refuse(path, "expected names of models")
