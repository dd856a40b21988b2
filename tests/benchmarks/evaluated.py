"""What `make evaluate` judges: the models of each set, in one place."""

from __future__ import annotations

MIXTRAL, GPT4 = "mixtral-8x7b-instruct-v0.1", "gpt-4-1106-preview"
MINI, GPT4O = "gpt-4o-mini-2024-07-18", "gpt-4o-2024-08-06"
HAIKU3, HAIKU35 = "claude-3-haiku-20240307", "claude-3-5-haiku-20241022"
SONNET, OPUS = "claude-3-5-sonnet-20241022", "claude-3-opus-20240229"
FLASH, PRO = "gemini-1.5-flash-002", "gemini-1.5-pro-002"
LLAMA8, LLAMA70 = "Meta-Llama-3.1-8B-Instruct", "Meta-Llama-3.1-70B-Instruct"
NEMOTRON = "llama-3.1-nemotron-51b-instruct"

PROSE = ("Qwen1.5-72B-Chat-greedy", "reka-core-20240501", "reka-flash-20240226", "gpt-3.5-turbo-0125")

PAIRS = (  # set, weak, strong
    ("routellm_mmlu", MIXTRAL, GPT4),
    ("routellm_gsm8k", MIXTRAL, GPT4),
    ("routellm_mtbench", MIXTRAL, GPT4),
    ("zeroeval", MINI, GPT4O),
    ("zeroeval", HAIKU3, SONNET),
    ("mmlu_pro", FLASH, PRO),
    ("llmrouter", "mistral-7b-instruct-v0.3", NEMOTRON),
    ("llmrouter", "llama-3.1-8b-instruct", NEMOTRON),
)
POOLS = (("zeroeval", (MINI, HAIKU3, HAIKU35, GPT4O, SONNET, OPUS)),)  # set, models of a choice
ANSWERS = (  # set, model, another cheap one or none
    ("zeroeval", MINI, None),
    ("zeroeval", MINI, "gemini-1.5-flash"),
    ("zeroeval", HAIKU3, None),
    ("zeroeval", HAIKU3, MINI),
    ("mmlu_pro", FLASH, None),
    ("mmlu_pro", FLASH, LLAMA70),
    ("routellm_gsm8k", MIXTRAL, None),
    ("routerarena", HAIKU3, None),
)
CASCADES = (  # set, weak, strong, another cheap one or none
    ("zeroeval", MINI, GPT4O, None),
    ("zeroeval", MINI, GPT4O, "gemini-1.5-flash"),
    ("zeroeval", HAIKU35, SONNET, MINI),
    ("mmlu_pro", FLASH, PRO, None),
    ("mmlu_pro", FLASH, PRO, LLAMA70),
    ("routerarena", HAIKU3, "gemini-2.0-flash-001", None),
)
PANELS = (  # set, what it is called, members, whether also adaptive
    ("zeroeval", "three cheap", (MINI, HAIKU35, "gemini-1.5-flash"), True),
    ("zeroeval", "five cheap", (MINI, HAIKU35, LLAMA70, "gemini-1.5-flash", HAIKU3), False),
    ("zeroeval", "three strong", (SONNET, GPT4O, "gemini-1.5-pro"), True),
    ("mmlu_pro", "top three", (PRO, FLASH, LLAMA70), True),
    ("wildbench", "all four, prose", PROSE, False),
)
