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

from framework.backbones import beside, loading
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
        ("second_per_grid", 0.0, "must be seconds above 0, or null"),
        ("second_per_grid", float("inf"), "must be seconds above 0, or null"),
        ("total_pixels", 0, "whole number >= 1"),
        ("told", "{minutes}", "must be text in which {seconds} alone is filled in, .*; got '{minutes}'$"),
        ("told", "{} s", "must be text in which"),
        ("told", "{seconds", "must be text in which"),
        ("told", "{seconds:d}", "must be text in which"),
        ("told", "{seconds.days}", "must be text in which"),
        ("told", "{seconds[0]}", "must be text in which"),
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


@pytest.mark.parametrize("positions", ["compact", "sequential"])
def test_a_clock_needs_positions_that_read_times(make, positions: str) -> None:
    with pytest.raises(ValueError, match=rf"second_per_grid=2\.0 sets .*got answer_positions={positions}: set"):
        make(second_per_grid=2.0, answer_positions=positions)


def test_a_device_map_decides_the_device_alone(make) -> None:
    with pytest.raises(ValueError, match=r"backbone\.adapter\.device must be auto"):
        make(device_map="auto", device="cpu")


def test_a_folder_without_config(make, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no config\.json"):
        make(checkpoint=str(tmp_path))


def test_a_checkpoint_of_another_family(make, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    with pytest.raises(ValueError, match="type 'llama', expected 'qwen2_5_vl': there are adapters for qwen2_5_vl, "):
        make(checkpoint=str(tmp_path))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("internvl_chat", "take the checkpoint whose name ends in -hf or -HF"),
        ("llava_qwen", "llava_onevision conversion"),
        ("qwen3_vl", "take backbone=qwen3_vl_8b, or another option of its family"),
    ],
)
def test_what_to_do_with_a_checkpoint_of_another_family_is_said(make, tmp_path: Path, kind: str, said: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
    with pytest.raises(ValueError, match=rf"type '{kind}', expected 'qwen2_5_vl': .*{said}"):
        make(checkpoint=str(tmp_path))


def test_missing_weights_are_an_error(make, checkpoint, tmp_path: Path) -> None:
    shutil.copytree(checkpoint, tmp_path, dirs_exist_ok=True)
    weights = load_file(tmp_path / "model.safetensors")
    weights.pop("lm_head.weight")
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"lacks 1 weights.*lm_head"):
        make(checkpoint=str(tmp_path))


def copy(checkpoint: str, folder: Path, weights: dict[str, torch.Tensor] | None = None) -> Path:
    """A copy of the checkpoint, with other weights where they are given."""
    shutil.copytree(checkpoint, folder, dirs_exist_ok=True)
    if weights is not None:
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def refused(make, monkeypatch: pytest.MonkeyPatch, folder: Path, said: str) -> None:
    """The checkpoint is refused in one sentence with the key, before a model is built."""
    with monkeypatch.context() as patched:
        patched.setattr(Qwen2_5_VLForConditionalGeneration, "from_pretrained", None)
        with pytest.raises(ValueError, match=rf"^backbone\.adapter\.checkpoint: [^\n]*{said}[^\n]*$"):
            make(checkpoint=str(folder))


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json", "tokenizer_config.json"])
def test_a_pointer_in_place_of_a_file_is_named(make, checkpoint, monkeypatch, tmp_path: Path, name: str) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 5739080\n"
    (copy(checkpoint, tmp_path) / name).write_text(pointer)
    refused(make, monkeypatch, tmp_path, rf"/{name} is a Git-LFS pointer .*`git lfs pull`")


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.999])
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("model.safetensors", "safetensors"),
        ("config.json", "JSON"),
        ("tokenizer.json", "JSON"),
        ("preprocessor_config.json", "JSON"),
    ],
)
def test_a_file_that_is_cut_off_is_named(
    make, checkpoint, monkeypatch, tmp_path: Path, name: str, kind: str, kept: float
) -> None:
    file = copy(checkpoint, tmp_path) / name
    whole = file.read_bytes().rstrip()
    file.write_bytes(whole[: int(kept * len(whole))])
    refused(make, monkeypatch, tmp_path, rf"/{name} is no {kind} file, or is cut off")


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_file_that_is_missing_is_named(make, checkpoint, monkeypatch, tmp_path: Path, name: str) -> None:
    (copy(checkpoint, tmp_path) / name).unlink()
    refused(make, monkeypatch, tmp_path, rf"/{name} does not exist")


