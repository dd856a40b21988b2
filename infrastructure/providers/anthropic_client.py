"""Anthropic's Messages through the anthropic SDK."""

from __future__ import annotations

from typing import Any

from .anthropic_request import SAMPLING, version_of
from .dialects import AnthropicDialect
from .sdk_client import SdkClient
from .wire import CONNECT_TIMEOUT, READ_TIMEOUT, http_options


class AnthropicClient(AnthropicDialect, SdkClient):
    """Asks through the anthropic SDK."""

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

    def _arguments(self, body: dict[str, Any]) -> dict[str, Any]:
        """Sampling is no argument of the SDK any more, and no part of the API's version that the SDK asks for."""
        sampling = {name: body[name] for name in SAMPLING if name in body}
        if not sampling:
            return body
        plain = {name: value for name, value in body.items() if name not in SAMPLING}
        return {**plain, "extra_body": sampling, "extra_headers": {"anthropic-version": version_of(body)}}

    def _timeouts(self, timeout: float | None) -> Any:
        import anthropic

        return anthropic.Timeout(READ_TIMEOUT if timeout is None else timeout, connect=CONNECT_TIMEOUT)
