"""PostgreSQL's binary form of one-dimensional arrays, and the text form of numbers' arrays."""

from __future__ import annotations

import struct
from collections.abc import Sequence

BYTEA, INT8, INT4, TEXT = 17, 20, 23, 25  # object ids of the element types
BYTEA_ARRAY, INT4_ARRAY, TEXT_ARRAY, INT8_ARRAY, NUMERIC_ARRAY = 1001, 1007, 1009, 1016, 1231
_NULL = b"\xff\xff\xff\xff"


def texts(values: Sequence[str | None]) -> bytes:
    """text[]. Raises UnicodeEncodeError for a lone surrogate."""
    return _array(TEXT, [None if value is None else value.encode() for value in values])


def byteas(values: Sequence[bytes | None]) -> bytes:
    """bytea[]."""
    return _array(BYTEA, values)


def int4s(values: Sequence[int]) -> bytes:
    """integer[]."""
    return _array(INT4, [value.to_bytes(4, "big", signed=True) for value in values])


def int8s(values: Sequence[int | None]) -> bytes:
    """bigint[]."""
    return _array(INT8, [None if value is None else value.to_bytes(8, "big", signed=True) for value in values])


def numerics(values: Sequence[int | None]) -> bytes:
    """numeric[], in text form."""
    return ("{" + ",".join("NULL" if value is None else str(value) for value in values) + "}").encode()


def integers(text: bytes | None) -> list[int]:
    """The elements of an array of whole numbers in text form; none for NULL."""
    return [int(part) for part in text[1:-1].split(b",") if part] if text else []


def _array(element: int, values: Sequence[bytes | None]) -> bytes:
    if not values:
        return struct.pack(">iii", 0, 0, element)
    parts = [struct.pack(">iiiii", 1, 1, element, len(values), 1)]
    for value in values:
        if value is None:
            parts.append(_NULL)
        else:
            parts += (len(value).to_bytes(4, "big"), value)
    return b"".join(parts)
