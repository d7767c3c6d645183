"""Reading letters: recorded responses, the traps one by one, and what holds for any text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.benchmarks.extraction import (
    clean,
    last_option,
    legacy_letter,
    legacy_mlvu,
    letter,
    longvideobench_letter,
)

TEXT = st.lists(
    st.sampled_from([*"ABCDEFGHab .,:;!?'\"()\n", "the answer is ", "I pick", "(C)", "答案是", "İ", "cat"]), max_size=12
).map("".join)


def test_recorded_responses(data: Path) -> None:
    cases = json.loads((data / "benchmarks" / "benchmarks_letter_extraction.json").read_text("utf-8"))
    assert len(cases) == 25
    for case in cases:
        response = case["response"]
        assert letter(response) == case["mcq_abcd"], response
        assert letter(response, "ABCDEF") == case["mcq_abcdef"], response
        assert legacy_letter(response) == case["legacy_videomme"], response
        assert legacy_mlvu(response) == case["legacy_mlvu"], response
        assert (longvideobench_letter(response) or "RANDOM") == case["lvb"], response


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("B", "B"),
        ("  .B.  ", "B"),
        ("\"'B' as in A. x", "A"),  # apostrophes are stripped before quotation marks: B does not come first
        ("B2", "B"),  # starts with a letter that no other letter follows
        ("Bad idea, take C", "C"),
        ("A or C", "A"),  # the start beats the end
        ("C or A", "C"),
        ("it is C", "C"),
        ("my DNA", "A"),  # no letter on its own: any letter, the last of them
        ("i CHOOSE d or B then C again C. B it is", "C"),  # after a phrase: first places 9 B, 16 C; the later wins
        ("not (B), I PICK the D one", "D"),  # the phrase beats parentheses
        ("(B) beats A. here", "B"),
        ("maybe (B), maybe (C), no", "C"),
        ("D. beats C: here", "D"),  # at the start
        ("so C: beats D) here", "C"),
        ("so D) beats A here", "D"),
        ("cat A. here", "A"),
        ("DNA. here", "A"),
        ("답은 B일 것 같다", "B"),
        ("我选C吧", "C"),
        ("答えはDです", "D"),
        ("the answer is (A). However, D", "D"),  # the end beats the phrase
        ("", ""),
        (" \n ", ""),
        ("...", ""),
        ("e", ""),
    ],
)
def test_letter(response: str, expected: str) -> None:
    assert letter(response) == expected


@settings(max_examples=50, deadline=None)
@given(TEXT, st.sampled_from(["ABCD", "ABCDEF"]))
def test_letter_is_a_choice_that_stands_in_the_text(response: str, choices: str) -> None:
    found = letter(response, choices)
    assert found in ("", *choices) and found in response
    assert bool(found) == any(choice in response for choice in choices)
    assert letter(f" {response}\n", choices) == found


@settings(max_examples=25, deadline=None)
@given(st.sampled_from("ABCD"), st.text(alphabet="efgh ,", max_size=8), st.text(alphabet="efgh ,", max_size=8))
def test_a_single_letter_in_parentheses_is_found(choice: str, before: str, after: str) -> None:
    assert letter(f"{before}({choice}){after}") == choice
    assert legacy_letter(f"{before}({choice}){after}") == choice
    assert legacy_mlvu(f"{before}({choice}){after}") == choice
    assert last_option(f"{before}({choice}){after}", ["w", "x", "y", "z"]) == choice


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("The best option is B", "B"),
        ("Best option: C", "B"),  # not deleted, for want of a comma: the B of "Best"
        ("Because of that", "B"),  # the first letter of any word
        ("The answer is Definitely A", "D"),
        ("the answer is c", ""),
        ("E", ""),
    ],
)
def test_legacy_letter(response: str, expected: str) -> None:
    assert legacy_letter(response) == expected


@pytest.mark.parametrize(
    ("response", "expected"),
    [("B)", "B"), (") x", ""), ("(b) or (C)", "b"), ("A.", "A."), ("Best Option: (D) y", "D")],
)
def test_legacy_mlvu(response: str, expected: str) -> None:
    assert legacy_mlvu(response) == expected


@pytest.mark.parametrize(
    ("response", "expected"),
    [("Best option: E", "E"), ("Best answer: D", "D"), ("Answer: C", "A"), ("none", ""), ("F", "")],
)
def test_longvideobench_letter(response: str, expected: str) -> None:
    assert longvideobench_letter(response) == expected


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("(A) or (C) or (A)", "A"),
        ("(A) although B stands alone", "A"),
        ("A or B then A again", "A"),
        ("A or B then caA again", "B"),  # "A " is named by its word, too, but stands alone only before
        ("x. A. B.x", "A"),  # only "A." and "B." match, none between spaces: the first
        ("B.", "B"),
        ("it is just the red kite", "A"),
        ("it is the red kite", ""),  # too few words for the text of an option
        ("it must have been the red kite, not a blue one", "B"),
        ("", ""),
    ],
)
def test_last_option(response: str, expected: str) -> None:
    assert last_option(response, ["red kite", "blue", "boat"]) == expected


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (" B \n", "B"),
        ("<think>A?</think> B", "B"),
        ("<think>A?</think>B<think>C?</think>", "B"),
        ("A? no: C</think> B", "B"),
        ("A</think>C</think>B", "B"),
        ("<analysis>\nA\n</analysis>\nB", "B"),
        ("<THINK>A</THINK> B", "<THINK>A</THINK> B"),
        ("<think>A B", "<think>A B"),
        ("</think>A<think>", "</think>A<think>"),
    ],
)
def test_cleaned(response: str, expected: str) -> None:
    assert clean(response) == expected
