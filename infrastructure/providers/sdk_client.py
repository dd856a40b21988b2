"""What both SDK adapters share: one SDK client, one deadline a call, no retry, one error map.

The SDKs are imported at the first call, not with this module (0.5 s and 1.5 s). Keys and addresses come from the
constructor alone: with an address of its own and no key, nothing from the environment is sent there.
"""

from __future__ import annotations

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from typing import Any

from ...application.ports import Answer, DeltaSink, ModelCall
from ...domain.errors import ErrorKind, ModelRefused, OutcomeUnknown
from . import wire
from .carry import check
from .error_map import model_error
from .reply import Reply, plain

NO_KEY = "none"  # for a server of one's own that asks for no key: the SDKs insist on one


def _silence() -> None:
    """Below WARNING the SDKs and their HTTP client log headers and bodies: keys, prompts and answers."""
    for name in ("anthropic", "openai", "httpx2", "httpcore2"):
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.getEffectiveLevel(), logging.WARNING))


class SdkClient(ABC):
    """A ModelClient over one vendor's SDK, for one key and one address; None is the vendor's own address."""

    VENDOR: str  # its own address

    def __init__(self, api_key: str | None, base_url: str | None) -> None:
        self._key = api_key or None
        self._base_url = (base_url or self.VENDOR).rstrip("/")
        self._sdk: Any = None

    @property
    def at_vendor(self) -> bool:
        """Whether it asks at the vendor's own address."""
        return self._base_url == self.VENDOR

    async def complete(self, call: ModelCall, sink: DeltaSink | None = None) -> Answer:
        """Ask once, streamed where there is a sink. Raises InvalidRequest before any contact, then ModelError."""
        check(call)
        body = self._body(call)
        create = self._create(self._client())
        reply = self._reply(sink)
        way = wire.Wire()
        token = wire.current.set(way)
        try:
            async with asyncio.timeout(call.timeout):
                await self._ask(create, body, reply, call)
        except Exception as error:
            if not reply.ended:  # else only what follows the answer is missing
                raise model_error(error, sent=way.sent, now=time.time(), secret=self._key) from None
        finally:
            wire.current.reset(token)
        return self._whole(reply, way)

    async def aclose(self) -> None:
        """Close its connections."""
        if self._sdk is not None:
            await self._sdk.close()

    async def _ask(self, create: Any, body: dict[str, Any], reply: Reply, call: ModelCall) -> None:
        """Send the body and read the reply to its end; a model that cannot stream delivers in one piece."""
        limits = self._timeouts(call.timeout)
        if reply.sink is None or not call.model.supports_streaming:
            reply.whole(plain(await create(**body, timeout=limits)))
            return
        async with await create(**body, **self._streamed(), timeout=limits) as events:
            async for event in events:
                reply.add(plain(event))

    def _whole(self, reply: Reply, way: wire.Wire) -> Answer:
        """The answer, if it has its terminal event: an SDK says nothing about a stream that just ends."""
        if not reply.ended:
            raise OutcomeUnknown(
                ErrorKind.CUT, detail="the stream ended without its last event", provider_request_id=reply.id
            )
        try:
            return reply.answer(way)
        except ValueError as error:
            raise model_error(error, sent=True, now=time.time(), secret=self._key) from None

    def _client(self) -> Any:
        """The SDK's client, made once. Raises ModelRefused without a key for the vendor's own address."""
        if self._sdk is None:
            if self._key is None and self.at_vendor:
                raise ModelRefused(ErrorKind.AUTH, detail="no key is set for the vendor's own address")
            self._sdk = self._connect(self._key or NO_KEY)
            _silence()
        return self._sdk

    @abstractmethod
    def _connect(self, key: str) -> Any:
        """Import the SDK and make its client: no retries, watched."""

    @abstractmethod
    def _create(self, sdk: Any) -> Any:
        """The SDK's function that sends a body."""

    @abstractmethod
    def _body(self, call: ModelCall) -> dict[str, Any]:
        """The call as this protocol says it. Raises InvalidRequest for what it cannot carry."""

    def _streamed(self) -> dict[str, Any]:
        """What asks for a stream."""
        return {"stream": True}

    @abstractmethod
    def _reply(self, sink: DeltaSink | None) -> Reply:
        """An empty reply of this protocol."""

    @abstractmethod
    def _timeouts(self, timeout: float | None) -> Any:
        """The SDK's limits for one call; the whole call is bounded beside them."""
