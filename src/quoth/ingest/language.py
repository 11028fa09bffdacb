"""The language of a text, by py3langid (a naive Bayes model over byte n-grams, BSD-3-Clause)."""

from __future__ import annotations

import re

SHORTEST = 80
"""Letters below which a guess would be luck."""
SAMPLE = 1_000
"""Characters looked at, from the first third of the text, where titles and contents are past."""

ALSO = {
    "wuu": "zh",
    "yue": "zh",
    "lzh": "zh",
    "pcm": "en",
    "an": "es",
    "ext": "es",
    "nb": "no",
    "nn": "no",
    "zxx": "",
}
"""Languages that share a stemmer or a script with a greater neighbour, for which they are often mistaken."""

LETTERS = re.compile(r"[^\W\d_]+")


def language_of(text: str) -> str:
    """The ISO 639-1 code of the language ("en", "zh"), or "" for a text too short to tell."""
    start = len(text) // 3 if len(text) > 3 * SAMPLE else 0
    words = LETTERS.findall(text[start : start + SAMPLE])
    letters = sum(map(len, words))
    wide = sum(len(word) for word in words if word[0] >= "\u0e00")
    if letters + 3 * wide < SHORTEST:
        return ""
    from py3langid import classify

    code = str(classify(" ".join(words))[0])
    return ALSO.get(code, code)
