"""Wrong settings and wrong checkpoints: one clear error naming the key, before any weight is read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from accelerate import cpu_offload
from safetensors.torch import load_file, save_file
from transformers import Qwen2_5_VLForConditionalGeneration
from transformers.utils import logging

from framework.backbones import loading
from framework.core.view import Needs


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("dtype", "float8", "must be one of float32, bfloat16, float16"),
        ("attention", "magic", "must be one of sdpa, eager, flash_attention_2"),
        ("text_offset", "after", "must be one of grid, max_id"),
        ("probe_positions", "scaled", "must be one of original, compact"),
        ("answer_positions", "scaled", "must be one of original, compact"),
        ("compact_step", 0, "whole number >= 1"),
        ("probe_tokens", 1.5, "whole number >= 1"),
        ("questions_per_pass", 0, "whole number >= 1"),
        ("min_pixels", -1, "whole number >= 1"),
        ("max_pixels", 700, "whole number >= 784"),
        ("device", "tpu9", "must be auto, cpu, cuda"),
        ("device", "cuda:99", "CUDA devices here"),
        ("checkpoint", "asset:nothing", "no shipped weights"),
        ("checkpoint", "./nowhere", "no folder './nowhere'"),
    ],
)
def test_a_wrong_setting_is_named_before_anything_is_loaded(
    make, monkeypatch, key: str, value: object, said: str
) -> None:
    monkeypatch.setattr(Qwen2_5_VLForConditionalGeneration, "from_pretrained", None)
    with pytest.raises(ValueError, match=rf"backbone\.adapter\.{key}.*{said}"):
        make(**{key: value})


def test_a_device_map_decides_the_device_alone(make) -> None:
    with pytest.raises(ValueError, match=r"backbone\.adapter\.device must be auto"):
        make(device_map="auto", device="cpu")


def test_a_folder_without_config(make, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no config\.json"):
        make(checkpoint=str(tmp_path))


def test_a_checkpoint_of_another_family(make, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    with pytest.raises(ValueError, match="type 'llama', expected 'qwen2_5_vl'"):
        make(checkpoint=str(tmp_path))


def test_missing_weights_are_an_error(make, checkpoint, tmp_path: Path) -> None:
    shutil.copytree(checkpoint, tmp_path, dirs_exist_ok=True)
    weights = load_file(tmp_path / "model.safetensors")
    weights.pop("lm_head.weight")
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"lacks 1 weights.*lm_head"):
        make(checkpoint=str(tmp_path))


def test_a_checkpoint_without_preprocessor_uses_clip_statistics(make, checkpoint, tmp_path: Path) -> None:
    shutil.copytree(checkpoint, tmp_path, dirs_exist_ok=True)
    (tmp_path / "preprocessor_config.json").unlink()
    assert make(checkpoint=str(tmp_path)).mean == pytest.approx((0.48145466, 0.4578275, 0.40821073))
    assert make().mean == [0.5, 0.4, 0.3]


def test_tied_weights_load(make, tied_checkpoint) -> None:
    model = make(checkpoint=tied_checkpoint).model
    assert model.lm_head.weight is model.get_input_embeddings().weight


def test_quiet_ends_with_its_block() -> None:
    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    with pytest.raises(KeyError), loading.quiet():
        assert logging.get_verbosity() == logging.ERROR
        raise KeyError
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before


def test_the_model_is_stock_and_in_evaluation_mode(make) -> None:
    backbone = make(dtype="bfloat16")
    assert type(backbone.model) is Qwen2_5_VLForConditionalGeneration
    assert not backbone.model.training
    assert backbone.model.dtype == torch.bfloat16


def test_the_wishes_reach_transformers(checkpoint) -> None:
    wishes = {}

    class Recorder:
        @staticmethod
        def from_pretrained(place, **kwargs):
            wishes.update(kwargs, place=place)
            return Qwen2_5_VLForConditionalGeneration.from_pretrained(place, **kwargs)

    loading.load(Recorder, checkpoint, True, "bfloat16", torch.device("cpu"), {"": "cpu"}, "eager")
    assert wishes["device_map"] == {"": "cpu"} and wishes["dtype"] == torch.bfloat16
    assert wishes["attn_implementation"] == "eager" and wishes["local_files_only"] is True


def test_layers_may_live_elsewhere(make, film, encoded, questions) -> None:
    """Under accelerate's hooks, which fetch weights when a layer runs, probes and early ends are the same."""
    plain, spread = make(), make(questions_per_pass=7)  # 7: a model of its own
    for layer in spread.decoder.layers:
        cpu_offload(layer, torch.device("cpu"))
    tokens = encoded(plain, film(2))
    for needs in (Needs(attention=(1, 2)), Needs(attention=(0,), logits=True)):
        for one, other in zip(*(b.probe(tokens, questions, needs) for b in (plain, spread)), strict=True):
            for layer in needs.attention:
                torch.testing.assert_close(one.attention[layer], other.attention[layer])
            assert one.response == other.response
