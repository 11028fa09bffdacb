"""HTML: the article of a page as a person reads it, without menus, banners and what is hidden.

Covered: hidden by attribute or inline style (display, visibility, opacity, size 0, colour on the same
colour, moved off the page) or by the page's own style sheets, comments, templates. Not covered: hidden by
a linked style sheet or a script.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePath

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from quoth.errors import ReadError
from quoth.ingest.decode import decode
from quoth.types import Document, Mark

SHORT = 200
"""An article shorter than this is taken for a mistake when the page holds much more."""

DEEPEST = 20_000
"""Elements inside each other; the parser's time grows with the square of it."""
NESTING = re.compile(
    r"<(/?)(?:div|span|section|article|main|aside|nav|header|footer|blockquote|center|table|ul|ol|dl|font|b|i|u|s"
    r"|em|strong|small|big|sub|sup|code|tt|pre|details|svg|g|math|object|template)\b",
    re.I,
)
SILENT = str.split("script style noscript template svg math canvas object embed iframe link meta head audio video map")
BOILERPLATE = frozenset(str.split("nav header footer aside form button select textarea input dialog menu"))
UNLIKELY = re.compile(
    r"\b(?:nav(?:bar|igation)?|menu|sidebar|side-?bar|widget-area|breadcrumbs?|cookies?|consent|gdpr|newsletter|subscribe"
    r"|social|share|sharing|sharedaddy|related(?:-posts|-articles)?|recommend(?:ed|ations)|advert(?:isement)?|ads?|ad-?box"
    r"|sponsored|promo|popup|modal|overlay|skip-link|pagination|pager|footer|masthead|toolbar|login|search-?form"
    r"|print-?only|outbrain|taboola|jp-relatedposts|tags?-?links?|screen-reader-text|comments?(?:-area|-list|-form)?"
    r"|respond|disqus(?:_thread)?)\b",
    re.I,
)
HIDING = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|opacity\s*:\s*0?\.?0*\s*(?:;|!|\Z)"
    r"|font-size\s*:\s*0?\.?0*(?:px|pt|em|rem|%)?\s*(?:;|!|\Z)|text-indent\s*:\s*-\d{3,}|(?:left|top|right)\s*:\s*-\d{4,}"
    r"|(?:^|[;\s])(?:max-)?height\s*:\s*0(?:px)?\s*;.*overflow\s*:\s*hidden|color\s*:\s*transparent",
    re.I | re.S,
)
CSS_COMMENT = re.compile(r"/\*.*?\*/", re.S)
AT_RULE = re.compile(r"@[^{;]*(?:;|\{(?:[^{}]*\{[^{}]*\})*[^{}]*\})")
RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
COLOUR = re.compile(r"(?:^|;)\s*(color|background(?:-color)?)\s*:\s*([^;!]+)", re.I)
NAMED = {"white": "#fff", "black": "#000", "#ffffff": "#fff", "#000000": "#000"}
PARTS = frozenset(
    str.split(
        "p h1 h2 h3 h4 h5 h6 ul ol dl table blockquote pre section article figure main header footer aside hr details"
    )
)
LINES = frozenset(
    str.split("div li tr dt dd br address figcaption caption form fieldset legend summary center option td th")
)
LEVEL = {f"h{level}": level for level in range(1, 7)}
DATES = (
    'meta[property="article:modified_time"]',
    'meta[property="og:updated_time"]',
    'meta[property="article:published_time"]',
    'meta[itemprop="dateModified"]',
    'meta[itemprop="datePublished"]',
    'meta[name="date"]',
    'meta[name="dc.date"]',
    'meta[name="DC.date"]',
    'meta[name="last-modified"]',
    "time[datetime]",
)


def read_html(data: bytes, path: str, password: str | None) -> tuple[Document, ...]:
    """One document: the main content of the page, its headings as marks, what is hidden apart."""
    source, notes = decode(data)
    tree = _parsed(source)
    modified, named = _date(tree), _named(tree)
    hidden = "\n".join(part for part in _taken_out(tree) if part)
    body = tree.body
    page = _rendered(_main(body)) if body else Page()
    if len(page.text()) < SHORT and body:
        whole = _rendered(Pick(body, frozenset()))
        page = whole if len(whole.text()) > 2 * len(page.text()) else page
    title = _title(named, page) or PurePath(path).stem
    return (
        Document(path, "html", title, page.text(), tuple(page.marks), modified=modified, hidden=hidden, notes=notes),
    )


