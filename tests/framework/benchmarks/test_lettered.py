"""Options inside a question's text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.benchmarks.lettered import letter_options


@pytest.mark.parametrize(
    ("text", "stem", "options"),
    [
        ("How fast?\nA. slow\nB. fast", "How fast?", ("slow", "fast")),
        ("How fast?\n(A) slow\n(B) fast\n", "How fast?", ("slow", "fast")),
        ("How fast?\nA) slow\nB) fast\nAnswer with a letter.", "How fast?", ("slow", "fast")),
        ("Two lines,\none question?\nA. a. b\nB. (B)", "Two lines,\none question?", ("a. b", "(B)")),
        ("A. Smith plays?\nA. yes\nB. no", "A. Smith plays?", ("yes", "no")),
        (
            "What is shown?\nC. not the first\nD. nor the second",
            "What is shown?\nC. not the first\nD. nor the second",
            (),
        ),
        ("Only one?\nA. one", "Only one?\nA. one", ()),
        ("A. no stem\nB. at all", "A. no stem\nB. at all", ()),
        (" Is it red? ", "Is it red?", ()),
    ],
)
def test_stem_and_options(text: str, stem: str, options: tuple[str, ...]) -> None:
    assert letter_options(text) == (stem, options)
    assert stem in text


_texts = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1).map(str.strip).filter(bool)


@settings(max_examples=50, deadline=None)
@given(
    stem=st.text("what is it?", min_size=1).map(str.strip).filter(bool),
    options=st.lists(_texts, min_size=2, max_size=6),
)
def test_what_was_put_together_is_taken_apart(stem: str, options: list[str]) -> None:
    lines = [f"({chr(ord('A') + i)}) {text}" for i, text in enumerate(options)]
    assert letter_options("\n".join([stem, *lines])) == (stem, tuple(options))
