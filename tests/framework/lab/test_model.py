"""The checkpoint is an ordinary one: stock classes load it and reproduce the model that was saved."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoTokenizer, Qwen2_5_VLForConditionalGeneration, Qwen2VLImageProcessorPil

from framework.lab.model import build_model, object_words, save_checkpoint


def test_checkpoint_round_trip(tmp_path: Path) -> None:
    model, tokenizer = build_model(seed=4)
    folder = save_checkpoint(model.eval(), tokenizer, tmp_path / "lab")
    assert {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "preprocessor_config.json",
        "generation_config.json",
    } <= {path.name for path in folder.iterdir()}
    assert (folder / "model.safetensors").stat().st_size < 8_000_000
    loaded = Qwen2_5_VLForConditionalGeneration.from_pretrained(folder).eval()
    for weight in loaded.parameters():  # where a file puts a weight in memory changes how products round
        weight.data = weight.data.clone()
    ids = torch.tensor([AutoTokenizer.from_pretrained(folder).encode("what color is the star ?")])
    with torch.no_grad():
        assert torch.equal(loaded(input_ids=ids).logits, model(input_ids=ids).logits)
    assert loaded.get_input_embeddings().weight.data_ptr() == loaded.lm_head.weight.data_ptr()


def test_architecture(tmp_path: Path) -> None:
    model, tokenizer = build_model(seed=0)
    config = AutoConfig.from_pretrained(save_checkpoint(model, tokenizer, tmp_path))
    assert config.model_type == "qwen2_5_vl"
    assert config.text_config.layer_types == ["sliding_attention"] * 2 + ["full_attention"] * 5
    assert config.text_config.sliding_window == 8
    assert config.vision_config.tokens_per_second == 2
    assert config.video_token_id == tokenizer.convert_tokens_to_ids("<|video_pad|>")
    assert "_attn_implementation" not in json.loads((tmp_path / "config.json").read_text())


def test_no_two_times_of_a_long_film_look_alike() -> None:
    """Of the pairs of a head's 32 numbers twelve turn with time, the slowest less than once in 6,000 ticks."""
    model, _ = build_model(seed=0)
    rope = model.config.text_config.rope_parameters
    assert rope["mrope_section"] == [12, 2, 2] and sum(rope["mrope_section"]) == 128 // 4 // 2
    frequency = model.model.language_model.rotary_emb.inv_freq
    turn = 2 * math.pi / float(frequency[11])  # in ids, two a tick
    assert turn == pytest.approx(27_700, rel=1e-3) and turn > 2 * 6000


def test_object_words_start_nearly_orthonormal() -> None:
    model, tokenizer = build_model(seed=0)
    rows = model.get_input_embeddings().weight[tokenizer.convert_tokens_to_ids(list(object_words()))].detach()
    similar = rows @ rows.T
    assert torch.allclose(similar.diagonal(), torch.ones(len(rows)), atol=1e-5)
    assert (similar - torch.eye(len(rows))).abs().max() < 0.4


def test_the_image_processor_keeps_the_size_of_a_frame(tmp_path: Path) -> None:
    model, tokenizer = build_model(seed=0)
    processor = Qwen2VLImageProcessorPil.from_pretrained(save_checkpoint(model, tokenizer, tmp_path))
    for side, patches in ((56, 4), (196, 14)):
        made = processor(images=[torch.zeros(3, side, side, dtype=torch.uint8).numpy()], return_tensors="pt")
        assert made["image_grid_thw"].tolist() == [[1, patches, patches]]


def test_a_narrower_model_keeps_its_heads_and_gets_fewer() -> None:
    small = build_model(seed=0, width=64)[0]
    text, vision = small.config.text_config, small.config.vision_config
    assert (text.hidden_size, text.intermediate_size, vision.hidden_size, vision.out_hidden_size) == (64, 128, 48, 64)
    assert (text.num_attention_heads, text.num_key_value_heads, vision.num_heads) == (2, 1, 2)
    same = build_model(seed=0, width=128)[0]
    assert torch.equal(same.lm_head.weight, build_model(seed=0)[0].lm_head.weight)
    assert sum(p.numel() for p in same.parameters()) == 1_579_168
