"""The local servers, started once."""

from collections.abc import Iterator

import pytest

from tests.e2e.local_model import serving


@pytest.fixture(scope="session")
def smollm2() -> Iterator[str]:
    """The base_url of SmolLM2."""
    with serving("smollm2") as address:
        yield address


@pytest.fixture(scope="session")
def gemma3_base() -> Iterator[str]:
    """The base_url of a model that only goes on with a text."""
    with serving("gemma3-base") as address:
        yield address
