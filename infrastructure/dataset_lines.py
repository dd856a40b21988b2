"""The prompts of an imported data set as the lines of a batch."""

from __future__ import annotations

from collections.abc import Iterator

from ..application.batch_lines import BatchLine
from ..application.run_options import KINDS
from ..domain.dataset import evaluated
from .datasets import open_dataset


def dataset_lines(name: str, database_url: str) -> Iterator[BatchLine]:
    """A line a prompt, with its id and the reference answer as its label; contaminated rows are left out.

    Raises InvalidRequest where there is no such set.
    """
    for number, example in enumerate(evaluated(open_dataset(name, database_url)), 1):
        if example.prompt is None:
            continue
        options = {"id": example.id, "prompt": example.prompt}
        if example.reference is not None and "expect" in KINDS:
            options["expect"] = example.reference
        yield BatchLine(number, options)