def whole_page(source: str) -> tuple[Page, str]:
    """All that shows of a page, nothing left out as unimportant, and its hidden text: for chapters of books."""
    tree = _parsed(source)
    hidden = "\n".join(part for part in _taken_out(tree) if part)
    return _rendered(Pick(tree.body, frozenset())) if tree.body else Page(), hidden


def _parsed(source: str) -> LexborHTMLParser:
    """The tree of a page. Raises ReadError for elements inside each other without end."""
    depth = 0
    for tag in NESTING.finditer(source):
        depth = max(0, depth - 1) if tag[1] else depth + 1
        if depth > DEEPEST:
            raise ReadError(f"the page nests its elements more than {DEEPEST:,} deep", "leave it out")
    return LexborHTMLParser(source)


@dataclass(slots=True)
class Page:
    """Text being laid out: pieces, their length, the line breaks that the next piece must follow."""

    pieces: list[str] = field(default_factory=list)
    length: int = 0
    breaks: int = 0
    blank: bool = False
    item: bool = False
    marks: list[Mark] = field(default_factory=list)

    def text(self) -> str:
        """All of it."""
        return "".join(self.pieces)

    def part(self, breaks: int) -> None:
        """What follows begins at least so many lines further down, unless it follows the sign of a list item."""
        if not self.item:
            self.breaks, self.blank = max(self.breaks, breaks), False

    def write(self, words: str) -> None:
        """Adds running text, its blanks made single."""
        inner = " ".join(words.split())
        if inner:
            lead = " " if self.blank or words[0].isspace() else ""
            self.put(inner, lead)
        self.blank = words[-1:].isspace() or (not inner and (self.blank or bool(words)))

    def put(self, words: str, lead: str = "") -> int:
        """Adds words as they are and returns where they begin."""
        gap = ("\n" * self.breaks or lead or " " * self.item) if self.length else ""
        self.pieces += (gap, words)
        self.length += len(gap) + len(words)
        self.breaks, self.blank, self.item = 0, False, False
        return self.length - len(words)


@dataclass(frozen=True, slots=True)
class Pick:
    """The element that holds the article, and the ids of elements in it that are none of it."""

    root: LexborNode
    without: frozenset[int]


@dataclass(slots=True)
class Outline:
    """Every element of a tree in order: its parent's index and how much running text it holds."""

    nodes: list[LexborNode]
    parents: list[int]
    scores: list[int]


def _taken_out(tree: LexborHTMLParser) -> Iterator[str]:
    """Takes comments, scripts and hidden elements out of the tree; yields their words."""
    for node in list(tree.css("template, [hidden], [style], [aria-hidden=true]")):
        attributes = node.attributes
        style = attributes.get("style") or ""
        away = (
            node.tag == "template" or "hidden" in attributes or HIDING.search(style) is not None or _same_colour(style)
        )
        if node.tag in ("html", "body") or not (away or attributes.get("aria-hidden") == "true"):
            continue
        yield " ".join(node.text(separator=" ").split())
        node.decompose()
    for node in _hidden_by_sheet(tree):
        yield " ".join(node.text(separator=" ").split())
        node.decompose()
    root = tree.root
    comments = [node for node in _walk(root) if node.is_comment_node] if root else []
    for node in comments:
        yield " ".join((node.comment_content or "").split())
        node.decompose()
    tree.strip_tags(SILENT)


def _hidden_by_sheet(tree: LexborHTMLParser) -> list[LexborNode]:
    """The outermost elements that the page's own style sheets hide.

    Sheets that hide more than half of the words wait for a script to show them, and are not believed.
    """
    found: dict[int, LexborNode] = {}
    for sheet in tree.css("style"):
        rules = AT_RULE.sub(" ", CSS_COMMENT.sub(" ", sheet.text()))
        for selectors, body in RULE.findall(rules):
            if HIDING.search(body) or _same_colour(body):
                for selector in selectors.split(","):
                    with suppress(SelectolaxError):
                        nodes = tree.css(selector.strip()) if ":" not in selector else []
                        found.update({node.mem_id: node for node in nodes if node.tag not in ("html", "body")})
    outer = [node for node in found.values() if not any(above.mem_id in found for above in _above(node))]
    words = len(tree.body.text()) if tree.body else 0
    return outer if 2 * sum(len(node.text()) for node in outer) <= words else []


def _above(node: LexborNode) -> Iterator[LexborNode]:
    """The elements around an element."""
    parent = node.parent
    while parent is not None:
        yield parent
        parent = parent.parent


def _same_colour(style: str) -> bool:
    """Whether an inline style paints text in the colour of its own ground."""
    found = {name.lower()[:5]: value.strip().lower() for name, value in COLOUR.findall(style)}
    ink, ground = found.get("color", ""), found.get("backg", "?")
    return bool(NAMED.get(ink, ink) == NAMED.get(ground, ground))


