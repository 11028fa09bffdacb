"""What a question about the whole library wants: to count, to list or to sum up, and which documents.

English, by rules, and careful: a question counts as one about the library only when every part of it was understood
so ("how many files mention the roof", not "how many files can the server open"). Its dates, kinds and folders become
filters, what is left are words that must stand in a passage.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass, field, replace
from typing import Literal

from quoth.query import merged
from quoth.types import Filters

Does = Literal["count", "list", "sum up"]
LONGEST = 300
"""Characters from which on a question is not understood as one about the whole library."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A question about the whole library, taken apart.

    `noun` names what is counted, in singular and plural; `kinds` it stands for are in `filters`. `sort` is a word by
    which a document is known as one of them (an invoice says "invoice"), `topic` the words of one passage of it.
    """

    does: Does
    noun: tuple[str, str] = ("document", "documents")
    sort: str = ""
    topic: str = ""
    filters: Filters = field(default_factory=Filters)


# What a library has many of: (singular, plural), the kinds it means, and how it is said.
_KINDS: tuple[tuple[tuple[str, str], tuple[str, ...], str], ...] = (
    (("PDF", "PDFs"), ("pdf",), r"pdfs?(?: files?| documents?)?"),
    (("mail", "mails"), ("mail", "msg"), r"e-?mails?|mails?|e-?mail messages?|mail messages?"),
    (
        ("spreadsheet", "spreadsheets"), ("xlsx", "xls", "ods", "csv"),
        r"spread ?sheets?|excel (?:files?|documents?|sheets?)",
    ),
    (
        ("presentation", "presentations"), ("pptx", "ppt", "odp"),
        r"presentations?|slide ?decks?|power ?points?(?: files?)?",
    ),
    (("Word document", "Word documents"), ("docx", "doc"), r"word (?:files?|documents?)"),
    (("image", "images"), ("image",), r"image files?|images?|photos?|pictures?|scans?"),
    (("web page", "web pages"), ("html",), r"web ?pages?|html (?:files?|pages?|documents?)"),
    (("text file", "text files"), ("text",), r"text files?|plain text files?"),
    (("notebook", "notebooks"), ("notebook",), r"jupyter notebooks?|notebook files?"),
    (("e-book", "e-books"), ("epub", "fb2"), r"e-?books?"),
    (("file of code", "files of code"), ("code",), r"source files?|code files?|scripts?"),
)  # fmt: skip
_NAMED = (
    r"(?P<kind>markdown|html|docx|xlsx|pptx|odt|ods|odp|rtf|epub|csv|mbox|eml|rst|org|asciidoc|latex|tex|doc|xls|ppt"
    r"|json|yaml|xml|toml|md|txt|png|jpe?g|py|srt|vtt) (?:files?|documents?)"
)
_GENERAL = r"documents?|files?|notes?|docs"
_SORTS = (
    r"invoices?|letters?|reports?|papers?|articles?|recipes?|contracts?|receipts?|bills?|protocols?|memos?|manuals?"
    r"|certificates?|tickets?|books?|messages?|minutes|pages?|statements?|agreements?|policies|policy"
)
_OF = r"(?:of )?(?:all )?(?:of )?(?:the|my|our|these|those|different)? ?"
_ONLY_WITH_WORDS = {"image", "page", "book", "letter", "message"}
"""Nouns that the world is full of: "how many pages are there" may well be about a book."""

_STRONG = (
    r"(?:that |which |who )?(?:(?:do|does|is|are) )?(?:mention(?:s|ed|ing)?|contain(?:s|ing)?"
    r"|talk(?:s|ing)? (?:about|of)|speak(?:s|ing)? (?:about|of)|discuss(?:es|ed|ing)?|deal(?:s|ing)? with|refer(?:s"
    r"|ring)? to|includ(?:e|es|ing)"
    r"|say(?:s|ing)?|cover(?:s|ing)?|describ(?:e|es|ing)|cit(?:e|es|ing)|about|regarding|concerning|concern(?:s"
    r"|ed with)?"
    r"|hold(?:s|ing)?|(?:have|has|with|having) (?:something|anything) (?:about|on|to do with))"
)
_ABOUT = re.compile(r"(?:do |that )?(?:mention|discuss|talk|speak|refer|cite|about|deal)", re.I)
_WHERE = r"(?:in which|where) (?P<named>.+?) (?:is|are|was|were) (?:mentioned|named|discussed|cited|described)"
_WEAK = r"(?:that are |which are |are )?(?:from|to|by|on|for|with|of)"
_WORDS = r"(?:the )?(?:words?|terms?|phrase|name) (?:of )?|something (?:about|on) |anything (?:about|on) "
_PARTICIPLE = r"changed|modified|edited|updated|written|sent|received|created|added|saved|dated|made|last changed"
_WERE = (
    r"(?:that |which )?(?:(?:are|is|were|was|been|have been|has been|had been|got) )?"
    rf"(?:(?:{_PARTICIPLE}|date|come|stem) )?"
)

_MONTHS = "january february march april may june july august september october november december".split()  # noqa: SIM905
_MONTH = "|".join(f"{name[:3]}(?:{name[3:]})?" if len(name) > 3 else name for name in _MONTHS)
_DATE = (
    rf"\d{{4}}-\d{{2}}-\d{{2}}|\d{{4}}-\d{{2}}|(?:{_MONTH})\.? \d{{1,2}},? \d{{4}}"
    rf"|\d{{1,2}}\.? (?:{_MONTH})\.? \d{{4}}|(?:{_MONTH})\.? \d{{4}}|(?:1[89]|20)\d{{2}}|today|yesterday|(?:this"
    rf"|last) (?:week|month|year)"
)
_SPAN = re.compile(
    rf"(?:(?:between|from) (?P<from>{_DATE}) (?:and|to|until|till) (?P<to>{_DATE})"
    rf"|(?:since|starting (?:from|in)) (?P<since>{_DATE})|from (?P<on>{_DATE}) on(?:wards?)?"
    rf"|(?:after|later than|newer than|younger than) (?P<after>{_DATE})"
    rf"|(?:before|older than|earlier than) (?P<before>{_DATE})"
    rf"|(?:until|till|up to) (?P<until>{_DATE})"
    rf"|(?:(?:from|in|of|during|on|within) )?(?P<in>{_DATE}))(?![\w-])",
    re.I,
)
_TRAILING = re.compile(rf" {_WERE}(?=since |after |before |until |till |between |newer |older |later |earlier )", re.I)

_FOLDER = re.compile(
    r"(?:(?:that |which )?(?:are|is|lie|lies) )?(?:in|inside|from|under|below|of) (?:"
    r"(?:the |my |our )?(?:folder|directory) (?:called |named )?[\"“']?(?P<folder>[^\s\"”']+)[\"”']?"
    r"|(?:the |my |our )(?P<before>[\w.-]+) (?:folder|directory)"
    r"|(?P<path>[~/]\S*/\S*)"
    r"|(?:here|(?:the|my|our|this) (?:whole |entire )?"
    r"(?:library|collection|archive|folder|directory|files|documents|notes))"
    r")(?![\w-])",
    re.I,
)
_THERE = re.compile(
    r"(?:are there|is there|there are|are here|do (?:i|we|you) have|did (?:i|we) (?:keep|save)|have (?:i|we"
    r"|you)(?: got)?"
    r"|i have|we have|you have|exist|in total|altogether|in all|at all)(?![\w-])",
    re.I,
)

_POLITE = re.compile(
    r"(?:(?:please|kindly|hi|hello|ok|so|and)[,!]? |(?:can|could|would|will) you (?:please )?|i (?:want|need"
    r"|would like)"
    r" (?:you )?to )+",
    re.I,
)
_COUNT = re.compile(
    r"(?:how many|(?:what(?: is|'s) |give me |tell me )?the number of|number of|count(?: up)?(?: all| every)?) ", re.I
)
_LIST = re.compile(
    r"(?:(?:list|show|give|find|name|enumerate|get|display|print)(?: me| us)?(?: out)? (?:all|every|each)(?: of)? "
    r"|(?P<plain>list|enumerate)(?: me| us)? |(?P<start>all|every|each)(?: of)? )",
    re.I,
)
_WHICH = re.compile(r"(?:(?P<which>in which|which)|what) (?:of )?", re.I)
_MENTIONS = re.compile(
    r"(?:(?:list|show|find|count|give|get)(?: me| us)? (?:all|every|the)? ?(?:mentions?"
    r"|occurrences?) of (?P<listed>.+)"
    r"|how (?:often|many times) (?:is|are|was|were|do|does) (?P<counted>.+?) (?:mentioned|named|cited|appear|occur"
    r"|come up)"
    r"(?: in (?:the|my|our) (?:library|files|documents|notes))?)$",
    re.I,
)
_SUM_UP = re.compile(
    r"(?:summari[sz]e|sum up"
    r"|(?:give|write|make|show)(?: me| us)? (?:a |an |the )?(?:short |brief )?(?:summary|overview|digest) (?:of"
    r"|over)|(?:a |an )?(?:short |brief )?(?:summary|overview|digest) of)(?: |$)",
    re.I,
)
_ALL = re.compile(
    r"(?:(?:everything|it all|all(?: of)?(?: it| this| that)?|(?:all (?:of )?)?(?:the|my|our|this|these|those)?"
    r" ?(?:whole |entire |complete )?(?:folder|directory|library|collection|archive|contents?))(?![\w-]) ?)"
    r"(?:that (?:is |was )?|i have |we have |there is )?",
    re.I,
)  # fmt: skip


def wanted(question: str, filtered: bool = False, forced: bool = False) -> Wanted | None:
    """What a question, without its operators, wants of the whole library; None when it is an ordinary one.

    `filtered` says that operators narrow it: "summarise in:notes" is whole then. A `forced` question is always taken
    as one: what it has in it must stand in the documents.
    """
    text = " ".join(question.split()).strip(" ?!.…")
    if len(text) > LONGEST:
        return Wanted("list", topic=text) if forced else None
    polite = _POLITE.match(text)
    text = text[polite.end() :] if polite else text
    found = _mentions(text) or _summed(text, filtered) or _counted(text, forced)
    return found or (Wanted("list", topic=text) if forced else None)


def _mentions(text: str) -> Wanted | None:
    found = _MENTIONS.match(text)
    if found is None:
        return None
    return Wanted("list" if found["listed"] else "count", topic=found["listed"] or found["counted"])


def _summed(text: str, filtered: bool) -> Wanted | None:
    begin = _SUM_UP.match(text)
    if begin is None:
        return None
    rest = text[begin.end() :].strip()
    if not rest:
        return Wanted("sum up") if filtered else None
    whole = _ALL.match(rest)
    if whole and (found := _narrowed(Wanted("sum up"), rest[whole.end() :].strip(), {"strong", "weak"})):
        return found
    if (folder := _FOLDER.fullmatch(f"in {rest}")) and _named(folder):
        return Wanted("sum up", filters=_named(folder) or Filters())
    noun = _noun(re.sub(r"^all (?:of )?", "", rest, flags=re.I), "sum up")
    if noun is None:
        return None
    found, after = noun
    said = rest[: len(rest) - len(after)].strip().lower()
    return _narrowed(found, after, {"strong", "weak"}) if said.endswith("s") else None


def _counted(text: str, forced: bool) -> Wanted | None:
    """A question that counts or lists documents; when `forced`, whatever else it says must stand in them."""
    does: Does
    if begin := _COUNT.match(text):
        does, verbs = "count", {"strong", "weak"}
    elif begin := _LIST.match(text):
        does, verbs = "list", {"strong", "weak"}
    elif begin := _WHICH.match(text):
        does, verbs = "list", {"strong", "which"} if begin["which"] else {"what"}
    else:
        return None
    noun = _noun(text[begin.end() :], does)
    if noun is None:
        return None
    found, rest = noun
    if forced:
        return _narrowed(found, rest, {"strong", "weak", "which"}) or replace(found, topic=rest)
    said = text[: len(text) - len(rest)].strip().lower()
    single = not said.endswith(("s", "minutes"))
    if single and not re.search(r"\b(?:every|each)\b", said):
        return None
    if does == "list" and not rest and re.match(r"(?:which|what|in)\b|(?:all|every|each)\b", text, re.I):
        return None  # "which files", "all files" ask nothing
    if "what" in verbs and not _ABOUT.match(rest):
        return None
    made = _narrowed(found, rest, verbs)
    vague = found.noun[0] in _ONLY_WITH_WORDS or bool(found.sort)
    if made and does == "count" and vague and made.topic == found.topic and made.filters == found.filters:
        return made if re.search(r"\b(?:i|we|my|our)\b|^are there$|^there are$", rest, re.I) else None
    return made


def _noun(text: str, does: Does) -> tuple[Wanted, str] | None:
    """What is counted or listed, and the text after it."""
    begin = re.match(_OF, text, re.I)
    rest = text[begin.end() :] if begin else text
    for noun, kinds, said in _KINDS:
        if match := re.match(rf"(?:{said})(?![\w-])", rest, re.I):
            return Wanted(does, noun, filters=Filters(kinds=kinds)), rest[match.end() :].strip()
    if match := re.match(rf"{_NAMED}(?![\w-])", rest, re.I):
        kind = match["kind"].lower()
        name = kind if len(kind) > 4 else kind.upper()
        found = Wanted(does, (f"{name} file", f"{name} files"), filters=Filters(kinds=(kind,)))
        return found, rest[match.end() :].strip()
    if match := re.match(rf"(?:{_GENERAL})(?![\w-])", rest, re.I):
        noun = ("file", "files") if match[0].lower().startswith("file") else ("document", "documents")
        return Wanted(does, noun), rest[match.end() :].strip()
    if match := re.match(rf"(?:{_SORTS})(?![\w-])", rest, re.I):
        word = match[0].lower()
        one = "policy" if word == "policies" else word if word == "minutes" else word.removesuffix("s")
        many = {"policy": "policies", "minutes": "minutes"}.get(one, f"{one}s")
        if one in ("page", "message"):
            return Wanted(does), rest[match.end() :].strip()
        return Wanted(does, (one, many), sort=one), rest[match.end() :].strip()
    return None


def _narrowed(found: Wanted, rest: str, verbs: set[str]) -> Wanted | None:
    """The rest of the question as filters and topic, or None when a part of it says something else."""
    filters, rest = found.filters, f" {rest}".rstrip()
    while rest.strip():
        rest = re.sub(r"^ (?:and|that|which) (?=are |were |was |lie |have been )", " ", rest, flags=re.I)
        begin = re.match(rf" {_WERE}", rest, re.I)
        at = begin.end() if begin else 1
        if (there := _THERE.match(rest, 1)) or (there := _FOLDER.match(rest, 1)):
            if there.re is _FOLDER and (named := _named(there)):
                filters = merged(filters, named)
            rest = rest[there.end() :]
        elif (span := _SPAN.match(rest, at)) and (days := _days(span)):
            filters = merged(filters, days)
            rest = rest[span.end() :]
        else:
            break
    rest = rest.strip()
    if not rest:
        return replace(found, filters=filters)
    for trailing in _TRAILING.finditer(rest):
        span = _SPAN.fullmatch(rest, trailing.end())
        if span and (days := _days(span)):
            filters, rest = merged(filters, days), rest[: trailing.start()]
            break
    topic = _topic(rest, verbs)
    return replace(found, filters=filters, topic=topic) if topic else None


def _topic(rest: str, verbs: set[str]) -> str:
    """The words that must stand in a passage; "" when the rest says something else."""
    if where := re.fullmatch(_WHERE, rest, re.I):
        return where["named"]
    verb = re.match(rf"{_STRONG} ", f"{rest} ", re.I)
    if verb is None and "weak" in verbs:
        verb = re.match(rf"{_WEAK} ", rest, re.I)
    if verb is None and "which" in verbs:
        verb = re.match(r"are (?:from|by|about) ", rest, re.I)
    if verb is None:
        return ""
    return re.sub(rf"^(?:{_WORDS}|that )", "", rest[verb.end() :].strip(), flags=re.I).strip(" \"'“”")


def _named(folder: re.Match[str]) -> Filters | None:
    """The filter of a folder that is named; None for the library itself."""
    from quoth.query import place

    name = folder["folder"] or folder["before"] or folder["path"]
    return Filters(folders=(place(name),)) if name and name.lower() not in ("whole", "entire", "same") else None


def _days(span: re.Match[str]) -> Filters | None:
    """The filter of a stretch of time; "after 2023" begins with 2024, and "after 2023-05-01" with that day."""
    try:
        if span["from"]:
            return Filters(after=_period(span["from"])[0], before=_period(span["to"])[1])
        if since := span["since"] or span["on"]:
            return Filters(after=_period(since)[0])
        if span["after"]:
            first, end = _period(span["after"])
            return Filters(after=first if end - first < 2 * 86_400 else end)
        if span["before"]:
            return Filters(before=_period(span["before"])[0])
        if span["until"]:
            return Filters(before=_period(span["until"])[1])
        first, end = _period(span["in"])
        return Filters(after=first, before=end)
    except (ValueError, OverflowError):
        return None


def _period(text: str) -> tuple[float, float]:
    """The first second of a day, week, month or year, and the first one after it; `ValueError` for 30 February."""
    first, end = _dates(text.lower())
    return _stamp(first), _stamp(end)


def _stamp(date: datetime.date) -> float:
    return datetime.datetime.combine(date, datetime.time()).astimezone().timestamp()


def _dates(text: str) -> tuple[datetime.date, datetime.date]:
    today = datetime.date.today()
    day = datetime.timedelta(days=1)
    if text in ("today", "yesterday"):
        first = today if text == "today" else today - day
        return first, first + day
    which, _, unit = text.partition(" ")
    if which in ("this", "last"):
        back = which == "last"
        if unit == "week":
            first = today - today.weekday() * day - 7 * back * day
            return first, first + 7 * day
        if unit == "year":
            return datetime.date(today.year - back, 1, 1), datetime.date(today.year - back + 1, 1, 1)
        return _month(*((today.year, today.month - back) if today.month > back else (today.year - 1, 12)))
    numbers = [int(one) for one in re.findall(r"\d+", text)]
    named = next((number for number, name in enumerate(_MONTHS, 1) if re.search(rf"\b{name[:3]}", text)), 0)
    if named:
        year = next(one for one in numbers if one > 31)
        days = [one for one in numbers if one <= 31]
        if not days:
            return _month(year, named)
        first = datetime.date(year, named, days[0])
        return first, first + day
    if len(numbers) == 1:
        return datetime.date(numbers[0], 1, 1), datetime.date(numbers[0] + 1, 1, 1)
    if len(numbers) == 2:
        return _month(*numbers)
    first = datetime.date(*numbers)
    return first, first + day


def _month(year: int, month: int) -> tuple[datetime.date, datetime.date]:
    return datetime.date(year, month, 1), datetime.date(year + month // 12, month % 12 + 1, 1)
