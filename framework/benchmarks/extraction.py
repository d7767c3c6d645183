"""Reading a letter out of a response: the rules of the public evaluators, as pure functions.

Each takes a response without white space around it and returns a letter, or "" when it finds none. `legacy_` marks
what lmms-eval did before 0.7.2, with which most published numbers were made. Knows no benchmark and no model.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

REASONING_TAGS = (("<think>", "</think>"), ("<analysis>", "</analysis>"))

_ENDS = (
    *("answer is", "correct answer is", "best answer is", "correct option is", "best option is"),
    *("choice is", "correct choice is"),
)
_PHRASES = (
    *(start + end for end in _ENDS for start in ("the ", "")),
    *("i choose", "i select", "i pick", "my answer is", "my choice is"),
    *("옵션", "정답은", "답은", "답:", "答案是", "答案为", "选", "答えは"),
)
_FORMATS = ((6, "({})"), (5, "{}."), (4, "{}:"), (3, "{})"), (2, "{} "))  # rank, how the letter is written

_OPENINGS = ("The best answer is", "The correct answer is", "The answer is", "The answer")
# The second row is what happens without a comma between two strings; as published, it hardly ever matches.
_LEGACY_OPENINGS = (
    *_OPENINGS,
    "The best option is" + "The correct option is",
    "Best answer:" + "Best option:",
)
_LONGVIDEOBENCH_OPENINGS = (*_OPENINGS, "The best option is", "The correct option is", "Best answer:", "Best option:")


def clean(response: str) -> str:
    """Removes complete blocks of reasoning from the response, and white space around it.

    Where an end tag stands alone (the start was part of the prompt), what follows the last one is kept. An unclosed
    block stays.
    """
    for start, end in REASONING_TAGS:
        response = re.sub(f"{re.escape(start)}.*?{re.escape(end)}", "", response, flags=re.DOTALL)
        if start not in response:
            response = response.rsplit(end, 1)[-1]
    return response.strip()


def letter(response: str, choices: Sequence[str] = "ABCD") -> str:
    """Reads a letter as lmms-eval since 0.7.2 does (VideoMME, LVBench, MLVU): the best placed of all capital letters.

    A letter that opens or closes the response is best. Next is a letter after a phrase such as "the answer is". Then
    come "(A)", "A.", "A:", "A)" and "A " in this order; any other A is last. Of equals, the last in the text counts.
    """
    text = response.strip()
    for char in ",.!?;:'\"":
        text = text.strip(char)
    padded, core = f" {text} ", text.strip()
    found: list[tuple[int, int, str]] = []  # rank, position, letter
    for choice in choices:
        if core.startswith(choice) and not core[1:2].isalpha():
            found.append((10, 0, choice))
        if core.endswith(choice) and not core[-2:-1].isalpha():
            found.append((9, 0, choice))
        found += [(7, padded.find(choice, after), choice) for after in _after_phrases(padded)]
        found += [(rank, padded.rfind(form.format(choice)), choice) for rank, form in _FORMATS]
        found.append((0, padded.rfind(choice), choice))
    there = [candidate for candidate in found if candidate[1] >= 0]
    return max(there, key=lambda candidate: candidate[:2])[2] if there else ""


def _after_phrases(text: str) -> list[int]:
    """Where the first occurrence of each phrase ends."""
    lower = text.lower()
    return [lower.find(phrase) + len(phrase) for phrase in _PHRASES if phrase in lower]


def legacy_letter(response: str) -> str:
    """Reads a letter as lmms-eval before 0.7.2 does (VideoMME, LVBench).

    It is the first of A to D after some openings are deleted.
    """
    return _first(response, _LEGACY_OPENINGS, "[ABCD]")


def longvideobench_letter(response: str) -> str:
    """Reads a letter as lmms-eval since November 2024 does (LongVideoBench).

    It is the first of A to E after some openings are deleted.
    """
    return _first(response, _LONGVIDEOBENCH_OPENINGS, "[ABCDE]")


def _first(response: str, openings: Sequence[str], pattern: str) -> str:
    text = response.strip()
    for opening in openings:
        text = text.replace(opening, "")
    found = re.search(pattern, text)
    return found[0] if found else ""


def legacy_mlvu(response: str) -> str:
    """Returns what lmms-eval before 0.7.2 reads (MLVU): the character before the first ")".

    Without a ")" that is the whole response.
    """
    text = response.strip()
    before, parenthesis, _ = text.partition(")")
    return before[-1:] if parenthesis else text


def last_option(response: str, options: Sequence[str]) -> str:
    """Returns the option that is named last, as MMMU does, and LongVideoBench before November 2024.

    Options are named as "(A)"; where none is, as "A "; else as "A.". Where none of these is found, a response of more
    than five words names them by their text.
    """
    for char in ",.!?;:'":
        response = response.strip(char)
    text = f" {response} "
    texts = {chr(ord("A") + i): option for i, option in enumerate(options)}
    for form, place in (("({})", "({})"), ("{} ", " {} "), ("{}.", " {} ")):
        if named := [choice for choice in texts if form.format(choice) in text]:
            return max(named, key=lambda choice: text.rfind(place.format(choice)))
    lower = text.lower()
    named = [choice for choice in texts if texts[choice].lower() in lower] if len(text.split()) > 5 else []
    return max(named, key=lambda choice: lower.rfind(texts[choice].lower()), default="")
