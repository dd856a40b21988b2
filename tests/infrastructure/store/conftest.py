"""A way to PostgreSQL that can lose an answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.postgres import PostgresServer

from .cut_proxy import CutProxy


@pytest.fixture
def proxy(tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer) -> Iterator[CutProxy]:
    with CutProxy(tmp_path_factory.mktemp("p"), postgres.socket_dir) as proxy:
        yield proxy


@pytest.fixture
def proxied_url(proxy: CutProxy, postgres_url: str) -> str:
    return f"{postgres_url.partition('?')[0]}?host={proxy.folder}"
