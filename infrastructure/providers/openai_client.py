"""OpenAI's Chat Completions, at OpenAI or any server that speaks it: Ollama, vLLM, llama.cpp, a gateway."""

from __future__ import annotations

from typing import Any

from ...application.ports import DeltaSink, ModelCall
from .openai_reply import OpenAIReply
from .openai_request import openai_body
from .reply import Reply
from .sdk_client import SdkClient
from .wire import CONNECT_TIMEOUT, READ_TIMEOUT, http_options


class OpenAIClient(SdkClient):
    """Asks through the openai SDK. An address of one's own includes its `/v1`."""

    VENDOR = "https://api.openai.com/v1"

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

    def _body(self, call: ModelCall) -> dict[str, Any]:
        return openai_body(call, at_vendor=self.at_vendor)

    def _streamed(self) -> dict[str, Any]:
        """Ask for the usage too: without it a streamed answer says nothing of its cost."""
        return {"stream": True, "stream_options": {"include_usage": True}}

    def _reply(self, sink: DeltaSink | None) -> Reply:
        return OpenAIReply(sink=sink)

    def _timeouts(self, timeout: float | None) -> Any:
        import openai

        return openai.Timeout(READ_TIMEOUT if timeout is None else timeout, connect=CONNECT_TIMEOUT)
