"""What is under its name is complete; a block that fails leaves what was there before."""

from __future__ import annotations

from pathlib import Path

import pytest

from framework.training.complete import complete_file, complete_folder


def test_a_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    file = tmp_path / "below" / "weights"
    with complete_file(file) as part:
        part.write_text("new")
        assert not file.exists() and part.parent == file.parent
    assert file.read_text() == "new" and list(file.parent.iterdir()) == [file]


def test_a_failed_file_leaves_the_one_before(tmp_path: Path) -> None:
    file = tmp_path / "weights"
    file.write_text("old")
    with pytest.raises(OSError), complete_file(file) as part:
        part.write_text("half")
        raise OSError("no space left")
    assert file.read_text() == "old"


def test_a_folder_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "stale").write_text("old")
    (tmp_path / ".checkpoint.part").mkdir()  # left by a kill
    (tmp_path / ".checkpoint.part" / "half").write_text("half")
    with complete_folder(folder) as part:
        assert not list(part.iterdir()) and (folder / "stale").exists()
        (part / "weights").write_text("new")
    assert [file.name for file in folder.iterdir()] == ["weights"]
    assert list(tmp_path.iterdir()) == [folder]


def test_a_failed_folder_leaves_the_one_before(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "weights").write_text("old")
    with pytest.raises(KeyboardInterrupt), complete_folder(folder) as part:
        (part / "weights").write_text("half")
        raise KeyboardInterrupt
    assert (folder / "weights").read_text() == "old" and list(tmp_path.iterdir()) == [folder]
