"""Anthropic's Messages API, at Anthropic or a gateway that speaks it."""

from __future__ import annotations

from typing import Any

from ...application.ports import DeltaSink, ModelCall
from .anthropic_reply import AnthropicReply
from .anthropic_request import anthropic_body
from .reply import Reply
from .sdk_client import SdkClient
from .wire import CONNECT_TIMEOUT, READ_TIMEOUT, http_options


class AnthropicClient(SdkClient):
    """Asks through the anthropic SDK. An address of one's own is without `/v1`."""

    VENDOR = "https://api.anthropic.com"

    def _connect(self, key: str) -> Any:
        import anthropic

        return anthropic.AsyncAnthropic(
            api_key=key,
            base_url=self._base_url,
            max_retries=0,
            http_client=anthropic.DefaultAsyncHttpxClient(**http_options()),
        )

    def _create(self, sdk: Any) -> Any:
        return sdk.messages.create

    def _body(self, call: ModelCall) -> dict[str, Any]:
        return anthropic_body(call)

    def _reply(self, sink: DeltaSink | None) -> Reply:
        return AnthropicReply(sink=sink)

    def _timeouts(self, timeout: float | None) -> Any:
        import anthropic

        return anthropic.Timeout(READ_TIMEOUT if timeout is None else timeout, connect=CONNECT_TIMEOUT)
