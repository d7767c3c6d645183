"""A chat message becomes a video and a question; what cannot become one is refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from framework.bridges.messages import cut_at_stop, question, video_and_text

VIDEO = {"type": "video", "url": "film.mp4"}
TEXT = {"type": "text", "text": "Who wins?"}
LETTERED = "Watch.\nWho wins?\n{}\nAnswer with the letter."
IMAGE = {"type": "image", "url": "a.png"}


def turn(*content: dict[str, Any], role: str = "user") -> dict[str, Any]:
    return {"role": role, "content": list(content)}


def test_video_and_exact_text() -> None:
    assert video_and_text([turn(VIDEO, {"type": "text", "text": " Who\n wins? "})]) == ("film.mp4", " Who\n wins? ")
    assert video_and_text([turn(VIDEO, TEXT, {"type": "text", "text": "\nA. I"})]) == ("film.mp4", "Who wins?\nA. I")
    whole = {**VIDEO, "start_time": None, "end_time": None}
    assert video_and_text([turn(whole, TEXT)]) == ("film.mp4", "Who wins?")


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        ([turn(IMAGE, TEXT)], r"got content of \['image', 'text'\]"),
        ([turn(VIDEO, VIDEO, TEXT)], r"\['video', 'video', 'text'\]; expected one user turn"),
        ([turn(TEXT, VIDEO)], r"\['text', 'video'\]"),
        ([turn(VIDEO)], r"\['video'\]"),
        ([turn()], r"got content of \[\]"),
        ([{"role": "user", "content": "Who wins?"}], r"got content of \['text'\]"),
        ([turn(TEXT, role="system"), turn(VIDEO, TEXT)], r"turns of \['system', 'user'\]"),
        ([], r"turns of \[\]"),
        ([turn({"type": "video", "url": ["frame"]}, TEXT)], "a video of type list"),
        ([turn({**VIDEO, "start_time": 3.0}, TEXT)], r"a part of a video \(start_time\)"),
    ],
)
def test_what_is_no_question_about_one_video(messages: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        video_and_text(messages)


@pytest.mark.parametrize("options", ["A. red\nB. blue", "(A) red\n(B) blue", "A) red\nB) blue"])
@pytest.mark.parametrize("in_row", ["Who wins?", "Who wins?\nA. red\nB. blue"])  # some tasks keep the options in there
def test_the_row_says_which_words_are_the_question(options: str, in_row: str) -> None:
    text = LETTERED.format(options)
    made = question("t/0", text, {"question": in_row}, {"max_new_tokens": 16})
    assert (made.id, made.prompt, made.bare) == ("t/0", text, "Who wins?")
    assert made.options == ("red", "blue") and made.max_new_tokens == 16


@pytest.mark.parametrize("row", [{}, {"question": None}, {"question": "Another one?"}])
def test_without_the_row_all_before_the_options_is_the_question(row: dict[str, Any]) -> None:
    made = question("t/0", LETTERED.format("A. red\nB. blue"), row, {})
    assert made.bare == "Watch.\nWho wins?" and made.options == ("red", "blue")
    assert made.max_new_tokens == 128


def test_lettered_lines_before_the_question_are_no_options() -> None:
    text = "Subtitles:\nA. I said\nB. no\nWho wins?\nA. red\nB. blue\nC. none"
    assert question("t/0", text, {"question": "Who wins?"}, {}).options == ("red", "blue", "none")


def test_an_open_question_has_no_options() -> None:
    made = question("t/0", "Describe the video.", {"question": "Describe the video."}, {})
    assert made.options == () and made.bare == made.prompt == "Describe the video."


def test_stop_strings_end_an_answer_but_a_blank_line_does_not() -> None:
    said = "B\n\nbecause Q: why"
    assert cut_at_stop(said, {}) == cut_at_stop(said, {"until": ["\n\n"]}) == cut_at_stop(said, {"until": None}) == said
    assert cut_at_stop(said, {"until": ["\n\n", "Q:"]}) == cut_at_stop(said, {"until": "Q:"}) == "B\n\nbecause "
