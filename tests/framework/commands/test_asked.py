"""What may be asked, and what is refused before torch is loaded."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from framework.commands.asked import PICTURES, Asked, asked, picture, words
from framework.config.quoting import protect
from framework.core.errors import UsageError
from framework.report.picture import FORMS

TEXTS = ["Who's he, [the man] with \\'${x}\\'?", "a=b, {c}", " 二 "]


def ask(**keys: Any) -> list[Asked]:
    """What is asked about a file that is there."""
    return asked(OmegaConf.create({"video": __file__, "question": None, "questions": None, "options": [], **keys}))[1]


def lines(tmp_path: Path, *rows: Any) -> str:
    file = tmp_path / "asked.jsonl"
    file.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return str(file)


def test_a_repeated_question_becomes_one_list_of_literal_texts() -> None:
    typed = ["preset=uniform", *(f"question={text}" for text in TEXTS[:2]), "budget=4", f"question={TEXTS[2]}", "-m"]
    gathered = words(typed)
    assert [gathered[0], *gathered[2:]] == ["preset=uniform", "budget=4", "-m"]
    protected = protect(gathered[1:2], ("question",), ())
    (override,) = OverridesParser.create().parse_overrides(protected)
    assert override.key_or_group == "question" and override.is_force_add()
    read = OmegaConf.create({"question": override.value()}).question
    assert [str(text) for text in read] == TEXTS
    assert words(["question=[x]", "budget=4"]) == ["question=[x]", "budget=4"]


def test_typed_questions_share_the_typed_options() -> None:
    assert ask(question="a", options=["x", "y"]) == [Asked("ask", "a", ("x", "y"))]
    assert ask(question=["a", "b"], options=["x", "y"]) == [Asked("1", "a", ("x", "y")), Asked("2", "b", ("x", "y"))]


def test_a_file_has_options_and_ids_of_its_own(tmp_path: Path) -> None:
    rows = [{"question": "a", "options": ["p", "q"], "id": "first"}, "", {"question": "b"}]
    more = [{"question": "c", "options": [], "id": 7}, {"question": "a", "id": "again"}]
    found = ask(questions=lines(tmp_path, *rows, *more), options=["x", "y"])
    assert [(one.id, one.text, one.options) for one in found] == [
        ("first", "a", ("p", "q")),
        ("2", "b", ("x", "y")),
        ("7", "c", ()),
        ("again", "a", ("x", "y")),  # the same words with other options are another question
    ]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (['{"question": "a"}', '{"question": '], r"asked\.jsonl, line 2: no JSON"),
        (["", " "], r"asked\.jsonl holds no question"),
        (["[1]"], "line 1: expected a mapping, got list"),
        (
            [{"question": "a"}, {"question": "b", "colour": 1}],
            "line 2: unknown key 'colour'; expected some of question",
        ),
        ([{"question": "a", "answer": "B"}], "unknown key 'answer'.*sieve eval benchmark=jsonl"),
        ([{"options": ["x", "y"]}], "line 1: question must be a text that is not empty, got None"),
        ([{"question": "a"}, "", {"question": "a "}], "line 3: the same question as in line 1"),
        ([{"question": "a", "id": 2}, {"question": "b"}], "line 2: the id '2' as in line 1"),
        ([{"question": "a", "id": True}], "id must be a text or a whole number, got True"),
        ([{"question": "a", "options": "xy"}], "options must be a list of texts, got 'xy'"),
        ([{"question": "a", "options": ["x"]}], "line 1: options: one option is no choice"),
        ([{"question": "a", "options": ["x", "x"]}], "line 1: options: the same option twice"),
    ],
)
def test_a_line_that_cannot_be_asked_is_named(tmp_path: Path, rows: list[Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        ask(questions=lines(tmp_path, *rows))


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"question": ["a", " a"]}, "question: the same question twice, got ' a'"),
        ({"question": ["a", ""]}, "question 2 of 2: got nothing"),
        ({"question": "a", "questions": "b.jsonl"}, "expected one of the two"),
        ({"questions": "nowhere.jsonl"}, "questions: there is no file 'nowhere.jsonl'"),
    ],
)
def test_what_is_typed_wrongly_is_named(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        ask(**keys)


def test_the_picture_is_a_format_or_none() -> None:
    assert PICTURES == FORMS
    wanted = {"png": "png", "pdf": "pdf", "svg": "svg", True: "png", False: None, None: None}
    assert {key: picture(OmegaConf.create({"picture": key})) for key in wanted} == wanted
    with pytest.raises(UsageError, match=re.escape("picture: got 'jpg', expected one of png, pdf, svg, or false")):
        picture(OmegaConf.create({"picture": "jpg"}))


def test_refusing_needs_no_torch(tmp_path: Path) -> None:
    program = (
        "import sys; from framework.cli import main\n"
        "try: main(['ask', 'video=' + sys.executable, 'question=a', 'question=a'])\n"
        "except SystemExit as leaving: sys.exit(10 * leaving.code + ('torch' in sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True)
    assert ran.returncode == 20 and b"the same question twice" in ran.stderr