def _walk(root: LexborNode) -> Iterator[LexborNode]:
    """Every node below the root in document order, however deep."""
    stack = [root.child]
    while stack:
        node = stack.pop()
        if node is not None:
            yield node
            stack += (node.next, node.child)


def _outline(root: LexborNode) -> Outline:
    """The elements with their scores: characters of running text, links counted against it."""
    outline = Outline([root], [-1], [0])
    plain, linked = [0], [0]
    stack = [(root.child, 0, 0, False)]
    while stack:
        node, parent, block, link = stack.pop()
        if node is None:
            continue
        stack.append((node.next, parent, block, link))
        if node.is_text_node:
            (linked if link else plain)[block] += len((node.text_content or "").strip())
        elif node.is_element_node:
            at = len(outline.nodes)
            outline.nodes.append(node)
            outline.parents.append(parent)
            plain.append(0)
            linked.append(0)
            own = at if node.tag in PARTS or node.tag in LINES else block
            stack.append((node.child, at, own, link or node.tag == "a"))
    outline.scores = [max(0, a - 2 * b) if a + b >= 25 else 0 for a, b in zip(plain, linked, strict=True)]
    for at in range(len(outline.nodes) - 1, 0, -1):
        outline.scores[outline.parents[at]] += outline.scores[at]
    return outline


def _main(body: LexborNode) -> Pick:
    """The element that holds the article: what the page itself calls so, then what holds nearly all running text."""
    outline = _outline(body)
    nodes, parents, scores = outline.nodes, outline.parents, outline.scores
    without: set[int] = set()
    dropped = [False] * len(nodes)
    for at, node in enumerate(nodes):
        if at and dropped[parents[at]]:
            dropped[at] = True
        elif at and _is_boilerplate(outline, at):
            dropped[at] = True
            without.add(node.mem_id)
            lost, above = scores[at], parents[at]
            while above >= 0:
                scores[above] -= lost
                above = parents[above]
    top = 0
    for names, share in ((("main",), 0.4), (("article",), 0.6)):
        named = [at for at, node in enumerate(nodes) if not dropped[at] and _calls_itself(node) in names]
        best = max(named, key=lambda at: (scores[at], -at), default=top)
        top = best if scores[best] >= share * scores[top] else top
    return Pick(nodes[_densest(outline, top, dropped)], frozenset(without))


def _densest(outline: Outline, top: int, dropped: list[bool]) -> int:
    """The deepest element below the top that still holds 85 % of its running text."""
    enough = 0.85 * outline.scores[top]
    found = top
    for at in range(top + 1, len(outline.nodes)):
        if outline.parents[at] < top:
            break
        below = outline.parents[at] == found and not dropped[at] and outline.scores[at] > 0
        if (
            below
            and outline.scores[at] >= enough
            and outline.nodes[at].tag not in ("p", "td", "tr", "tbody", "li", "pre")
        ):
            found = at
    return found


def _calls_itself(node: LexborNode) -> str:
    """ "main" or "article" when the page says that this element is it, else ""."""
    if node.tag in ("main", "article"):
        return str(node.tag)
    attributes = node.attributes
    if attributes.get("role") == "main":
        return "main"
    return "article" if attributes.get("itemprop") == "articleBody" else ""


def _is_boilerplate(outline: Outline, at: int) -> bool:
    """Whether an element is furniture by its tag, role or class, and does not hold most of the page's text."""
    node, scores = outline.nodes[at], outline.scores
    attributes = node.attributes
    role = attributes.get("role") or ""
    names = f"{attributes.get('class') or ''} {attributes.get('id') or ''}".replace("_", "-")
    furniture = (
        (node.tag in BOILERPLATE and not (node.tag == "header" and _inside_article(outline, at)))
        or role in ("navigation", "banner", "contentinfo", "complementary", "search", "dialog", "alertdialog")
        or (
            node.tag in ("div", "section", "ul", "ol", "p", "span", "li", "table")
            and UNLIKELY.search(names) is not None
        )
    )
    talk = "comment" in names.lower() or "disqus" in names.lower() or "respond" in names.lower()
    return furniture and scores[at] <= (0.8 if talk else 0.4) * scores[0]


def _inside_article(outline: Outline, at: int) -> bool:
    while at > 0:
        at = outline.parents[at]
        if _calls_itself(outline.nodes[at]):
            return True
    return False


