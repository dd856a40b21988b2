"""The words and signs that a prompt's form is counted by. Chosen by hand; how they count is learned."""

from __future__ import annotations

WORDS = {
    "negations": "not no never except without false incorrect least none neither cannot unlikely",
    "conditions": "if suppose assume given let unless otherwise whether",
    "quantities": "each every per total many much left remaining altogether rest all both",
    "comparisons": "more less fewer than times twice half double triple third quarter larger smaller older younger",
    "time": "day days week weeks hour hours minute minutes month months years old age daily morning speed",
    "money": "cost costs price pay paid spend buy buys sell sells earn earns dollars cents profit dollar sold"
    " bought money",
    "shares": "percent percentage fraction ratio average mean probability rate discount interest",
    "algebra": "integer integers equation polynomial roots real number numbers prime divisible sum product value"
    " positive solve find evaluate compute calculate simplify smallest largest maximum minimum digits factor remainder",
    "geometry": "triangle circle square rectangle angle area radius perimeter volume length line plane point sides"
    " degrees",
    "proof": "prove proof theorem hence therefore group ring field matrix vector continuous set subset",
    "science": "energy force mass velocity temperature pressure gas acid reaction solution electron atom molecule"
    " current voltage wave light heat density steel water moles",
    "life": "cell cells gene dna protein patient disease blood treatment symptoms bacteria virus species organism",
    "law": "court plaintiff defendant statute contract law state property jury evidence constitutional sued crime",
    "judgement": "most best likely primarily mainly according theory argues concept approach important example",
    "code": "def return function list string array python int str code print class import assert write",
    "who": "who whom whose name named",
    "where": "where country city located place capital",
    "when": "when year date century",
    "what": "what which",
    "how": "how why explain describe",
    "pronouns": "he she his her they their him them you your we",
}
SIGNS = {
    "latex": "\\{}",
    "scripts": "^_",
    "operators": "+*/=<>−×÷·≤≥≠√∑∫",
    "dashes": "-–—",
    "currency": "$£€",
    "percents": "%",
    "quotes": "\"'“”‘’",
    "brackets": "()",
    "squares": "[]",
    "stops": ".",
    "commas": ",;",
    "colons": ":",
    "questions": "?",
    "marks": "#`@&|~",
}
GROUP_OF = {word: name for name, words in WORDS.items() for word in words.split()}
GROUP_OF |= {sign: name for name, signs in SIGNS.items() for sign in signs}
