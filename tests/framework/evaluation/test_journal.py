"""A journal survives being cut anywhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from framework.evaluation.journal import Journal, jsonable

LINES = [{"id": "a", "value": 1 / 3}, {"id": "b", "text": "zwei\nZeilen, 猫"}, {"id": "c", "list": [0.1, None]}]


def test_lines_come_back_rounded(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "q.jsonl")
    for line in LINES:
        journal.append(line)
    again = Journal(tmp_path / "q.jsonl")
    assert again.lines == journal.lines == [{"id": "a", "value": 0.333333}, *LINES[1:]]
    assert again.ids == {"a", "b", "c"}


def test_cut_at_any_byte_and_continued_it_ends_the_same(tmp_path: Path) -> None:
    whole = tmp_path / "whole.jsonl"
    journal = Journal(whole)
    for line in LINES:
        journal.append(line)
    expected = whole.read_bytes()
    for cut in range(len(expected)):
        torn = tmp_path / "torn.jsonl"
        torn.write_bytes(expected[:cut])
        journal = Journal(torn)
        for line in LINES:
            if line["id"] not in journal.ids:
                journal.append(line)
        assert torn.read_bytes() == expected


def test_what_json_cannot_say() -> None:
    assert jsonable({"a": float("nan"), "b": float("-inf"), "c": -1e-9, "d": (True, 1)}) == {
        "a": None,
        "b": None,
        "c": 0.0,
        "d": [True, 1],
    }
    assert json.dumps(jsonable(-0.0)) == "0.0"
    with pytest.raises(TypeError, match="object"):
        jsonable(object())
