"""A comparison as one self-contained page: nothing in it is asked for from anywhere.

Charts are drawn by Altair and turned into SVG by vl-convert (extra `report`), so the page needs no script.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from quoth.errors import need
from quoth.evaluate.compare import Change, Comparison
from quoth.evaluate.run import Run, decisions

if TYPE_CHECKING:
    Row = Mapping[str, str | float | int]

ACCENT, QUIET, SECOND = "#2f5d8a", "#9aa5b1", "#c4682b"
WIDTH = 640
STYLE = """
:root { color-scheme: light; --ink: #1f2933; --quiet: #52606d; --line: #d9dee3; --accent: #2f5d8a }
body { margin: 3rem auto; max-width: 50rem; padding: 0 1.25rem; color: var(--ink); background: #fff;
       font: 1rem/1.55 system-ui, sans-serif }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem } h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem }
p.verdict { border-left: 4px solid var(--accent); padding: .25rem 0 .25rem 1rem; font-size: 1.1rem }
p.quiet, figcaption { color: var(--quiet) } figure { margin: 1rem 0; overflow-x: auto }
svg { max-width: 100%; height: auto }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums }
th, td { text-align: right; padding: .35rem .5rem; border-bottom: 1px solid var(--line); white-space: nowrap }
th:first-child, td:first-child { text-align: left } div.wide { overflow-x: auto }
article { border-top: 1px solid var(--line); padding: .75rem 0 } article h3 { font-size: 1rem; margin: 0 0 .35rem }
blockquote { margin: .25rem 0; padding-left: .9rem; border-left: 2px solid var(--line) }
"""


def page(found: Comparison, first: Run, second: Run) -> str:
    """The page of a comparison of two runs. Raises `MissingPart` without the extra `report`."""
    title = f"{found.first} → {found.second}"
    parts = [
        f"<h1>{escape(title)}</h1><p class=quiet>{escape(found.set)} · {found.decisive.questions:,} questions ·"
        f" recipes {escape(first.recipe)} and {escape(second.recipe)}</p>",
        f"<p class=verdict>{escape(found.words)}</p>",
        f"<p class=quiet>However often one looks: p {found.anytime:.2g}. {escape(found.primary)} was declared"
        " beforehand and decides; p of all measures is adjusted by Holm.</p>",
        "<h2>Differences</h2>",
        _figure(_intervals(found), f"Differences with their 95 % intervals; positive is better for {found.second}."),
        _table(found),
        "<h2>Question by question</h2>",
        _figure(_dots(found, first, second), f"Each dot is a question: its difference in {found.primary}, in order."),
    ]
    curves = _curves([first, second])
    if curves:
        parts += [
            "<h2>Risk and coverage</h2>",
            _figure(_lines(curves), "The share of wrong answers when only the surest questions are answered."),
        ]
    parts += [
        "<h2>Time</h2>",
        _figure(_times([first, second]), "Share of the questions that were searched within so many milliseconds."),
        "<h2>What changed most</h2>",
        *(_change(one, found) for one in _biggest(found)),
    ]
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return (
        f'<!doctype html><html lang=en><head><meta charset=utf-8><meta name=viewport content="width=device-width">'
        f'<meta http-equiv=Content-Security-Policy content="{policy}"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def _figure(svg: str, caption: str) -> str:
    return f'<figure role=img aria-label="{escape(caption)}">{svg}<figcaption>{escape(caption)}</figcaption></figure>'


def _table(found: Comparison) -> str:
    head = "".join(
        f"<th scope=col>{name}"
        for name in ("", "first", "second", "difference", "95 % interval", "p", "Holm", "differ")
    )
    rows = "".join(
        f"<tr><td>{escape(one.measure)}{' *' if one.measure == found.primary else ''}<td>{one.first:.4f}"
        f"<td>{one.second:.4f}<td>{one.difference:+.4f}<td>{one.interval.low:+.4f} … {one.interval.high:+.4f}"
        f"<td>{one.p:.2g}<td>{one.adjusted:.2g}<td>{one.informative} of {one.questions}"
        for one in found.differences
    )
    return f"<div class=wide><table><thead><tr>{head}<tbody>{rows}</table></div>"


def _biggest(found: Comparison, most: int = 10) -> list[Change]:
    return sorted((*found.gained, *found.lost), key=lambda one: -abs(one.second - one.first))[:most]


def _change(one: Change, found: Comparison) -> str:
    answers = "".join(
        f"<p class=quiet>{escape(name)}: {value:.3f}</p>" + (f"<blockquote>{escape(text)}</blockquote>" if text else "")
        for name, value, text in zip((found.first, found.second), (one.first, one.second), one.answers, strict=True)
    )
    return f"<article><h3>{escape(one.question)}</h3>{answers}</article>"


# -- charts ----------------------------------------------------------------------------------------


def _intervals(found: Comparison) -> str:
    rows: list[Row] = [
        {"measure": one.measure, "difference": one.difference, "low": one.interval.low, "high": one.interval.high}
        for one in found.differences
    ]
    y: dict[str, object] = {"field": "measure", "type": "nominal", "sort": None, "axis": {"title": None}}
    zero = {"mark": {"type": "rule", "color": QUIET}, "encoding": {"x": {"datum": 0, "type": "quantitative"}}}
    rule = {
        "mark": {"type": "rule", "color": ACCENT, "size": 2},
        "encoding": {
            "x": {"field": "low", "type": "quantitative", "axis": {"title": "difference"}},
            "x2": {"field": "high"},
            "y": y,
        },
    }
    point: dict[str, object] = {
        "mark": {"type": "point", "filled": True, "size": 70, "color": ACCENT},
        "encoding": {"x": {"field": "difference", "type": "quantitative"}, "y": y},
    }
    return _svg({"layer": [zero, rule, point], "height": {"step": 26}}, rows)


def _dots(found: Comparison, first: Run, second: Run) -> str:
    one, other = first.values(found.primary), second.values(found.primary)
    values = sorted(other[key] - one[key] for key in one if key in other)
    rows: list[Row] = [{"rank": rank, "difference": value} for rank, value in enumerate(values, 1)]
    encoding = {
        "x": {"field": "rank", "type": "quantitative", "axis": {"title": "questions, from loss to gain"}},
        "y": {"field": "difference", "type": "quantitative", "axis": {"title": f"difference in {found.primary}"}},
        "color": {
            "condition": {"test": "datum.difference > 0", "value": ACCENT},
            "value": QUIET,
        },
    }
    return _svg({"mark": {"type": "circle", "size": 22, "opacity": 0.8}, "encoding": encoding, "height": 220}, rows)


def _curves(runs: Sequence[Run]) -> list[Row]:
    rows: list[Row] = []
    for run in runs:
        made = decisions(run)
        for coverage, risk in made.curve if made else ():
            rows.append({"coverage": coverage, "risk": risk, "run": run.name or run.recipe})
    return rows


def _lines(rows: Sequence[Row]) -> str:
    encoding = {
        "x": {"field": "coverage", "type": "quantitative", "axis": {"title": "share of the questions answered"}},
        "y": {"field": "risk", "type": "quantitative", "axis": {"title": "share of these that is wrong"}},
        "color": _named(),
    }
    return _svg({"mark": {"type": "line", "strokeWidth": 2}, "encoding": encoding, "height": 240}, rows)


def _times(runs: Sequence[Run]) -> str:
    rows: list[Row] = []
    for run in runs:
        ordered = sorted(one.milliseconds for one in run.outcomes)
        for rank, value in enumerate(ordered, 1):
            rows.append({"milliseconds": value, "share": rank / len(ordered), "run": run.name or run.recipe})
    encoding = {
        "x": {"field": "milliseconds", "type": "quantitative", "axis": {"title": "milliseconds"}},
        "y": {"field": "share", "type": "quantitative", "axis": {"title": "share of the questions"}},
        "color": _named(),
    }
    return _svg({"mark": {"type": "line", "interpolate": "step-after"}, "encoding": encoding, "height": 200}, rows)


def _named() -> dict[str, object]:
    scale = {"range": [SECOND, ACCENT]}
    return {"field": "run", "type": "nominal", "sort": None, "scale": scale, "legend": {"title": None, "orient": "top"}}


def _svg(specification: Mapping[str, object], rows: Sequence[Row]) -> str:
    altair, convert = need("altair", "report"), need("vl_convert", "report")
    config = {"font": "sans-serif", "view": {"stroke": None}, "axis": {"gridColor": "#e8ecef", "domain": False}}
    whole = {"width": WIDTH, "config": config, "data": {"values": list(rows)}, **specification}
    chart = altair.Chart.from_dict({"$schema": altair.SCHEMA_URL, **whole})
    return str(
        convert.vegalite_to_svg(chart.to_dict(), vl_version=altair.SCHEMA_VERSION.removeprefix("v")[:3].rstrip("."))
    )
