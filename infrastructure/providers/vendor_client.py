"""What every adapter of a vendor's protocol shares: one deadline a call, no retry, one error map.

Keys and addresses come from the constructor alone: with an address of its own and no key, nothing from the environment
is sent there.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from typing import Any

from ...application.ports import Answer, DeltaSink, ModelCall
from ...domain.errors import ErrorKind, ModelRefused, OutcomeUnknown
from . import wire
from .carry import check
from .error_map import model_error
from .reply import Reply

NO_KEY = "none"  # for a server of one's own that asks for no key: the SDKs insist on one


class VendorClient(ABC):
    """A ModelClient of one vendor's protocol, for one key and one address; None is the vendor's own address."""

    VENDOR: str  # its own address

    def __init__(self, api_key: str | None, base_url: str | None) -> None:
        self._key = api_key or None
        self._base_url = (base_url or self.VENDOR).rstrip("/")

    @property
    def at_vendor(self) -> bool:
        """Whether it asks at the vendor's own address."""
        return self._base_url == self.VENDOR

    async def complete(self, call: ModelCall, sink: DeltaSink | None = None) -> Answer:
        """Ask once, streamed where there is a sink. Raises InvalidRequest before any contact, then ModelError."""
        check(call)
        body = self._body(call)
        if self._key is None and self.at_vendor:
            raise ModelRefused(ErrorKind.AUTH, detail="no key is set for the vendor's own address")
        self._open()
        reply = self._reply(sink)
        way = wire.Wire()
        token = wire.current.set(way)
        try:
            async with asyncio.timeout(call.timeout):
                await self._ask(body, reply, call)
        except Exception as error:
            if not reply.ended:  # else only what follows the answer is missing
                raise model_error(error, sent=way.sent, now=time.time(), secret=self._key) from None
        finally:
            wire.current.reset(token)
        return self._whole(reply, way)

    def _whole(self, reply: Reply, way: wire.Wire) -> Answer:
        """The answer, if it has its terminal event: a stream that just ends is no error by itself."""
        if not reply.ended:
            raise OutcomeUnknown(
                ErrorKind.CUT, detail="the stream ended without its last event", provider_request_id=reply.id
            )
        try:
            return reply.answer(way)
        except ValueError as error:
            raise model_error(error, sent=True, now=time.time(), secret=self._key) from None

    @abstractmethod
    async def aclose(self) -> None:
        """Close its connections."""

    @abstractmethod
    def _body(self, call: ModelCall) -> dict[str, Any]:
        """The call as this protocol says it. Raises InvalidRequest for what it cannot carry."""

    @abstractmethod
    def _reply(self, sink: DeltaSink | None) -> Reply:
        """An empty reply of this protocol."""

    @abstractmethod
    def _streamed(self) -> dict[str, Any]:
        """What asks for a stream."""

    @abstractmethod
    def _open(self) -> None:
        """Import and make what the first call needs; it is no part of the call's time."""

    @abstractmethod
    async def _ask(self, body: dict[str, Any], reply: Reply, call: ModelCall) -> None:
        """Send the body and read the reply to its end; a model that cannot stream delivers in one piece."""


def is_streamed(reply: Reply, call: ModelCall) -> bool:
    """Whether the call asks for a stream."""
    return reply.sink is not None and call.model.supports_streaming
