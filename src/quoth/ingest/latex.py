"""LaTeX: the file's own text, its headings as a reader of the printed page sees them, and what is never printed.

The preamble but for title, author and date, what follows the end of the document, and comments longer than a
line are in no passage (`split`): they would drown what the text says. `show` has them at their place. Comments
stand in `hidden`. `plain` is what the encoder and the word index see: words without commands, "ü" for \\"u.
Not covered: \\input is not followed, own macros (\\newcommand) are not expanded.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from pathlib import PurePath

from quoth.ingest.decode import decode
from quoth.types import Document, Mark

Span = tuple[int, int]

LEVELS = ("part", "chapter", "section", "subsection", "subsubsection", "paragraph", "subparagraph")
FRAME = ("frametitle", "begin{frame}")
VERBATIM = r"verbatim\*?|Verbatim|lstlisting|minted|alltt|filecontents\*?"
TOKEN = re.compile(
    rf"""\\begin[ ]?\{{(?P<closed>{VERBATIM}|comment)\}}
    |\\verb\*?(?P<tick>[^\w\s*])
    |\\(?P<edge>begin|end)[ ]?\{{document\}}
    |\\(?P<off>iffalse)\b
    |\\(?P<head>part|chapter|(?:sub){{0,2}}section|(?:sub)?paragraph|frametitle|begin\{{frame\}})\*?(?=\s*[\[{{])
    |\\(?P<name>title|author|date|subtitle)(?=\s*[\[{{])
    |\\begin[ ]?\{{(?P<abstract>abstract)\}}
    |\\(?:url|href|path)\{{[^{{}}\n]{{0,2000}}\}}
    |(?P<remark>%)
    |\\[\\%]""",
    re.X,
)
THANKS = re.compile(r"\\(?:footnote|thanks|footnotemark)\b(?:\[[^\]]*\])?\{[^{}]*\}")
OPTION = re.compile(r"\s*(?:\[[^\[\]]{0,500}\]|<[^<>\n]{0,50}>)?\s*")
EDGE = re.compile(r"\\.|[{}]", re.S)
LONGEST = 600
"""Characters that the argument of a title may have."""

UNSEEN = (
    "label|ref|eqref|autoref|cref|Cref|pageref|nameref|cite[a-z]*|Cite[a-z]*|parencite|textcite|footcite|autocite"
    "|vspace|hspace|includegraphics|input|include|bibliography|bibliographystyle|usepackage|documentclass|pagestyle"
    "|thispagestyle|begin|end|setlength|index|glsadd|color|textcolor|fontsize|selectlanguage|hypersetup|addtocounter"
)
ACCENTS = {'"': "\u0308", "'": "\u0301", "`": "\u0300", "^": "\u0302", "~": "\u0303", "=": "\u0304", ".": "\u0307"}
ACCENTS |= {"u": "\u0306", "v": "\u030c", "H": "\u030b", "c": "\u0327", "k": "\u0328", "r": "\u030a", "d": "\u0323"}
LETTERS = {"ss": "ß", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "o": "ø", "O": "Ø", "aa": "å", "AA": "Å", "l": "ł"}
LETTERS |= {"L": "Ł", "i": "i", "j": "j", "ldots": "…", "dots": "…", "LaTeX": "LaTeX", "TeX": "TeX", "S": "§"}
LETTERS |= {"textendash": "–", "textemdash": "—", "euro": "€", "texteuro": "€", "pounds": "£", "copyright": "©"}
MARKUP = re.compile(
    rf"""\\(?:url|path)\{{(?P<url>[^{{}}\n]{{0,2000}})\}}
    |\\(?P<accent>["'`^~=.])(?:\{{(?P<a>\\?[A-Za-z])\}}|(?P<b>\\[ij]\b|[A-Za-z]))
    |\\(?P<mark>[uvHckrd])(?:\{{(?P<c>\\?[A-Za-z])\}}|[ ](?P<d>[A-Za-z]))
    |\\(?P<letter>{"|".join(sorted(LETTERS, key=len, reverse=True))})(?![A-Za-z])(?:\{{\}}|[ ](?=[a-z]))?
    |\\(?:{UNSEEN})\*?(?:\s?\[[^\[\]\n]{{0,300}}\])*(?:\{{[^{{}}]{{0,1000}}\}})+
    |\\(?P<sign>[&%$\#_{{}}])
    |\\(?P<break>\\)\*?(?:\[[^\[\]\n]{{0,30}}\])?
    |\\[A-Za-z@]+\*?(?:\[[^\[\]\n]{{0,300}}\])?
    |\\(?P<gap>[,;:!\ /-])
    |(?P<dash>-{{2,3}})
    |(?P<quote>``|'')
    |(?<!\\)%[^\n]*
    |(?P<blank>[~&])
    |[{{}}$]""",
    re.X,
)


def read_latex(data: bytes, path: str, password: str | None) -> tuple[Document, ...]:
    """One document: the text as it is, titled by \\title, by its only top heading, or by its name."""
    text, notes = decode(data)
    found = list(_tokens(text))
    marks = tuple(_headings(text, found))
    titles = [_title(text[slice(*span)]) for kind, _, span in found if kind == "title"]
    tops = [mark.value for mark in marks if mark.number == 1]
    title = next(filter(None, titles), "") or (tops[0] if len(tops) == 1 else "") or PurePath(path).stem
    hidden = "\n".join(text[start:end] for start, end in comments(text))
    return (Document(path, "latex", title, text, marks, lines=True, hidden=hidden, notes=notes),)


def plain(text: str) -> str:
    """The text as the encoder and the word index see it: commands gone, their words kept, accents put on."""
    return MARKUP.sub(_shown, text)


def _title(words: str) -> str:
    """The words of a heading on one line, without its notes."""
    return " ".join(plain(THANKS.sub("", words)).split())


def _shown(match: re.Match[str]) -> str:
    if match["url"] is not None:
        return match["url"]
    accent, letter = match["accent"] or match["mark"], match["a"] or match["b"] or match["c"] or match["d"]
    if accent:
        return unicodedata.normalize("NFC", letter.removeprefix("\\") + ACCENTS[accent])
    if match["letter"]:
        return LETTERS[match["letter"]]
    if match["sign"]:
        return match["sign"]
    if match["dash"]:
        return "–" if match["dash"] == "--" else "—"
    if match["quote"]:
        return '"'
    return " " if match["blank"] or match["break"] or match["gap"] in (" ", ",", ";", ":") else ""


def comments(text: str) -> list[Span]:
    """Where comments lie, in order; lines of comment that follow each other are one."""
    found: list[Span] = []
    for kind, start, (_, end) in _tokens(text):
        if kind != "remark":
            continue
        if found and not text[found[-1][1] : start].strip():
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


def asides(text: str) -> list[Span]:
    """What is never printed: comments, the preamble but for its title, author and date, all after the end."""
    found = list(_tokens(text))
    begin = next((end for kind, _, (_, end) in found if kind == "begin"), 0)
    spans = [span for span in comments(text) if span[0] >= begin]
    at = 0
    for kind, start, (_, end) in found:
        if kind in ("title", "author", "date", "subtitle") and start < begin:
            spans.append((at, start))
            at = end + 1
    spans.append((at, begin))
    spans += [(start, len(text)) for kind, start, _ in found if kind == "end"]
    return sorted(span for span in spans if span[0] < span[1])


def _tokens(text: str) -> Iterator[tuple[str, int, Span]]:
    """(what, start, the span of its words) of headings, comments and such, outside of verbatim text."""
    at, missing = 0, set[str]()
    while match := TOKEN.search(text, at):
        at, kind = match.end(), match.lastgroup or ""
        if kind == "closed":
            at = _after(text, f"\\end{{{match['closed']}}}", at, missing)
            if match["closed"] == "comment":
                yield "remark", match.start(), (match.start(), at)
        elif kind == "tick":
            close = text.find(match["tick"], at, at + LONGEST)
            at = close + 1 if close >= 0 and "\n" not in text[at:close] else at
        elif kind == "off":
            at = _after(text, "\\fi", at, missing)
            yield "remark", match.start(), (match.start(), at)
        elif kind == "remark":
            line = text.find("\n", at)
            at = line if line >= 0 else len(text)
            yield kind, match.start(), (match.start(), at)
        elif kind in ("head", "name"):
            words = _argument(text, at)
            if words:
                yield match[kind], match.start(), words
        elif kind:
            yield match[kind], match.start(), (match.start(), at)
            if match[kind] == "end":
                return


def _after(text: str, mark: str, at: int, missing: set[str]) -> int:
    """The offset after the next such mark; where there is none, the one given, and it is not looked for again."""
    found = -1 if mark in missing else text.find(mark, at)
    if found < 0:
        missing.add(mark)
        return at
    return found + len(mark)


def _argument(text: str, at: int) -> Span | None:
    """The span inside the braces that follow, after an option in brackets."""
    option = OPTION.match(text, at)
    begin = option.end() if option else at
    if text[begin : begin + 1] != "{":
        return None
    depth = 0
    for edge in EDGE.finditer(text, begin, begin + LONGEST):
        depth += {"{": 1, "}": -1}.get(edge[0], 0)
        if depth == 0:
            return begin + 1, edge.start()
    return None


def _headings(text: str, found: list[tuple[str, int, Span]]) -> Iterator[Mark]:
    """The headings, numbered from 1 by which kinds of them there are; an abstract is one of the highest."""
    used = [kind for kind in LEVELS if any(one == kind for one, *_ in found)]
    numbers = {kind: number for number, kind in enumerate(used, 1)}
    numbers |= {**dict.fromkeys(FRAME, min(len(used), 3) + 1), "abstract": 1}
    for kind, start, (first, last) in found:
        if kind in numbers:
            words = _title(text[first:last]) if kind != "abstract" else "Abstract"
            if words:
                yield Mark(start, "heading", words, numbers[kind])
