from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quoth.answer.sentences import LONGEST, bare, is_heading, sentences


def cut(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


@given(st.text(alphabet=st.sampled_from("aB1. !?\n\t。؟-*#|\"')[],:;éñक।\u200d\r😀")) | st.text())
def test_sentences_hold_every_character_that_is_not_space_once(text: str) -> None:
    spans = sentences(text)
    assert "".join("".join(text[start:end].split()) for start, end in spans) == "".join(text.split())
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    assert all(0 < end - start <= LONGEST and text[start:end] == text[start:end].strip() for start, end in spans)


@given(st.text(), st.integers(0, 50), st.integers(0, 50))
def test_sentences_of_a_part_stay_inside_it(text: str, start: int, length: int) -> None:
    start = min(start, len(text))
    end = min(len(text), start + length)
    assert all(start <= one[0] < one[1] <= end for one in sentences(text, start, end))


def test_abbreviations_initials_and_decimals_end_no_sentence() -> None:
    text = "Dr. Smith of the U.S. Army met J. K. Rowling (Fig. 3) for 3.5 hours, e.g. on Jan. 5. Why? No. I left."
    assert cut(text) == [
        "Dr. Smith of the U.S. Army met J. K. Rowling (Fig. 3) for 3.5 hours, e.g. on Jan. 5.",
        "Why?",
        "No.",
        "I left.",
    ]


def test_a_sentence_may_end_in_an_abbreviation() -> None:
    assert cut("They moved to the U.S. The rest stayed. Paper, ink, etc. It rained.") == [
        "They moved to the U.S.",
        "The rest stayed.",
        "Paper, ink, etc.",
        "It rained.",
    ]


def test_quotation_marks_and_note_numbers_stay_with_their_sentence() -> None:
    assert cut('He said "Stop!" The oil ran out.[12] It cost $3.') == [
        'He said "Stop!"',
        "The oil ran out.[12]",
        "It cost $3.",
    ]


def test_a_line_break_inside_a_wrapped_paragraph_is_a_space() -> None:
    text = "This paragraph was wrapped by a reader of PDF files at about seventy\ncharacters. So it goes\non."
    assert cut(text) == [
        "This paragraph was wrapped by a reader of PDF files at about seventy\ncharacters.",
        "So it goes\non.",
    ]


def test_lists_tables_headings_and_fields_are_cut_by_line() -> None:
    text = (
        "# Costs\n- rent is due\n- power\n1. First\n2. Second\nOwner: Bob\nSerial: 12\n\n"
        "| a | b |\n|---|---|\n| 1 | 2 |"
    )
    assert cut(text) == text.replace("\n\n", "\n").split("\n")


def test_code_is_cut_by_line() -> None:
    text = "```python\ndef f(x):\n    return g(x)\n```\nconst a = 1;\nconst b = 2;"
    assert cut(text) == [line.strip() for line in text.split("\n")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("这是第一句。这是第二句！真的吗？", ["这是第一句。", "这是第二句！", "真的吗？"]),
        ("هل هذا سؤال؟ نعم هذا جواب.", ["هل هذا سؤال؟", "نعم هذا جواب."]),
        ("यह एक वाक्य है। यह दूसरा है।", ["यह एक वाक्य है।", "यह दूसरा है।"]),
    ],
)
def test_other_scripts_end_sentences_in_their_own_way(text: str, expected: list[str]) -> None:
    assert cut(text) == expected


def test_a_text_without_endings_is_cut_at_spaces() -> None:
    text = "word " * 400
    assert all(set(one.split()) == {"word"} for one in cut(text))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("- rent", "rent"),
        ("12. rent", "rent"),
        ("## Costs", "Costs"),
        ("> - said", "said"),
        ("-5 °C", "-5 °C"),
        ("-", "-"),
    ],
)
def test_bare_drops_bullets_numbers_and_heading_signs(line: str, expected: str) -> None:
    start, end = bare(line, 0, len(line))
    assert line[start:end] == expected


def test_headings_are_told_from_sentences_fields_and_items() -> None:
    text = "# Costs\n\nRent\n\nRent is 5.\n\n- power\n\nOwner: Bob"
    assert [is_heading(text, start, end) for start, end in sentences(text)] == [True, True, False, False, False]
