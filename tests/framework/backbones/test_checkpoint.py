"""Where a checkpoint lies: folder, cache, Hub. Nothing here has a network."""

from __future__ import annotations

import json
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants

from framework.backbones import checkpoint
from framework.backbones.checkpoint import cached, find, missing, model_type
from framework.backbones.families import frames_per_tick
from framework.core.errors import UsageError

NAME = "me/tiny"
FILES = ("config.json", "tokenizer.json", "model.safetensors")


@pytest.fixture
def snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of `me/tiny` in an otherwise empty cache, with all its files."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    home = tmp_path / "models--me--tiny"
    folder = home / "snapshots" / "abc"
    folder.mkdir(parents=True)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text("abc")
    for name in FILES:
        (folder / name).write_text(json.dumps({"model_type": "mine"}))
    return folder


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that the Hub is asked for; it is out of reach."""
    asked: list[str] = []

    def refuse(url: str, **kwargs: object) -> None:
        asked.append(url)
        raise ConnectionError("Name or service not known.\nand more")

    monkeypatch.setattr(constants, "is_offline_mode", lambda: False)
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", refuse)
    return asked


def test_a_complete_copy_in_the_cache_is_used_without_asking(snapshot: Path, hub: list[str]) -> None:
    assert find(NAME) == (str(snapshot), True) and cached(NAME) == snapshot and not hub
    assert model_type(str(snapshot), True) == "mine"


@pytest.mark.parametrize("name", FILES)
def test_an_incomplete_copy_says_what_is_lost(snapshot: Path, hub: list[str], name: str) -> None:
    (snapshot / name).unlink()
    assert missing(snapshot) == [name] and cached(NAME) is None
    said = "are not in the cache" if name == "config.json" else f"lacks {name}, and the Hub cannot"
    with pytest.raises(UsageError, match=said):
        find(NAME)
    assert len(hub) == 1


def test_shards_are_files_that_may_be_lost(snapshot: Path) -> None:
    (snapshot / "model.safetensors").unlink()
    shards = {"a": "one.safetensors", "b": "two.safetensors"}
    (snapshot / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    (snapshot / "two.safetensors").touch()
    assert missing(snapshot) == ["one.safetensors"]


def test_a_hub_out_of_reach_is_asked_once_and_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hub: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UsageError) as caught:
        find(NAME)
    said = str(caught.value)
    assert hub == ["https://huggingface.co/me/tiny/resolve/main/config.json"] and "\n" not in said
    for part in (
        "backbone.adapter.checkpoint: me/tiny is no folder here",
        f"not in the cache ({tmp_path})",
        "(ConnectionError: Name or service not known)",
        "backbone.adapter.checkpoint=FOLDER",
        "HF_HUB_OFFLINE",
    ):
        assert part in said
    assert capfd.readouterr() == ("", "")


def test_offline_the_hub_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hub: list[str]) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "is_offline_mode", lambda: True)
    with pytest.raises(UsageError, match="HF_HUB_OFFLINE is set, so the Hub is not asked"):
        find(NAME)
    assert not hub


def test_a_hub_that_answers_is_left_to_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hub: list[str]
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", lambda url, **kwargs: None)
    assert find(NAME) == (NAME, False)


def test_neither_folder_nor_id(tmp_path: Path) -> None:
    for name in ("nowhere", "./me/tiny", "/me/tiny", "a/b/c"):
        with pytest.raises(UsageError, match=f"no folder '{name}', and no Hub id either"):
            find(name)
    with pytest.raises(UsageError, match=r"has no config\.json.*; shipped ones are asset:lab$"):
        find(str(tmp_path))
    with pytest.raises(UsageError, match=r"^backbone\.adapter\.checkpoint: there are no shipped weights 'asset:lba'"):
        find("asset:lba")
    assert find("asset:lab") == (str(checkpoint.ASSETS / "lab"), True)


def test_a_config_says_how_many_frames_are_encoded_together() -> None:
    shipped = checkpoint.config(*checkpoint.find("asset:lab"))
    assert shipped["model_type"] == "qwen2_5_vl" and frames_per_tick(shipped) == 2
    assert frames_per_tick({"model_type": "qwen3_vl", "vision_config": {"temporal_patch_size": 4}}) == 4
    assert frames_per_tick({"model_type": "qwen3_vl"}) == 2  # a file need not say what is usual
    assert frames_per_tick({"model_type": "internvl", "vision_config": {"image_size": [448, 448]}}) == 1
