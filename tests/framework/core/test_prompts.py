"""The exact text that a model reads."""

from __future__ import annotations

from framework.core.prompts import PromptTemplate

TEMPLATE = PromptTemplate("{letter}. {text}", "Answer with the letter.", "(", 1, 64)


def test_multiple_choice_has_one_line_per_option_and_the_instruction() -> None:
    question = TEMPLATE.question("q", " What's he doing? ", ("red, or blue?", "{text} {letter}"))
    assert question.prompt == "What's he doing?\nA. red, or blue?\nB. {text} {letter}\nAnswer with the letter."
    assert (question.bare, question.cue, question.max_new_tokens) == ("What's he doing?", "(", 1)


def test_an_open_question_is_its_own_prompt() -> None:
    question = TEMPLATE.question("q", "Why {so}?")
    assert (question.prompt, question.cue, question.max_new_tokens) == ("Why {so}?", "", 64)
