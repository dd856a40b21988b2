"""The catalogues that runs used, as the database keeps them under their hashes."""

from __future__ import annotations

from ..application.ports import EventStore
from ..domain.catalogue import Catalogue
from ..domain.events import Money
from .catalogue_json import catalogue_from_json
from .catalogues import load_catalogue
from .event_codec import decode
from .settings import Settings

_PROVIDERS = {Money.REAL: "live", Money.SIMULATED: "simulated", Money.RECORDED: "recorded"}


async def stored_catalogues(store: EventStore) -> dict[str, Catalogue]:
    """All of them, by hash."""
    events = await store.read_stream("catalogue")
    hashes = [decode(one.type, one.schema_version, one.payload).catalogue for one in events]
    stored = await store.contents(["catalogue-" + digest for digest in hashes])
    return {
        digest: catalogue_from_json(stored["catalogue-" + digest].body)
        for digest in hashes
        if "catalogue-" + digest in stored
    }


def catalogue_in_force(settings: Settings, money: Money) -> Catalogue:
    """The one that runs of this kind of money would use now."""
    return load_catalogue(settings, _PROVIDERS[money])