def _rendered(pick: Pick) -> Page:
    """The page laid out as text: parts with a blank line between, lines, list items, rows, code as it is."""
    page = Page()
    stack: list[tuple[LexborNode | None, str]] = [(pick.root.child, "")]
    numbers: list[int] = []
    while stack:
        node, closing = stack.pop()
        if node is None:
            if closing in ("ul", "ol"):
                numbers.pop()
            page.item = page.item and closing != "li"
            page.part(_breaks(closing, numbers))
            continue
        stack.append((node.next, "")) if node.next is not None else None
        if node.is_text_node:
            page.write(node.text_content or "")
        elif node.is_element_node and node.mem_id not in pick.without:
            _open(node, page, stack, numbers, pick)
    return page


def _open(
    node: LexborNode, page: Page, stack: list[tuple[LexborNode | None, str]], numbers: list[int], pick: Pick
) -> None:
    """Writes one element: whole if it is a heading, table or code, else it only parts lines and its inside follows."""
    tag = str(node.tag)
    if tag in PARTS or tag in LINES:
        page.part(_breaks(tag, numbers))
        if tag == "br" or tag == "hr":
            return
        stack.append((None, tag))
    if tag in LEVEL or tag == "pre":
        words = node.text().strip("\n") if tag == "pre" else " ".join(node.text(separator=" ").split())
        if words.strip():
            start = page.put(words)
            page.marks += [Mark(start, "heading", words, LEVEL[tag])] if tag in LEVEL else []
        return
    if tag == "table" and (rows := _rows(node, pick)):
        for row in rows:
            page.put(row)
            page.part(1)
        return
    if tag in ("ul", "ol"):
        numbers.append(0)
    if tag == "li" and numbers:
        numbers[-1] += 1
        ordered = node.parent is not None and node.parent.tag == "ol"
        page.put(f"{numbers[-1]}." if ordered else "-")
        page.blank = page.item = True
    if node.child is not None:
        stack.append((node.child, ""))


def _breaks(tag: str, lists: list[int]) -> int:
    """How many lines apart a block stands: a blank line between, but none inside a list."""
    return 1 if tag in LINES or (lists and tag in ("p", "ul", "ol")) else 2


def _rows(table: LexborNode, pick: Pick) -> list[str]:
    """The lines of a table of data, "header: value | header: value"; none if it only lays out the page."""
    if table.css_first("table table") or table.css_first("h1, h2, h3, pre, form") or len(table.css("tr")) < 2:
        return []
    grid = [list(row.css("td, th")) for row in table.css("tr")]
    words = [[" ".join(_rendered(Pick(cell, pick.without)).text().split()) for cell in row] for row in grid]
    cells = [cell for row in words for cell in row]
    if max(map(len, words)) < 2 or sum(map(len, cells)) > 150 * len(cells) or max(map(len, cells)) > 1_000:
        return []
    names: list[str] = []
    if len(grid[0]) > 1 and all(cell.tag == "th" for cell in grid[0]):
        names = words[0]
    lines = [" | ".join(filter(None, names))] if names and len(words) == 1 else []
    for row, line in zip(grid, words, strict=True):
        if line is not names:
            lines.append(_row(row, line, names))
    return [line for line in lines if line]


def _row(row: list[LexborNode], line: list[str], names: list[str]) -> str:
    if names and len(names) == len(line):
        return " | ".join(
            f"{name}: {value}" if name else value for name, value in zip(names, line, strict=True) if value
        )
    if len(line) > 1 and row[0].tag == "th" and row[1].tag == "td" and line[0]:
        return f"{line[0]}: {' | '.join(filter(None, line[1:]))}"
    return " | ".join(filter(None, line))


def _named(tree: LexborHTMLParser) -> tuple[str, str]:
    """What the page's head says its title is: for sharing, and for the window."""
    shared = tree.css_first('meta[property="og:title"]')
    window = tree.css_first("title")
    first = (shared.attributes.get("content") or "") if shared else ""
    return " ".join(first.split()), " ".join(window.text().split()) if window else ""


def _title(named: tuple[str, str], page: Page) -> str:
    """The title: the first great heading where the head's title begins with it, else the head's."""
    heading = next((mark.value for mark in page.marks if mark.number == 1), "")
    for title in named:
        if title:
            return heading if len(heading) > 3 and title.casefold().startswith(heading.casefold()) else title
    return heading


def _date(tree: LexborHTMLParser) -> float:
    """When the page says that it was changed or published, as POSIX seconds; 0 when it does not say."""
    for selector in DATES:
        node = tree.css_first(selector)
        words = (node.attributes.get("content") or node.attributes.get("datetime") or "") if node else ""
        try:
            when = datetime.fromisoformat(words.strip())
        except ValueError:
            continue
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    return 0.0
