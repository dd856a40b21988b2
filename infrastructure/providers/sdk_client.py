"""What both SDK adapters share: one SDK client, imported at the first call (0.5 s and 1.5 s).

They are the reference for the lean clients: what the vendors' own code sends, and how it reads.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from typing import Any

from ...application.ports import ModelCall
from .reply import Reply, plain
from .vendor_client import NO_KEY, VendorClient, is_streamed


def _silence() -> None:
    """Below WARNING the SDKs and their HTTP client log headers and bodies: keys, prompts and answers."""
    for name in ("anthropic", "openai", "httpx2", "httpcore2"):
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.getEffectiveLevel(), logging.WARNING))


class SdkClient(VendorClient):
    """Asks through one vendor's SDK."""

    def __init__(self, api_key: str | None, base_url: str | None) -> None:
        super().__init__(api_key, base_url)
        self._sdk: Any = None

    async def aclose(self) -> None:
        """Close its connections."""
        if self._sdk is not None:
            await self._sdk.close()

    def _open(self) -> None:
        if self._sdk is None:
            self._sdk = self._connect(self._key or NO_KEY)
            _silence()

    async def _ask(self, body: dict[str, Any], reply: Reply, call: ModelCall) -> None:
        create, limits = self._create(self._sdk), self._timeouts(call.timeout)
        arguments = self._arguments(body)
        if not is_streamed(reply, call):
            reply.whole(plain(await create(**arguments, timeout=limits)))
            return
        async with await create(**arguments, **self._streamed(), timeout=limits) as events:
            async for event in events:
                reply.add(plain(event))

    def _arguments(self, body: dict[str, Any]) -> dict[str, Any]:
        """The body as arguments of the SDK's function."""
        return body

    @abstractmethod
    def _connect(self, key: str) -> Any:
        """Import the SDK and make its client: no retries, watched."""

    @abstractmethod
    def _create(self, sdk: Any) -> Any:
        """The SDK's function that sends a body."""

    @abstractmethod
    def _timeouts(self, timeout: float | None) -> Any:
        """The SDK's limits for one call; the whole call is bounded beside them."""
