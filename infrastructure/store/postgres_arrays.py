"""PostgreSQL's binary form of one-dimensional arrays, and the text form of numbers' arrays."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain, repeat

BYTEA, INT8, INT4, TEXT = 17, 20, 23, 25  # object ids of the element types
BYTEA_ARRAY, INT4_ARRAY, TEXT_ARRAY, INT8_ARRAY, NUMERIC_ARRAY = 1001, 1007, 1009, 1016, 1231
_NULL = b"\xff\xff\xff\xff"
_INT4, _INT8 = struct.Struct(">i").pack, struct.Struct(">q").pack


def texts(values: Sequence[str | None]) -> bytes:
    """text[]. Raises UnicodeEncodeError for a lone surrogate."""
    return _array(TEXT, [None if value is None else value.encode() for value in values])


def byteas(values: Sequence[bytes | None]) -> bytes:
    """bytea[]."""
    return _array(BYTEA, values)


def int4s(values: Sequence[int]) -> bytes:
    """integer[]. Raises struct.error for a number that is too big."""
    count = len(values)
    return _head(INT4, count) + struct.pack(f">{'ii' * count}", *chain.from_iterable(zip(repeat(4), values)))


def int8s(values: Sequence[int | None]) -> bytes:
    """bigint[]. Raises struct.error for a number that is too big."""
    return _array(INT8, [None if value is None else _INT8(value) for value in values])


def numerics(values: Sequence[int | None]) -> bytes:
    """numeric[], in text form."""
    return ("{" + ",".join("NULL" if value is None else str(value) for value in values) + "}").encode()


def integers(text: bytes | None) -> list[int]:
    """The elements of an array of whole numbers in text form; none for NULL."""
    return [int(part) for part in text[1:-1].split(b",") if part] if text else []


def _array(element: int, values: Sequence[bytes | None]) -> bytes:
    parts = [_head(element, len(values))]
    for value in values:
        if value is None:
            parts.append(_NULL)
        else:
            parts += (_INT4(len(value)), value)
    return b"".join(parts)


@lru_cache(maxsize=4096)
def _head(element: int, count: int) -> bytes:
    """Dimensions, whether there may be a NULL, the element type; for each dimension its length and first index."""
    return struct.pack(">iiiii", 1, 1, element, count, 1) if count else struct.pack(">iii", 0, 0, element)
