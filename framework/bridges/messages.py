"""From a chat message of an evaluation program to a video and our question about it. Pure; imports no such program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from framework.benchmarks.lettered import letter_options
from framework.core.types import Question

NEW_TOKENS = 128  # of an answer, where the task does not say: what lmms-eval's own Qwen2.5-VL takes
ONE_TURN = "expected one user turn: one video file, then the text (task keys: doc_to_visual, doc_to_messages)"


def question(identity: str, text: str, row: Mapping[str, Any], settings: Mapping[str, Any]) -> Question:
    """Returns the question that `text` asks, word for word, with its lettered options where it has any.

    `row` is the task's own record. Where its `question` stands in the text, that is the bare question. `settings` are
    the task's generation settings.
    """
    stem, _ = letter_options(str(row.get("question") or ""))
    if stem and stem in text:
        _, options = letter_options(text[text.rindex(stem) :])
    else:
        stem, options = letter_options(text)
    return Question(identity, text, stem, options, max_new_tokens=int(settings.get("max_new_tokens", NEW_TOKENS)))


def video_and_text(messages: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Returns (path of the video, the user's text).

    Raises ValueError for anything but one user turn of one video, then text.
    """
    roles = [message["role"] for message in messages]
    if roles != ["user"]:
        raise ValueError(f"got turns of {roles}; {ONE_TURN}")
    content = messages[0]["content"]
    kinds = ["text"] if isinstance(content, str) else [item["type"] for item in content]
    if kinds[:1] != ["video"] or len(kinds) < 2 or set(kinds[1:]) != {"text"}:
        raise ValueError(f"got content of {kinds}; {ONE_TURN}")
    video, *texts = content
    if not isinstance(video["url"], str):
        raise ValueError(f"got a video of type {type(video['url']).__name__} instead of a path; {ONE_TURN}")
    if cut := [key for key in ("start_time", "end_time") if video.get(key) is not None]:
        raise ValueError(f"got a part of a video ({', '.join(cut)}), expected a whole file: cut it beforehand")
    return video["url"], "".join(item["text"] for item in texts)  # as chat templates put them together


def cut_at_stop(text: str, settings: Mapping[str, Any]) -> str:
    """Cuts `text` at the first of the task's stop strings.

    A blank line is none of them, because lmms-eval adds that one everywhere.
    """
    stops = settings.get("until") or ()
    for stop in [stops] if isinstance(stops, str) else stops:
        if stop.strip():
            text = text.split(stop)[0]
    return text
