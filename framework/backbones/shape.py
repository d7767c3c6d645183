"""What the memory of a model depends on, counted from its configuration: nothing is allocated, no weight is needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForImageTextToText

from framework.backbones.beside import quiet

STATE_BYTES = 4  # recurrent states are kept in fp32


@dataclass(frozen=True)
class Tower:
    """Holds the sizes of a vision tower."""

    parameters: int
    width: int
    inner: int  # of its feed-forward layers
    patch: int  # pixels along a side
    frames: int  # of a tick
    patches_per_token: float
    side: int | None  # pixels of a square frame; None: frames keep their own aspect
    class_tokens: int = 0

    @property
    def patch_values(self) -> int:
        """Counts the numbers of a patch: all colours and frames."""
        return 3 * self.frames * self.patch**2


@dataclass(frozen=True)
class Shape:
    """Holds the sizes of a model. Weights are counts of parameters; shared ones count once."""

    kind: str  # model type
    text_kind: str
    parameters: int
    layer_parameters: int  # of the largest layer of the language model
    layers: int
    attention: tuple[int, ...]  # layers that have attention, and so keys and values
    width: int
    heads: int
    key_heads: int
    head: int  # channels
    inner: int  # of the feed-forward layers that a row is in
    vocabulary: int
    states: int  # numbers of a question's recurrent states, all layers
    levels: int  # of DeepStack
    cut: bool  # transformers has a plan to cut the text model over processes
    tower: Tower

    @property
    def text_parameters(self) -> int:
        """Counts the parameters of the language model, embeddings and head included."""
        return self.parameters - self.tower.parameters

    def kept_layers(self, depth: int) -> int:
        """Counts the layers among the first `depth` that keep keys and values."""
        return sum(layer < depth for layer in self.attention)

    def token_bytes(self, item: int) -> int:
        """Computes the size of a visual token's embeddings, those of DeepStack included, at `item` bytes a number."""
        return self.width * (1 + self.levels) * item

    def cache_bytes(self, item: int, depth: int | None = None) -> int:
        """Computes the size of one token's keys and values in the first `depth` layers; None: in all."""
        layers = self.kept_layers(self.layers if depth is None else depth)
        return layers * 2 * self.key_heads * self.head * item


def shape_of(config: Any) -> Shape:
    """Counts the sizes of the model that a configuration of transformers describes."""
    with quiet(), torch.device("meta"):
        model: Any = AutoModelForImageTextToText.from_config(config)
    text, decoder = config.get_text_config(), model.model.language_model
    tower = getattr(model.model, "visual", None) or model.model.vision_tower
    layers = list(decoder.layers)
    experts = getattr(text, "num_experts_per_tok", None)
    return Shape(
        kind=config.model_type,
        text_kind=text.model_type,
        parameters=_count(model),
        layer_parameters=max(map(_count, layers)),
        layers=len(layers),
        attention=tuple(place for place, layer in enumerate(layers) if hasattr(layer, "self_attn")),
        width=text.hidden_size,
        heads=text.num_attention_heads,
        key_heads=text.num_key_value_heads,
        head=getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads,
        inner=text.moe_intermediate_size * experts if experts else text.intermediate_size,
        vocabulary=text.vocab_size,
        states=sum(_states(layer.linear_attn) for layer in layers if not hasattr(layer, "self_attn")),
        levels=len(getattr(config.vision_config, "deepstack_visual_indexes", None) or ()),
        cut=bool(getattr(text, "base_model_tp_plan", None)),
        tower=_tower(config, tower),
    )


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _states(layer: Any) -> int:
    """Numbers of a gated delta rule's state: key x value channels per head, and what its convolution remembers."""
    return int(layer.num_v_heads * layer.head_k_dim * layer.head_v_dim + layer.conv_dim * layer.conv_kernel_size)


def _tower(config: Any, tower: nn.Module) -> Tower:
    vision = config.vision_config
    patch = vision.patch_size if isinstance(vision.patch_size, int) else vision.patch_size[0]
    frames = getattr(vision, "temporal_patch_size", 1)
    sizes = (_count(tower), vision.hidden_size, vision.intermediate_size, patch, frames)
    if hasattr(vision, "spatial_merge_size"):
        return Tower(*sizes, vision.spatial_merge_size**2, None)
    side = vision.image_size if isinstance(vision.image_size, int) else vision.image_size[0]
    across = side // patch
    tokens = (-(-across // 2)) ** 2  # both families make a token of 2 x 2 patches, or of what is left at the edges
    return Tower(*sizes, across**2 / tokens, side, 1 if config.model_type == "internvl" else 0)
