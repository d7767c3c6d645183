"""With one frame, one scale and a class token that sees the patches, it is transformers' masked autoencoder."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from transformers import ViTMAEConfig, ViTMAEForPreTraining

from strategies.learned.autogaze.reconstructor import model, official
from strategies.learned.autogaze.reconstructor.config import ReconstructorConfig
from strategies.learned.autogaze.reconstructor.model import Reconstructor
from strategies.learned.autogaze.reconstructor.positions import every_scale

NEWER = {
    "vit.encoder.layer.": "vit.layers.",
    "attention.attention.query": "attention.q_proj",
    "attention.attention.key": "attention.k_proj",
    "attention.attention.value": "attention.v_proj",
    "attention.output.dense": "attention.o_proj",
    "intermediate.dense": "mlp.fc1",
    "output.dense": "mlp.fc2",
}


def stock(config: ReconstructorConfig) -> ViTMAEForPreTraining:
    return ViTMAEForPreTraining(
        ViTMAEConfig(
            hidden_size=config.width,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            intermediate_size=config.hidden,
            decoder_hidden_size=config.decoder_width,
            decoder_num_hidden_layers=config.decoder_layers,
            decoder_num_attention_heads=config.decoder_heads,
            decoder_intermediate_size=config.decoder_hidden,
            image_size=config.side,
            patch_size=config.patch,
            mask_ratio=0.75,
        )
    ).eval()


def renamed(name: str) -> str:
    for old, new in NEWER.items():
        name = name.replace(old, new)
    return name


def test_the_same_picture(official_network: Reconstructor, monkeypatch: pytest.MonkeyPatch, pixels: Tensor) -> None:
    monkeypatch.setattr(model, "_seen", lambda frame, valid, past: valid[:, None].expand(-1, frame.shape[1], -1))
    network = Reconstructor(replace(official_network.config, scales=(24,)))
    for name, parameter in network.named_parameters():
        torch.nn.init.normal_(parameter, std=0.2)
        if "scale" in name or "time" in name:
            torch.nn.init.zeros_(parameter)
    theirs = stock(network.config)
    tensors = {name.removeprefix("module.mae."): value for name, value in official.laid_out(network).items()}
    added = {name for name in tensors if "scale_embed" in name or "time_embed" in name}
    assert len(added) == 4
    theirs.load_state_dict({renamed(name): value for name, value in tensors.items() if name not in added})
    noise = torch.rand(3, 36, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        made = theirs(pixels[:, 0], noise=noise)
        picked = (made.mask == 0)[:, None]
        images = network(pixels[:, :1], picked)[:, 0]
        wanted = theirs.unpatchify(made.logits)
    assert int(picked.sum()) == 3 * 9 and torch.allclose(images, wanted, atol=1e-5)


def test_the_slip_in_the_decoders_positions() -> None:
    config = replace(ReconstructorConfig.official(), width=16, heads=2, layers=1, hidden=8, decoder_width=8,
                     decoder_heads=2, decoder_layers=1, decoder_hidden=8)  # fmt: skip
    decoder = stock(config).decoder
    with torch.no_grad():
        decoder.decoder_pos_embed.normal_()
    table = decoder.decoder_pos_embed.detach()
    for grid in (2, 4, 7):
        wanted = decoder.interpolate_pos_encoding(torch.zeros(1, 1 + grid**2, 8))[0, 1:].detach()
        assert torch.allclose(every_scale(table, (grid,), True), wanted, atol=1e-5)
        assert not torch.allclose(every_scale(table, (grid,), False), wanted, atol=1e-2)
