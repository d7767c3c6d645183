"""The published reconstructor: a torch file of 962 tensors, of which 530 are the network's, the rest two teachers.

Its names are those of transformers' masked autoencoder; there is no configuration beside it. Where the class token
goes in the published decoder is not documented: here, as in transformers, it stays in front of the patches.
Source: AutoGaze (arXiv 2603.12254), its published reconstruction checkpoint.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from framework.core.home import at_home
from framework.core.weight_files import of_torch, refuse_non_finite
from strategies.learned.autogaze.reconstructor.config import ReconstructorConfig
from strategies.learned.autogaze.reconstructor.model import Reconstructor

WRAPPER = "module."  # of distributed training
PREFIX = "mae."
TEACHERS = ("dinov2_reg.", "siglip2.")  # frozen networks of the published loss, saved along
NAMED = 5  # names in a message, at most
SINGLE = {
    "class_token": "vit.embeddings.cls_token",
    "positions": "vit.embeddings.position_embeddings",
    "scale_embed": "vit.embeddings.scale_embed",
    "time_embed": "vit.embeddings.time_embed",
    "mask_token": "decoder.mask_token",
    "decoder_positions": "decoder.decoder_pos_embed",
    "decoder_scale_embed": "decoder.decoder_scale_embed",
    "decoder_time_embed": "decoder.time_embed",
}
LAYERS = {
    "patch_embed": "vit.embeddings.patch_embeddings.projection",
    "norm": "vit.layernorm",
    "decoder_embed": "decoder.decoder_embed",
    "decoder_norm": "decoder.decoder_norm",
    "predict": "decoder.decoder_pred",
}
IN_BLOCK = {
    "query": "attention.attention.query",
    "key": "attention.attention.key",
    "value": "attention.attention.value",
    "output": "attention.output.dense",
    "widen": "intermediate.dense",
    "narrow": "output.dense",
    "norm_attention": "layernorm_before",
    "norm_feed": "layernorm_after",
}


def names(config: ReconstructorConfig) -> dict[str, str]:
    """Maps our name of each tensor to its published one, without the prefixes."""
    layers = dict(LAYERS)
    for ours, theirs, count in (
        ("encoder", "vit.encoder.layer", config.layers),
        ("decoder", "decoder.decoder_layers", config.decoder_layers),
    ):
        for number in range(count):
            layers |= {f"{ours}.{number}.{a}": f"{theirs}.{number}.{b}" for a, b in IN_BLOCK.items()}
    both = {f"{a}.{kind}": f"{b}.{kind}" for a, b in layers.items() for kind in ("weight", "bias")}
    return SINGLE | both


def load(path: str | Path, config: ReconstructorConfig | None = None) -> Reconstructor:
    """Loads the network of a published checkpoint, or of one in its layout (`config`), in evaluation mode.

    Raises ValueError where there is no file. Raises it too where the file holds more or less than the network, other
    shapes, or numbers that are not finite.
    """
    config = config or ReconstructorConfig.official()
    place = at_home(path, "checkpoint")
    if not place.is_file():
        raise ValueError(f"{place} does not exist: expected a published reconstructor (videomae.pt)")
    stored = of_torch(place)
    found = {key: value for key, value in ((_bare(name), value) for name, value in stored.items()) if key is not None}
    wanted = names(config)
    missing, unexpected = sorted(set(wanted.values()) - set(found)), sorted(set(found) - set(wanted.values()))
    if missing or unexpected:
        raise ValueError(
            f"{place} is no published reconstructor of {config.layers} + {config.decoder_layers} layers: "
            f"missing {_some(missing)}; unexpected {_some(unexpected)}"
        )
    with torch.device("meta"):
        network = Reconstructor(config)
    own = network.state_dict()
    tensors = {}
    for ours, theirs in wanted.items():
        value = found[theirs]
        tensors[ours] = value.flatten(1) if ours == "patch_embed.weight" else value
        if tensors[ours].shape != own[ours].shape:
            raise ValueError(f"{place}: {theirs} is {list(value.shape)}, {list(own[ours].shape)} is needed")
        refuse_non_finite([(theirs, value)], place)
    network.load_state_dict(tensors, assign=True)
    return network.eval()


def laid_out(network: Reconstructor) -> dict[str, Tensor]:
    """Returns the tensors of a network as they are published, without teachers."""
    patch = network.config.patch
    found = {}
    for ours, theirs in names(network.config).items():
        value = network.state_dict()[ours]
        if ours == "patch_embed.weight":
            value = value.unflatten(1, (3, patch, patch))
        found[WRAPPER + PREFIX + theirs] = value
    return found


def _bare(name: str) -> str | None:
    """Without prefixes; None for a teacher's."""
    bare = name.removeprefix(WRAPPER).removeprefix(PREFIX)
    return None if bare.startswith(TEACHERS) else bare


def _some(found: list[str]) -> str:
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return (", ".join(found[:NAMED]) or "nothing") + more
