"""Fixed log buckets: counts of them add up, and a quantile read from them is at most a thirty-second off."""

from __future__ import annotations

from collections.abc import Mapping

_BITS = 4  # 16 buckets from one power of two to the next


def bucket_of(value: int) -> int:
    """The bucket of a whole number from 0; up to 31 each has its own."""
    shift = value.bit_length() - _BITS - 1
    return value if shift <= 0 else (shift << _BITS) + (value >> shift)


def middle_of(bucket: int) -> int:
    """The number in the middle of a bucket."""
    shift = max(0, (bucket >> _BITS) - 1)
    low = (bucket - (shift << _BITS)) << shift
    return low + ((1 << shift) - 1) // 2


def quantile(counts: Mapping[int, int], share: float) -> int | None:
    """The least bucket's middle that `share` of the values do not pass; None where there is none."""
    total = sum(counts.values())
    rank = max(1, -int(-share * total // 1))
    seen = 0
    for bucket in sorted(counts):
        seen += counts[bucket]
        if seen >= rank:
            return middle_of(bucket)
    return None
