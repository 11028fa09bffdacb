from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quoth.answer import answer
from quoth.answer.question import content, kind_of, stems, tokens, understand
from quoth.types import Hit

NOTES = {
    "/n/inverter.md": (
        "# Inverter\n\nThe inverter was installed by Solar Brandt in May 2021. It cost 2,340 euros.\n\n"
        "## Warranty\n\nThe warranty of the inverter ends on 14 May 2031. Repairs need the serial number.\n"
    ),
    "/n/garden.md": "# Garden\n\nTomatoes are sown in March. The compost heap is turned twice a year.\n",
    "/n/bike.md": "# Bicycle\n\nThe chain was replaced in 2022. The tyres are 700 x 32.\n",
}


def encode(texts: Sequence[str]) -> np.ndarray:
    """Vectors that are near when texts share words."""
    vectors = np.zeros((len(texts), 64), dtype=np.float32)
    for row, text in enumerate(texts):
        for word in text.lower().replace("?", " ").replace(".", " ").split():
            vectors[row, sum(map(ord, word)) % 64] += 1
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def hits(question: str, notes: dict[str, str] = NOTES) -> list[Hit]:
    asked = set(question.lower().strip("?").split())
    found = []
    for path, text in notes.items():
        shared = len(asked & set(text.lower().replace(".", " ").split()))
        cosine = float((encode([question]) @ encode([text]).T)[0, 0])
        found.append((shared + cosine, path, text, float(shared), cosine))
    found.sort(reverse=True)
    return [
        Hit(rank, score, rank, path, path, text, 0, len(text), words=words, vectors=cosine)
        for rank, (score, path, text, words, cosine) in enumerate(found, 1)
    ]


def ask(question: str, notes: dict[str, str] = NOTES):
    return answer(question, hits(question, notes), notes.__getitem__, encode, encode([question])[0])


def test_the_first_quote_is_the_sentence_that_answers_and_is_verbatim() -> None:
    draft = ask("When does the warranty of the inverter end?")
    first = (*draft.quotes, *draft.also)[0]
    assert first.text == "The warranty of the inverter ends on 14 May 2031."
    assert NOTES[first.document][first.start : first.end] == first.text


def test_quotes_neither_overlap_nor_repeat_each_other() -> None:
    copies = {f"/n/{number}.md": NOTES["/n/inverter.md"] for number in range(3)}
    draft = ask("When does the warranty of the inverter end?", copies)
    every = (*draft.quotes, *draft.also)
    assert len({quote.text for quote in every}) == len(every)


def test_a_sentence_that_leans_on_the_one_before_takes_it_along() -> None:
    draft = ask("How much did it cost in euros?")
    text = "The inverter was installed by Solar Brandt in May 2021. It cost 2,340 euros."
    assert text in [quote.text for quote in (*draft.quotes, *draft.also)]


def test_a_sentence_that_only_says_the_question_again_is_not_what_answers() -> None:
    question = "When does the warranty of the inverter end?"
    notes = NOTES | {
        "/n/log.txt": f"What was asked.\n\n- today: {question} (rated right)\n\n- before: What is 2 + 2?\n"
    }
    draft = ask(question, notes)
    assert (draft.answered, draft.quotes[0].text) == (True, "The warranty of the inverter ends on 14 May 2031.")
    said = "On 14 May 2031, says the certificate."
    faq = {"/n/faq.md": f"# Questions\n\n## {question}\n\n{said}\n\n## And then?\n\nNothing.\n"}
    draft = ask(question, faq)
    assert draft.answered
    assert said in draft.quotes[0].text


def test_a_sentence_that_ends_in_a_colon_takes_along_what_it_announces() -> None:
    notes = {"/n/log.md": "# Pump\n\nTo empty the pump, turn the valve to this mark:\n\n    open 3/4\n\nThen wait.\n"}
    draft = ask("Where is the valve turned to empty the pump?", notes)
    assert draft.quotes[0].text == "To empty the pump, turn the valve to this mark:\n\n    open 3/4"


def test_a_heading_is_not_quoted_alone() -> None:
    draft = ask("Warranty")
    assert "Warranty" not in [quote.text for quote in (*draft.quotes, *draft.also)]


