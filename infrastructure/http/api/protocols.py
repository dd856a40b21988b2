"""The endpoints that have other vendors' shapes, as the description tells of them."""

from __future__ import annotations

from .. import anthropic_body, openai_body
from . import shapes
from .operations import JSON, KEY, OF_A_BODY, OF_A_RUN, STREAM, Operation, of_path

ASKED = {"model": "cheapest", "messages": [{"role": "user", "content": "What is Python?"}]}

PROTOCOLS = (
    Operation(
        method="post", path="/v1/chat/completions", id="createChatCompletion", scope="run", protocol="openai",
        says="OpenAI's Chat Completions; `model` is a strategy, a policy or a model.", parameters=(KEY,),
        takes=openai_body.Body, example=ASKED, gives={200: JSON}, also=STREAM, errors=(*OF_A_BODY, *OF_A_RUN),
    ),
    Operation(
        method="post", path="/v1/messages", id="createMessage", scope="run", protocol="anthropic",
        says="Anthropic's Messages; `model` is a strategy, a policy or a model.", parameters=(KEY,),
        takes=anthropic_body.Body, example=ASKED | {"max_tokens": 256}, gives={200: JSON}, also=STREAM,
        errors=(*OF_A_BODY, *OF_A_RUN),
    ),
    Operation(
        method="get", path="/v1/models", id="listModels", says="The names that `model` may have.", scope="run",
        protocol="openai", gives={200: shapes.OfferedList},
    ),
    Operation(
        method="get", path="/v1/models/{name}", id="showModel", says="One of them.", scope="run", protocol="openai",
        parameters=(of_path("name", {"type": "string", "minLength": 1}, "As `model` has it."),),
        gives={200: shapes.Offered}, errors=(404,),
    ),
)  # fmt: skip
