"""The published layout: read strictly, and written back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from strategies.learned.autogaze.gaze import checkpoint, official
from strategies.learned.autogaze.gaze.model import Gaze, GazeConfig
from tests.fixtures.gaze_layout import published_tensors


def test_49_names_there_and_back(golden: Any, tmp_path: Path) -> None:
    published = {name: value for name, value in golden.tensors.items() if name.startswith("gazing_model.")}
    assert len(published) == 49
    again = published_tensors(golden.gaze)
    assert again.keys() == published.keys()
    assert all(torch.equal(again[name], value) for name, value in published.items())


@pytest.mark.parametrize("stem", ["model.safetensors", "pytorch_model.bin"])
def test_a_folder_of_random_weights(tmp_path: Path, stem: str) -> None:
    made = Gaze.random(GazeConfig.official(), 7)
    if stem.endswith("bin"):
        torch.save(published_tensors(made), tmp_path / stem)
    else:
        save_file(published_tensors(made), tmp_path / stem)
    assert official.is_official(tmp_path)
    read, about = checkpoint.load(tmp_path)
    assert about.rope_mode == "official" and about.config == GazeConfig.official() and about.calibration is None
    assert all(torch.equal(value, made.state_dict()[name]) for name, value in read.state_dict().items())


def test_whatever_does_not_fit_is_refused() -> None:
    config = GazeConfig((16, 32), 16, 8, 1, 1, 8, 2, 1, 3, 1e4, None, 64)
    tensors = published_tensors(Gaze.random(config, 0))
    official.from_tensors(tensors, "x", config)
    head = "gazing_model.gaze_decoder.lm_head.weight"
    with pytest.raises(ValueError, match=r"missing token_head\.weight; unexpected nothing"):
        official.from_tensors({name: value for name, value in tensors.items() if name != head}, "x", config)
    with pytest.raises(ValueError, match=r"unexpected gazing_model\.other"):
        official.from_tensors(tensors | {"gazing_model.other": torch.zeros(1)}, "x", config)
    with pytest.raises(ValueError, match=r"missing .*unexpected .*lm_head"):
        official.from_tensors({"module." + name: value for name, value in tensors.items()}, "x", config)
    with pytest.raises(ValueError, match=r"token_head\.weight is \[1, 8\]"):
        official.from_tensors(tensors | {head: torch.zeros(1, 8)}, "x", config)
    with pytest.raises(ValueError, match="not finite"):
        official.from_tensors(tensors | {head: tensors[head] * float("nan")}, "x", config)
    with pytest.raises(ValueError, match="is needed"):
        official.from_tensors(tensors, "x", GazeConfig((16, 32), 16, 8, 1, 1, 8, 3, 1, 3, 1e4, None, 64))


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no weights"):
        official.load(tmp_path)
