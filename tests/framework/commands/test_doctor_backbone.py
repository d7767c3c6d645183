"""Whether the weights of a backbone are here: a folder, the cache, or neither; asked without a network."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from huggingface_hub import constants

from framework.commands.doctor_backbone import look
from framework.core.model_files import ASSETS


def test_a_folder(tmp_path: Path) -> None:
    size = (ASSETS / "lab" / "model.safetensors").stat().st_size / 2**30
    assert look("asset:lab") == (
        True,
        f"asset:lab: all weights are here, {size:.2f} GiB in 1 files of {ASSETS / 'lab'}",
    )
    copy = tmp_path / "copy"
    shutil.copytree(ASSETS / "lab", copy)
    assert look(str(copy))[0]
    (copy / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n")
    there, said = look(str(copy))
    assert not there and "Git-LFS pointer" in said
    (copy / "model.safetensors").unlink()
    assert look(str(copy)) == (False, f"backbone.adapter.checkpoint: {copy} lacks model.safetensors")


def test_what_is_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", None)  # no network is asked
    there, said = look("me/tiny")
    assert not there and f"not in the cache ({tmp_path}); `hf download me/tiny` fetches it" in said
    assert look("asset:nothing")[0] is False and "asset:lab" in look("asset:nothing")[1]
    assert look("nowhere") == (
        False,
        "backbone.adapter.checkpoint: no folder 'nowhere', and no Hub id either (owner/name)",
    )
