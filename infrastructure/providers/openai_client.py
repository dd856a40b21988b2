"""OpenAI's Chat Completions through the openai SDK."""

from __future__ import annotations

from typing import Any

from .dialects import OpenAIDialect
from .sdk_client import SdkClient
from .wire import CONNECT_TIMEOUT, READ_TIMEOUT, http_options


class OpenAIClient(OpenAIDialect, SdkClient):
    """Asks through the openai SDK."""

    def _connect(self, key: str) -> Any:
        import openai

        return openai.AsyncOpenAI(
            api_key=key,
            base_url=self._base_url,
            max_retries=0,
            http_client=openai.DefaultAsyncHttpxClient(**http_options()),
        )

    def _create(self, sdk: Any) -> Any:
        return sdk.chat.completions.create

    def _timeouts(self, timeout: float | None) -> Any:
        import openai

        return openai.Timeout(READ_TIMEOUT if timeout is None else timeout, connect=CONNECT_TIMEOUT)
