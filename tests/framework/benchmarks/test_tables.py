"""Annotation files as rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from framework.benchmarks.tables import number_rows, read_lines, read_rows
from framework.core.errors import UsageError

ROWS = [{"question": "What is « this »?\u2028Well?", "n": 1}, {"question": "二", "n": None}]


def test_the_same_rows_from_every_kind_of_file(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), tmp_path / "rows.parquet")
    (tmp_path / "rows.json").write_text(json.dumps(ROWS, ensure_ascii=False), "utf-8")
    lines = "\r\n\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS)
    (tmp_path / "rows.jsonl").write_text(lines, "utf-8-sig")  # with the mark that some editors put at the start
    for name in ("rows.parquet", "rows.json", "rows.jsonl"):
        assert read_rows(tmp_path / name) == ROWS, name


def test_lines_are_counted_with_the_blank_ones(tmp_path: Path) -> None:
    (tmp_path / "rows").write_text('\n{"a": 1}\n  \r\n{"a": "\u2028"}\n', "utf-8")
    assert read_lines(tmp_path / "rows") == [(2, {"a": 1}), (4, {"a": "\u2028"})]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("rows.jsonl", b'{"n": "\xe9"}', "expected text in UTF-8"),
        ("rows.jsonl", '{"n": 1}\n\n{"n": \n', "line 3: no JSON"),
        ("rows.jsonl", '{"n": 1}\n[2]\n', "line 2: expected a mapping, got list"),
        ("rows.json", '{"n": 1}', "expected a list of rows"),
        ("rows.json", "[1", "no JSON"),
        ("rows.parquet", "no table", "not a parquet file"),
    ],
)
def test_broken_files_are_named(name: str, text: str | bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError, match=message) as error:
        read_rows(tmp_path / name)
    assert str(tmp_path / name) in str(error.value)


def test_numbers_run_within_equal_keys() -> None:
    rows = [{"v": "a", "d": 1}, {"v": "a", "d": 2}, {"v": "b"}, {"v": "a", "d": 1}]
    assert [row["_number"] for row in number_rows(rows, "v", "d")] == [0, 0, 0, 1]
    assert [row["_number"] for row in number_rows(rows, "v")] == [0, 1, 0, 2]
    assert "_number" not in rows[0]
