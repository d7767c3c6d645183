"""The gaze model: a stem that reads frames, a small LLaMA that reads vision tokens and picks, and two linear heads.

Per frame the decoder sees [vision tokens][picks], after those of all earlier frames, causally throughout. From one
state (the last vision token of the frame, or the last pick of a chunk) the token head gives the logits of the next K
picks and the loss head the loss predicted for the frame after 0 .. K - 1 further picks. It knows neither how picks are
chosen nor how it is trained. Source: AutoGaze (arXiv 2603.12254); at the official size 3,258,240 parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaModel

from strategies.learned.autogaze.gaze.stem import State, Stem
from strategies.learned.autogaze.gaze.vocabulary import Vocabulary


@dataclass(frozen=True)
class RopeScaling:
    """Describes how LLaMA 3 stretches rotary positions."""

    factor: float
    low_freq_factor: float
    high_freq_factor: float
    original_max_position_embeddings: int


@dataclass(frozen=True)
class GazeConfig:
    """Describes the sizes of a gaze model; it reads square frames whose side is the largest of `scales`.

    Raises ValueError naming a size that is not possible.
    """

    scales: tuple[int, ...]  # pixels, ascending
    patch: int  # pixels: of the vocabulary and of the stem
    width: int
    layers: int
    heads: int  # of attention
    ffn: int
    heads_ahead: int  # K, picks predicted from one state
    stem_blocks: int
    stem_kernel: int  # frames and patches
    rope_theta: float
    rope_scaling: RopeScaling | None
    max_positions: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "scales", tuple(self.scales))
        if isinstance(self.rope_scaling, dict):
            object.__setattr__(self, "rope_scaling", RopeScaling(**self.rope_scaling))
        _ = self.vocabulary
        if self.heads < 1 or self.width % (2 * self.heads):
            raise ValueError(
                f"gaze.heads must cut gaze.width into heads of an even width, got {self.heads} and {self.width}"
            )
        for name in ("layers", "ffn", "heads_ahead", "stem_blocks", "max_positions"):
            if getattr(self, name) < 1:
                raise ValueError(f"gaze.{name} must be at least 1, got {getattr(self, name)}")
        if self.stem_kernel < 1 or self.stem_kernel % 2 == 0:
            raise ValueError(f"gaze.stem_kernel must be odd, got {self.stem_kernel}")

    @classmethod
    def official(cls) -> GazeConfig:
        """Returns the published sizes."""
        scaling = RopeScaling(8.0, 1.0, 4.0, 8192)
        return cls((32, 64, 112, 224), 16, 192, 4, 6, 384, 10, 1, 3, 5e5, scaling, 131072)

    @classmethod
    def lab(cls) -> GazeConfig:
        """Returns sizes that are small enough to train on two CPU cores: 112 pixels, 69 ids."""
        return cls((32, 64, 112), 16, 96, 3, 3, 192, 10, 1, 3, 1e4, None, 8192)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """Returns the vocabulary: the patches that may be picked."""
        return Vocabulary(self.scales, self.patch)

    @property
    def side(self) -> int:
        """Returns the number of pixels along a side of a frame."""
        return self.scales[-1]

    @property
    def vision_tokens(self) -> int:
        """Returns P, the number of vision tokens of a frame."""
        return self.vocabulary.grids[-1] ** 2

    def llama(self) -> LlamaConfig:
        """Returns the decoder's configuration."""
        rope: dict[str, object] = {"rope_type": "default", "rope_theta": self.rope_theta}
        if self.rope_scaling is not None:
            rope |= {"rope_type": "llama3", **vars(self.rope_scaling)}
        return LlamaConfig(
            vocab_size=self.vocabulary.size + 1,
            hidden_size=self.width,
            intermediate_size=self.ffn,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.heads,
            max_position_embeddings=self.max_positions,
            rms_norm_eps=1e-5,
            rope_parameters=rope,
            pad_token_id=None,
            bos_token_id=None,
            eos_token_id=None,
            attn_implementation="sdpa",
        )


class Gaze(nn.Module):
    """Predicts the next picks from the frames and picks so far, and the loss that these picks will leave."""

    def __init__(self, config: GazeConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = Stem(config.width, config.patch, config.stem_blocks, config.stem_kernel)
        self.positions = nn.Parameter(torch.randn(config.vision_tokens, config.width))
        self.decoder = LlamaModel(config.llama())
        classes = config.vocabulary.size + 1
        self.token_head = nn.Linear(config.width, config.heads_ahead * classes, bias=False)  # row = head * classes + id
        self.loss_head = nn.Linear(config.width, config.heads_ahead, bias=False)

    @property
    def vocabulary(self) -> Vocabulary:
        """Returns the vocabulary: the patches that may be picked."""
        return self.config.vocabulary

    @property
    def device(self) -> torch.device:
        """Returns the device that its weights are on."""
        return self.positions.device

    @classmethod
    def random(cls, config: GazeConfig, seed: int) -> Gaze:
        """Creates an untrained model, in evaluation mode; torch's own random state stays as it is."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return cls(config).eval()

    def vision(self, pixels: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Turns normalised frames [B, T, 3, S, S] into vision tokens [B, T, P, D].

        Also returns the state to read the next frames with. Raises ValueError for frames of any other shape, or none.
        """
        side = self.config.side
        if pixels.ndim != 5 or pixels.shape[1] < 1 or pixels.shape[2:] != (3, side, side):
            raise ValueError(
                f"this gaze reads [batch, frames, 3, {side}, {side}] with at least one frame, got "
                f"{list(pixels.shape)}: resize frames with `gaze/pixels.py`, or cut them into tiles"
            )
        tokens, state = self.stem(pixels.to(self.positions.dtype), state)
        return tokens + self.positions, state

    def embed(self, ids: Tensor) -> Tensor:
        """Returns the embeddings [..., D] of ids i64 [...] within a frame, `eos` too."""
        return self.decoder.embed_tokens(ids)

    def token_logits(self, hidden: Tensor) -> Tensor:
        """Returns logits f32 [..., K, V + 1] of states [..., D]: head h is about the pick after h further ones."""
        return self.token_head(hidden).float().unflatten(-1, (self.config.heads_ahead, -1))

    def loss_predictions(self, hidden: Tensor) -> Tensor:
        """Predicts losses f32 [..., K] from states [..., D]: head h predicts the frame's loss after h further picks."""
        return self.loss_head(hidden).float()
