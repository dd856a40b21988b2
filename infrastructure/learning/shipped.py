"""Writes the weights that come with the package: `make weights DATA=DIR`. The same data gives the same bytes.

Prints the held-out figures of the confidence weights as JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from ..dataset_files import read_examples
from ..learned_weights import CONFIDENCE, ROUTING, fingerprints, weights_file
from ..weights_store import SHIPPED
from .routing import train_routing
from .shipped_confidence import write_confidence
from .shipped_sources import file_in, source_of
from .tables import table_of

DATASETS = ("routellm_mmlu", "routellm_gsm8k", "zeroeval", "mmlu_pro", "llmrouter")


def write_routing(data: Path, target: Path) -> None:
    """The routing weights, from a folder with a file for each data set."""
    tables = [table_of(name, read_examples(file_in(data, name))) for name in DATASETS]
    prompts = [prompt for table in tables for prompt in table.prompts]
    trained = {
        "prompts": {table.name: len(table.prompts) for table in tables},
        "fingerprints": fingerprints(prompts),
    }
    sources = [source_of(name) for name in DATASETS]
    target.write_text(weights_file(ROUTING, train_routing(tables), sources=sources, trained=trained), encoding="utf-8")


def main() -> None:
    """Both files, in the folder of those shipped unless told otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the folder of the data sets")
    parser.add_argument("--into", type=Path, default=SHIPPED, help="the folder for the weights")
    given = parser.parse_args()
    routing, confidence = (given.into / f"{kind}.json" for kind in (ROUTING, CONFIDENCE))
    write_routing(given.data, routing)
    print(routing, file=sys.stderr)
    report = write_confidence(given.data, confidence)
    print(confidence, file=sys.stderr)
    print(json.dumps(report.to_dict(), indent=1))


if __name__ == "__main__":
    main()
