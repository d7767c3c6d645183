"""Which file a checkpoint means, without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from framework.core.errors import UsageError
from framework.core.model_files import ASSETS, locate, shipped

ROOT = Path(__file__).resolve().parents[3]


def test_a_path_is_itself_and_an_asset_lies_in_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert locate("~/x") == Path("/home/me/x") and locate("a/b") == Path("a/b")
    assert locate("asset:lab") == ASSETS / "lab" == ROOT / "framework" / "assets" / "lab"


@pytest.mark.parametrize("name", ["asset:lba", "asset:", "asset:..", "asset:lab/config.json"])
def test_a_wrong_asset_names_all_that_there_are(name: str) -> None:
    folders = [f"asset:{place.name}" for place in sorted(ASSETS.iterdir())]
    assert shipped() == folders and "asset:reconstructor_lab" in folders
    with pytest.raises(UsageError) as caught:
        locate(name)
    assert str(caught.value) == f"there are no shipped weights {name!r}; there are {', '.join(folders)}"


def test_no_torch_is_loaded() -> None:
    program = "import sys, framework.core.model_files; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0
