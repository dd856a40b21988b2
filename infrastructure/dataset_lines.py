"""The prompts of an imported data set as the lines of a batch."""

from __future__ import annotations

from collections.abc import Iterator

from ..application.batch_lines import BatchLine
from ..domain.dataset import evaluated
from .datasets import open_dataset


def dataset_lines(name: str, database_url: str, *, with_expected: bool) -> Iterator[BatchLine]:
    """A line a prompt, with its id; contaminated rows are left out.

    `with_expected` adds the reference answer, for answers of others: the set's own it grades itself.
    Raises InvalidRequest where there is no such set.
    """
    for number, example in enumerate(evaluated(open_dataset(name, database_url)), 1):
        if example.prompt is None:
            continue
        options = {"id": example.id, "prompt": example.prompt}
        if with_expected and example.reference is not None:
            options["expect"] = example.reference
        yield BatchLine(number, options)
