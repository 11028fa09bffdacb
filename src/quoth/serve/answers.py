"""An answer as HTML, for a browser without scripts: what the modules of the page build from the same record."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from quoth.serve.source import where
from quoth.serve.views import Spot, anchored
from quoth.types import Answer, Place, Quote

FULL = re.compile(r"(?<=[^\n]{50})\n(?=\S)")
"""Where a line was broken only because it was full: there it flows on. Lists, verse and code stay as they are."""


def answer(made: Answer) -> str:
    """The question, the answer in its quotes, what was looked at besides, and notes."""
    asked = f'<p class="asked">Searched as “{escape(made.asked)}”</p>' if made.asked not in ("", made.question) else ""
    parts = [f'<article class="turn"><h2 class="question">{escape(made.question)}</h2>{asked}']
    if made.answered:
        if [claim.text for claim in made.claims] != [one.text for one in made.quotes]:
            parts.append(_claims(made))
        parts.append(f'<section class="quoted"><h3>Quoted</h3><ol class="quotes">{_quotes(made.quotes)}</ol></section>')
    else:
        parts.append(f'<p class="refusal">{escape(made.text)}</p>')
    if made.also:
        nearest = made.also if made.answered else made.also[:3]
        title = "Also looked at" if made.answered else "The nearest passages"
        opened = "" if made.answered else " open"
        parts.append(
            f'<details class="also"{opened}><summary>{title} ({len(nearest)})</summary>'
            f'<ol class="quotes">{_quotes(nearest, 0)}</ol></details>'
        )
    notes = "".join(f"<li>{escape(note)}</li>" for note in made.notes)
    if notes:
        parts.append(f'<ul class="notes">{notes}</ul>')
    searched = f"{made.searched.documents:,} documents searched in {made.seconds:.2f} s"
    return "".join(parts) + f'<p class="facts">{searched}</p></article>'


def _claims(made: Answer) -> str:
    """Prose: each sentence with the numbers of its quotes, or with the word that it has none."""
    parts = []
    for claim in made.claims:
        numbers = "".join(
            f' <a class="n open" href="{_link(made.quotes[number - 1])}">{number}</a>' for number in claim.quotes
        )
        if not claim.quotes:
            said = "general knowledge, not from your files" if claim.general else "not supported by your files"
            numbers = f' <span class="unsupported">{said}</span>'
        parts.append(f'<p class="claim">{escape(claim.text)}{numbers}</p>')
    return f'<div class="claims">{"".join(parts)}</div>'


def _quotes(quotes: Sequence[Quote], first: int = 1) -> str:
    """Quotes as items of a list, each a link to its place; numbered from `first`, or not at all when it is 0."""
    parts = []
    for step, one in enumerate(quotes):
        number = f'<span class="n">{first + step}</span> ' if first else ""
        at = where(Place(one.page, one.line, one.heading, one.cells), one.title)
        cite = f'<span class="cite"><bdi>{escape(one.title)}</bdi> <small>{escape(at)}</small></span>'
        said = f"<blockquote>{escape(FULL.sub(' ', one.text))}</blockquote>"
        parts.append(f'<li class="quote">{said}<a class="open" href="{_link(one)}">{number}{cite}</a></li>')
    return "".join(parts)


def _link(one: Quote) -> str:
    return anchored(one.document, Spot(one.start, one.end))
