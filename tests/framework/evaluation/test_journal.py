"""A journal survives being cut anywhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from framework.evaluation.journal import Journal, is_text, jsonable, read_lines

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


GARBAGE = [
    b"\x00\x00\x00",
    b"",
    b"  ",
    b"garbage",
    b'{"id": "b", "text": "zw',
    b"[1, 2]",
    b'{"text": "b"}',
    b"\xff\xfe",
]
GARBAGE += [b'{"id": "b", "value": NaN}', b'{"id": 3}', b"[" * 100_000]


@pytest.mark.parametrize("garbage", GARBAGE)
def test_what_is_no_line_is_moved_and_named(garbage: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "q.jsonl"
    Journal(file).extend([LINES[0], LINES[2]])
    first, last = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(first + garbage + b"\n" + last)
    assert [line["id"] for line in Journal(file).lines] == ["a", "c"]
    assert file.read_bytes() == first + last
    assert (tmp_path / "q.jsonl.bad").read_bytes() == garbage + b"\n"
    assert f"{file}, line 2 is no result line (" in caplog.text and "moved to q.jsonl.bad" in caplog.text
    caplog.clear()
    assert len(Journal(file).lines) == 2 and not caplog.records


def test_values_that_cannot_be_are_no_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "q.jsonl"
    file.write_text('{"id": "a", "score": "high"}\n{"id": "b"}\n{"id": "c", "score": 1}\n')
    shape = {"id": is_text, "score": lambda value: isinstance(value, int)}
    assert Journal(file, shape).ids == {"c"}
    assert "its values do not fit: score = 'high'" in caplog.text and "it lacks score" in caplog.text


def test_of_two_lines_of_one_id_the_first_counts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "q.jsonl"
    file.write_text('{"id": "a", "by": 1}\n{"id": "b", "by": 1}\n{"id": "a", "by": 2}\n')
    assert Journal(file).lines == [{"id": "a", "by": 1}, {"id": "b", "by": 1}]
    assert file.read_text().count("\n") == 2 and (tmp_path / "q.jsonl.bad").read_text() == '{"id": "a", "by": 2}\n'
    assert "1 lines about what has one already are moved to q.jsonl.bad" in caplog.text


def test_reading_alone_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "q.jsonl"
    file.write_bytes(before := b'{"id": "a"}\ngarbage\n{"id": "a"}\n{"id": "to')
    lines, faults = read_lines(file)
    assert lines == [{"id": "a"}] and [(one.number, one.double) for one in faults] == [(2, False), (3, True)]
    assert file.read_bytes() == before and list(tmp_path.iterdir()) == [file]


def test_retired_lines_are_kept_beside(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "q.jsonl")
    journal.extend(LINES)
    journal.retire({"b", "nobody"})
    assert journal.ids == {"a", "c"} == Journal(tmp_path / "q.jsonl").ids
    assert [line["id"] for line in Journal(tmp_path / "q.jsonl.old").lines] == ["b"]
