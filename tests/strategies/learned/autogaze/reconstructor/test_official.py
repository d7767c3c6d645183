"""The published layout: its 530 names, a tiny random checkpoint in it, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from strategies.learned.autogaze.reconstructor import official
from strategies.learned.autogaze.reconstructor.config import ReconstructorConfig
from strategies.learned.autogaze.reconstructor.model import Reconstructor

BLOCK = [f"{part}.{kind}" for kind in ("weight", "bias") for part in
         ("attention.attention.query", "attention.attention.key", "attention.attention.value", "attention.output.dense",
          "intermediate.dense", "output.dense", "layernorm_before", "layernorm_after")]  # fmt: skip


def published(layers: int, decoder_layers: int) -> set[str]:
    """The names, written down from the published file."""
    found = {
        *(f"vit.embeddings.{name}" for name in ("cls_token", "position_embeddings", "scale_embed", "time_embed")),
        *(f"vit.embeddings.patch_embeddings.projection.{kind}" for kind in ("weight", "bias")),
        *(f"vit.encoder.layer.{n}.{name}" for n in range(layers) for name in BLOCK),
        *(f"vit.layernorm.{kind}" for kind in ("weight", "bias")),
        *(f"decoder.{name}" for name in ("mask_token", "decoder_pos_embed", "decoder_scale_embed", "time_embed")),
        *(f"decoder.decoder_layers.{n}.{name}" for n in range(decoder_layers) for name in BLOCK),
    }
    for part in ("decoder_embed", "decoder_norm", "decoder_pred"):
        found |= {f"decoder.{part}.{kind}" for kind in ("weight", "bias")}
    return found


def test_the_530_names_and_their_shapes() -> None:
    config = ReconstructorConfig.official()
    with torch.device("meta"):
        network = Reconstructor(config)
    laid_out = official.laid_out(network)
    assert {name.removeprefix("module.mae.") for name in laid_out} == published(24, 8) and len(laid_out) == 530
    shapes = {name.removeprefix("module.mae."): list(value.shape) for name, value in laid_out.items()}
    for name, shape in {
        "vit.embeddings.cls_token": [1, 1, 1024],
        "vit.embeddings.position_embeddings": [1, 197, 1024],
        "vit.embeddings.scale_embed": [4, 1024],
        "vit.embeddings.time_embed": [256, 1024],
        "vit.embeddings.patch_embeddings.projection.weight": [1024, 3, 16, 16],
        "vit.encoder.layer.23.intermediate.dense.weight": [4096, 1024],
        "decoder.mask_token": [1, 1, 512],
        "decoder.decoder_pos_embed": [1, 197, 512],
        "decoder.decoder_scale_embed": [4, 512],
        "decoder.time_embed": [256, 512],
        "decoder.decoder_embed.weight": [512, 1024],
        "decoder.decoder_layers.7.intermediate.dense.weight": [2048, 512],
        "decoder.decoder_pred.weight": [768, 512],
    }.items():
        assert shapes[name] == shape, name


def test_a_random_checkpoint_in_the_layout(
    official_network: Reconstructor, pixels: Tensor, picked: Tensor, tmp_path: Path
) -> None:
    stored = official.laid_out(official_network)
    stored |= {
        "module.mae.dinov2_reg.encoder.weight": torch.zeros(2),
        "module.mae.siglip2.vision_model.x": torch.zeros(2),
    }
    torch.save(stored, tmp_path / "videomae.pt")
    loaded = official.load(tmp_path / "videomae.pt", official_network.config)
    assert torch.equal(loaded(pixels, picked), official_network(pixels, picked))


def test_more_or_less_is_refused(official_network: Reconstructor, tmp_path: Path) -> None:
    config, stored = official_network.config, official.laid_out(official_network)
    file = tmp_path / "videomae.pt"
    with pytest.raises(ValueError, match="does not exist"):
        official.load(file)
    torch.save({name: v for name, v in stored.items() if "decoder_pred" not in name}, file)
    with pytest.raises(
        ValueError, match=r"missing decoder.decoder_pred.bias, decoder.decoder_pred.weight; unexpected noth"
    ):
        official.load(file, config)
    torch.save(stored | {"module.mae.vit.pooler.weight": torch.zeros(1)}, file)
    with pytest.raises(ValueError, match=r"missing nothing; unexpected vit.pooler.weight"):
        official.load(file, config)
    torch.save({"other." + name: v for name, v in stored.items()}, file)  # unstripped prefixes
    with pytest.raises(ValueError, match=r"missing .* and \d+ more; unexpected .* and \d+ more"):
        official.load(file, config)
    torch.save(stored | {"module.mae.decoder.mask_token": torch.zeros(1, 1, 3)}, file)
    with pytest.raises(ValueError, match=r"decoder.mask_token is \[1, 1, 3\], \[1, 1, 8\] is needed"):
        official.load(file, config)
    for bad in (torch.nan, -torch.inf):
        torch.save(stored | {"module.mae.decoder.mask_token": torch.tensor([[[bad, *[0.0] * 7]]])}, file)
        with pytest.raises(ValueError, match=r"videomae.pt: decoder.mask_token holds numbers that are not finite"):
            official.load(file, config)
    torch.save(stored | {"module.mae.siglip2.x": torch.tensor([torch.nan])}, file)  # a teacher's, which is not read
    official.load(file, config)