def test_a_shard_that_is_missing_is_named(make, checkpoint, monkeypatch, tmp_path: Path) -> None:
    whole = copy(checkpoint, tmp_path) / "model.safetensors"
    weights = load_file(whole)
    whole.unlink()
    names = sorted(weights)
    shards = {"one.safetensors": names[::2], "two.safetensors": names[1::2]}
    for shard, mine in shards.items():
        save_file({name: weights[name] for name in mine}, tmp_path / shard, metadata={"format": "pt"})
    index = {"metadata": {}, "weight_map": {name: shard for shard, mine in shards.items() for name in mine}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert torch.equal(make(checkpoint=str(tmp_path), compact_step=2).model.lm_head.weight, weights["lm_head.weight"])
    (tmp_path / "two.safetensors").unlink()
    refused(make, monkeypatch, tmp_path, r"/two\.safetensors does not exist")
    (tmp_path / "model.safetensors.index.json").write_text("{}")
    refused(make, monkeypatch, tmp_path, r"/model\.safetensors\.index\.json names no files of weights")


def test_a_tokenizer_that_is_none_is_named(make, checkpoint, monkeypatch, tmp_path: Path) -> None:
    (copy(checkpoint, tmp_path) / "tokenizer.json").write_text("{}")
    with pytest.raises(ValueError, match=r"backbone\.adapter\.checkpoint: the tokenizer of .* cannot be loaded"):
        make(checkpoint=str(tmp_path))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_weight_that_is_no_number_is_named(make, checkpoint, tmp_path: Path, value: float) -> None:
    weights = load_file(Path(checkpoint) / "model.safetensors")
    weights["lm_head.weight"][3, 2] = value
    copy(checkpoint, tmp_path, weights)
    with pytest.raises(
        ValueError,
        match=r"adapter\.checkpoint: .*/model\.safetensors: lm_head\.weight holds numbers that are not finite",
    ):
        make(checkpoint=str(tmp_path))


def test_a_weight_too_large_for_the_format_is_named(make, checkpoint, tmp_path: Path) -> None:
    weights = load_file(Path(checkpoint) / "model.safetensors")
    weights["lm_head.weight"][3, 2] = 1e30
    copy(checkpoint, tmp_path, weights)
    make(checkpoint=str(tmp_path), dtype="bfloat16")
    with pytest.raises(ValueError, match=r"lm_head\.weight .*not finite \(as backbone\.adapter\.dtype=float16\)"):
        make(checkpoint=str(tmp_path), dtype="float16")


def test_a_chat_template_of_transformers_4_is_read(make, checkpoint, tmp_path: Path) -> None:
    template = make().tokenizer.chat_template
    assert template
    file = copy(checkpoint, tmp_path) / "chat_template.json"
    (tmp_path / "chat_template.jinja").unlink()
    with pytest.raises(ValueError, match="its tokenizer has no chat template"):
        make(checkpoint=str(tmp_path))
    file.write_text(json.dumps({"chat_template": [1]}))
    with pytest.raises(ValueError, match=r"chat_template\.json of .* must hold a text under chat_template"):
        make(checkpoint=str(tmp_path), compact_step=2)
    own = json.loads((tmp_path / "tokenizer_config.json").read_text()) | {"chat_template": "of text alone"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(own))
    file.write_text(json.dumps({"chat_template": template}))
    assert make(checkpoint=str(tmp_path), compact_step=3).tokenizer.chat_template == template


def test_a_checkpoint_without_preprocessor_uses_clip_statistics(make, checkpoint, tmp_path: Path) -> None:
    shutil.copytree(checkpoint, tmp_path, dirs_exist_ok=True)
    (tmp_path / "preprocessor_config.json").unlink()
    assert make(checkpoint=str(tmp_path)).mean == pytest.approx((0.48145466, 0.4578275, 0.40821073))
    assert make().mean == [0.5, 0.4, 0.3]


def test_the_file_of_transformers_5_says_first_how_frames_are_prepared(make, checkpoint, tmp_path: Path) -> None:
    folder = copy(checkpoint, tmp_path)
    (folder / "video_preprocessor_config.json").write_text(
        json.dumps({"image_mean": [0.1] * 3, "image_std": [0.2] * 3})
    )
    assert make(checkpoint=str(folder)).mean == [0.1] * 3
    said = {"image_mean": [0.7] * 3, "image_std": [0.8] * 3}
    (folder / "processor_config.json").write_text(json.dumps({"video_processor": said}))
    assert make(checkpoint=str(folder), compact_step=3).mean == [0.7] * 3
    assert beside.statistics(str(folder)) == ([0.7] * 3, [0.8] * 3)
    (folder / "processor_config.json").write_text("{}")
    assert make(checkpoint=str(folder), compact_step=4).mean == [0.1] * 3


def test_a_special_token_that_the_tokenizer_does_not_know_is_named(make, checkpoint, monkeypatch, tmp_path) -> None:
    folder = copy(checkpoint, tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"video_token_id": 9999}))
    refused(make, monkeypatch, folder, "does not read video_token_id 9999 as one special token")


def test_tied_weights_load(make, tied_checkpoint) -> None:
    model = make(checkpoint=tied_checkpoint).model
    assert model.lm_head.weight is model.get_input_embeddings().weight


def test_quiet_ends_with_its_block() -> None:
    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    with pytest.raises(KeyError), beside.quiet():
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

    loading.load_model(Recorder, checkpoint, True, "bfloat16", torch.device("cpu"), {"": "cpu"}, "eager")
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
