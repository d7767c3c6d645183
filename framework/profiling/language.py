"""A language model with the shape of Qwen2.5-VL-3B's, random weights and no vocabulary. Nothing is timed here."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import Qwen2_5_VLTextConfig, Qwen2_5_VLTextModel

DEPTH, WIDTH = 36, 2048


class Language:
    """Holds the first `layers` of the 36 layers of Qwen2.5-VL-3B's language model, with random weights.

    A layer has 16 heads of 128, two heads of keys and values, and a feed-forward layer of 11,008.
    """

    def __init__(self, layers: int, device: str, dtype: torch.dtype) -> None:
        shape: dict[str, Any] = {"hidden_size": WIDTH, "intermediate_size": 11008, "num_hidden_layers": layers}
        shape |= {"num_attention_heads": 16, "num_key_value_heads": 2, "vocab_size": 8}
        shape |= {"bos_token_id": None, "eos_token_id": None}
        rope = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]}
        model: Any = Qwen2_5_VLTextModel(Qwen2_5_VLTextConfig(rope_parameters=rope, **shape))
        self.model = model.to(device, dtype).eval()
        self.layers = self.model.layers

    def prefill(self, tokens: int) -> Tensor:
        """Reads `tokens` embeddings of noise in one pass into a fresh cache. Returns the last states [1, tokens, D]."""
        embeddings = torch.randn(1, tokens, WIDTH, device=self.model.device, dtype=self.model.dtype)
        places = torch.arange(tokens, device=self.model.device).expand(3, 1, -1)
        states: Tensor = self.model(inputs_embeds=embeddings, position_ids=places, use_cache=True).last_hidden_state
        return states
