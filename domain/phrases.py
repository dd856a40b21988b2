"""What models say when they doubt, do not know, or decline: phrases of lower case words, in several languages."""

from __future__ import annotations

import re
from functools import cache

_WORD = re.compile(r"[^\W_]+")

IGNORANCE = """
    i don t know|i do not know|i m not sure|i am not sure|i have no idea|i m unsure|i am unsure|i couldn t find|
    i could not find|cannot be determined|can t be determined|not enough information|insufficient information|
    unable to determine|unable to answer|ich weiß es nicht|ich weiß nicht|ich bin nicht sicher|
    ich bin mir nicht sicher|je ne sais pas|je ne suis pas sûr|no lo sé|no estoy seguro|non lo so|non sono sicuro|
    não sei|não tenho certeza|я не знаю|я не уверен|ik weet het niet|nie wiem|我不知道|我不确定|わかりません|
    分かりません|모르겠습니다
"""
HEDGES = """
    maybe|perhaps|possibly|probably|i think|i believe|i guess|i assume|it seems|it appears|might be|may be|
    could be|it is possible|it s possible|as far as i know|to my knowledge|if i recall|roughly speaking|
    not entirely|hard to say|it depends|vielleicht|vermutlich|möglicherweise|wahrscheinlich|ich glaube|ich denke|
    soweit ich weiß|peut être|probablement|je pense|je crois|il semble|quizás|tal vez|probablemente|creo que|
    parece que|forse|probabilmente|penso che|talvez|provavelmente|acho que|возможно|наверное|вероятно|я думаю|
    кажется|misschien|waarschijnlijk|może|可能|也许|大概|かもしれません|おそらく|아마
"""
REFUSALS = """
    i can t help|i cannot help|i can t assist|i cannot assist|i can t provide|i cannot provide|i can t answer|
    i cannot answer|i m unable to|i am unable to|i m not able to|i am not able to|i won t|i will not|
    i must decline|i have to decline|i can t fulfill|i cannot fulfill|i can t comply|i cannot comply|as an ai|
    as a language model|sorry but i can|apologize but i can|i can t create|i cannot create|i can t write|
    i cannot write|i can t do that|tut mir leid aber ich kann|dabei kann ich nicht|ich kann ihnen nicht|
    ich kann dir nicht|désolé mais je ne peux|je ne peux pas|lo siento pero no puedo|no puedo ayudar|
    mi dispiace ma non posso|non posso aiutar|desculpe mas não posso|não posso ajudar|не могу помочь|я не могу|
    抱歉 我|对不起 我|我无法|我不能|申し訳|お手伝いできません|죄송
"""


def words_of(text: str) -> list[str]:
    """Its words in lower case, without marks."""
    return _WORD.findall(text.lower())


def joined(words: list[str]) -> str:
    """The words as phrases are looked for in them."""
    return f" {' '.join(words)} "


@cache
def phrases(listed: str) -> tuple[str, ...]:
    """The phrases as they stand between words; those in scripts without spaces stand anywhere."""
    given = (phrase.strip() for phrase in listed.split("|"))
    return tuple(phrase if phrase > "\u3000" else f" {phrase} " for phrase in given)


def says(listed: str, words: str) -> int:
    """How many of the listed phrases stand in the joined words."""
    return sum(map(words.__contains__, phrases(listed)))
