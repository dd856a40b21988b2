"""The whole log verified at the speed of all processors: stretches of positions, each in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from .chain import GENESIS
from .raw_log import Ends, raw_log
from .verify import Found, RangeCheck, joined, said

STRETCH = 50_000  # events; a process that is started for fewer costs more than it saves


@dataclass(frozen=True, slots=True)
class Verified:
    """What a verification came to."""

    events: int
    problems: tuple[str, ...]  # "position N: what differs", in order


def verify_database(database_url: str, *, upto: int | None = None, processes: int | None = None) -> Verified:
    """Hashes, chain, versions and positions of the log, or of its part up to a position.

    Raises StoreError where the database cannot be read.
    """
    with raw_log(database_url) as log:
        ends = log.ends()
    last = max(ends.head, ends.last) if upto is None else upto
    stretches = [(database_url, after, min(after + STRETCH, last)) for after in range(0, max(last, 1), STRETCH)]
    found = list(_checked(stretches, processes or os.cpu_count() or 1))
    problems = said(joined(found))
    if upto is None:
        problems += said(_of_the_ends(ends))
    return Verified(sum(one.events for one in found), tuple(problems))


def check_stretch(stretch: tuple[str, int, int]) -> Found:
    """Check the events of an address above a position, up to another; in any process."""
    database_url, after, upto = stretch
    with raw_log(database_url) as log:
        chain, recorded_at = (GENESIS, 0) if after == 0 else log.link(after) or (None, 0)
        check = RangeCheck(after, chain, recorded_at)
        while page := log.page(check.position, upto):
            check.read(page)
    check.expect(upto)
    return check.found


def _checked(stretches: list[tuple[str, int, int]], processes: int) -> Iterator[Found]:
    if len(stretches) == 1 or processes == 1:
        yield from map(check_stretch, stretches)
        return
    context = multiprocessing.get_context("spawn")  # a fork would share connections
    with ProcessPoolExecutor(min(processes, len(stretches)), mp_context=context) as pool:
        yield from pool.map(check_stretch, stretches)


def _of_the_ends(ends: Ends) -> Iterator[tuple[int, str]]:
    if ends.first < 0 or (ends.first == 0 and ends.last > 0):
        yield ends.first, "events stand before the log's first position"
    if ends.last > ends.head:
        yield ends.head + 1, f"an event after the log's head, which is {ends.head}"
    if ends.last_chain is not None and ends.last_chain != ends.head_chain:
        yield ends.head, "the log's head has another chain_hash than its last event"
