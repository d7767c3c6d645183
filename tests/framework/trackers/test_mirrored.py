"""What was sent already is known by its W&B run and by its content."""

from __future__ import annotations

from pathlib import Path

import pytest

from framework.trackers.mirrored import FILE, digest, record, recorded


def test_what_was_sent_is_kept_per_run(tmp_path: Path) -> None:
    assert recorded(tmp_path) == {}
    record(tmp_path, "online /p/a", "1")
    record(tmp_path, "offline /p/a", "2")
    record(tmp_path, "online /p/a", "3")
    assert recorded(tmp_path) == {"online /p/a": "3", "offline /p/a": "2"}


@pytest.mark.parametrize("text", ["", '{"a": ', "[1]"])
def test_a_damaged_file_counts_as_nothing_sent(tmp_path: Path, text: str) -> None:
    record(tmp_path, "a", "1")
    (tmp_path / FILE).write_text(text)
    assert recorded(tmp_path) == {}
    record(tmp_path, "b", "2")
    assert recorded(tmp_path) == {"b": "2"}


def test_a_digest_sees_values_and_not_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": None}, [0.5]) == digest({"b": None, "a": 1}, [0.5])
    assert len({digest({"a": 1}, [0.5]), digest({"a": 2}, [0.5]), digest({"a": 1}, [0.25]), digest({"a": 1})}) == 4