def test_passages_of_a_document_that_changed_are_left_out_with_a_note() -> None:
    question = "When does the warranty of the inverter end?"
    changed = NOTES | {"/n/inverter.md": "Something else altogether is written here now."}
    draft = answer(question, hits(question), changed.__getitem__, encode, encode([question])[0])
    assert "/n/inverter.md" not in [quote.document for quote in (*draft.quotes, *draft.also)]
    assert "quoth sync" in draft.notes[0]


def test_a_document_that_changes_while_it_is_quoted_loses_its_quotes() -> None:
    question = "When does the warranty of the inverter end?"
    reads = dict.fromkeys(NOTES, 0)

    def texts(path: str) -> str:
        reads[path] += 1
        return NOTES[path] if reads[path] < 4 else NOTES[path].replace("20", "19")

    draft = answer(question, hits(question), texts, encode, encode([question])[0])
    assert all(quote.text in NOTES[quote.document].replace("20", "19") for quote in (*draft.quotes, *draft.also))


def test_no_hits_are_a_refusal_without_confidence() -> None:
    draft = answer("Anything?", [], NOTES.__getitem__, encode, encode(["Anything?"])[0])
    assert (draft.answered, draft.confidence, draft.quotes, draft.also) == (False, 0.0, (), ())


def test_a_refusal_names_the_nearest_stretches_of_different_passages() -> None:
    draft = ask("Who conducted the Vienna Philharmonic in Tokyo?")
    assert not draft.answered
    assert draft.confidence < draft.threshold
    assert len({quote.hit for quote in draft.also}) == len(draft.also) == 3


@pytest.mark.parametrize(
    "question", ["?", "warranty", "متى ينتهي الضمان؟", "保修期什么时候结束？", "a " * 4000, "\x00\x01"]
)
def test_odd_questions_get_an_answer_or_a_refusal(question: str) -> None:
    draft = ask(question)
    assert 0 <= draft.confidence <= 1
    assert all(NOTES[quote.document][quote.start : quote.end] == quote.text for quote in (*draft.quotes, *draft.also))


def test_an_odd_document_is_quoted_verbatim_too() -> None:
    notes = {"/n/odd.txt": "warranty\r\n\r\n\u0301e\u200d\U0001f600 warranty ends ١٤ مايو\tnow؟ warranty"}
    draft = ask("warranty ends", notes)
    assert all(notes[quote.document][quote.start : quote.end] == quote.text for quote in (*draft.quotes, *draft.also))


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("When does the warranty end?", "time"),
        ("What year was it built?", "time"),
        ("Who built it?", "person"),
        ("How many people live there?", "amount"),
        ("What percentage of people agreed?", "amount"),
        ("Where is the shed?", "place"),
        ("Why is the sky blue?", "reason"),
        ("Wann endet die Garantie?", "time"),
        ("¿Quién lo construyó?", "person"),
        ("warranty", "other"),
    ],
)
def test_the_kind_of_answer_is_read_from_the_question(question: str, kind: str) -> None:
    assert kind_of(question) == kind


def test_rare_words_weigh_more_and_weights_add_up_to_one() -> None:
    passages = ["the price of oil", "oil prices rose", "a comb jelly, or ctenophora, in oil"]
    about = understand("What is the price of Ctenophora oil?", passages)
    assert sum(about.weights.values()) == pytest.approx(1)
    assert sorted(about.weights, key=about.weights.__getitem__) == ["oil", "pric", "ctenophora"]
    assert about.known == pytest.approx(1)


def test_lines_that_only_say_where_a_link_leads_are_not_quoted() -> None:
    text = "Garden docs are chaired by Mara.\n\n[garden docs]: https://garden.example/docs\n[chaired docs]:\n"
    draft = ask("Who chairs the garden docs?", {"/n/docs.md": text})
    assert not any("]:" in quote.text for quote in (*draft.quotes, *draft.also))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["It's", "rain's", "O'Neil'S", "İstanbul", "don’t", "a_b", "1,5", "雨が降る", "\n", "-", "ß", "x'"]
        )
    )
)
def test_words_are_the_same_whatever_stands_beside_them(words: list[str]) -> None:
    # texts of ASCII alone are taken apart in another way than those with anything else
    text = " ".join(words)
    assert tokens(text) == [one for word in words for one in tokens(word)]
    assert tokens(f"{text} é")[:-1] == tokens(text)
    assert stems(text) == frozenset(content(text))
