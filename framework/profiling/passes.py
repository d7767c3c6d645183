"""The passes through a model that answering cannot do without, called directly; and the straightforward way to answer.

Bare: the vision tower over every group, each group's visual prefix, the rows of all questions against it, and one pass
per question over the tokens that it keeps. Straightforward: for every question, every group goes through the tower
again, and prompt and group go through the language model as a whole, which materialises the attention of all layers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache
from transformers.cache_utils import Cache

from framework.backbones import language_pass
from framework.backbones.base import DecoderBackbone, Prefix
from framework.core.types import Frames, Group, Question, Selection, Tokens

Logits = list[Tensor]  # f32 [V] each


class Passes:
    """Holds groups with their frames, and what each question keeps of them. Its methods are arms of a bench."""

    def __init__(
        self,
        backbone: DecoderBackbone,
        groups: Sequence[tuple[Group, Frames]],
        asked: Sequence[tuple[Question, Selection]],
        layer: int,
    ) -> None:
        self.backbone, self.asked, self.layer = backbone, asked, layer
        size = groups[0][1].pixels.shape[-2:]
        self.groups = [(frames, backbone.layout(group.ticks, *size)) for group, frames in groups]
        self.texts = [backbone.chat.split(question, True).after for question, _ in asked]

    def bare(self) -> tuple[Logits, Logits]:
        """Runs the passes. Returns the logits of the first response token: by group and question, and by question."""
        found: Logits = []
        for frames, layout in self.groups:
            prefix = self._prefix(self.backbone.encode(frames, layout))
            cache = DynamicCache(config=self.backbone.decoder.config)
            self._run(prefix.embeddings[None], prefix.positions[:, None], cache)
            for start in range(0, len(self.texts), self.backbone.questions_per_pass):
                texts = self.texts[start : start + self.backbone.questions_per_pass]
                padded = nn.utils.rnn.pad_sequence(texts, batch_first=True)
                after = language_pass.continuation(self.backbone.decoder, cache, len(texts), remember=False)
                hidden = self._run(self._embedded(padded), self._follow(prefix, padded), after)
                ends = torch.tensor([len(text) - 1 for text in texts])
                found += self._logits(hidden[torch.arange(len(texts)), ends])
        return found, [
            self._final(text, selection) for text, (_, selection) in zip(self.texts, self.asked, strict=True)
        ]

    def straightforward(self) -> tuple[Logits, Logits]:
        """Answers without sharing anything, one prompt after the other. Returns what `bare` returns."""
        found: dict[tuple[int, int], Tensor] = {}
        final: Logits = []
        for number, (text, (_, selection)) in enumerate(zip(self.texts, self.asked, strict=True)):
            with _eager(self.backbone):
                for place, (frames, layout) in enumerate(self.groups):
                    prefix = self._prefix(self.backbone.encode(frames, layout))
                    output = self._whole(prefix, text, output_attentions=True)
                    rows = output.attentions[self.layer][0, :, -len(text) :]  # [heads, L, S]
                    rows[..., prefix.columns].amax((0, 1)).argsort(descending=True)
                    found[place, number] = self._logits(output.last_hidden_state[:, -1])[0]
                    del output, rows
            final.append(self._final(text, selection))
        return [found[key] for key in sorted(found)], final

    def _prefix(self, tokens: Tokens) -> Prefix:
        positions = self.backbone.probe_positions
        return self.backbone.prefix(tokens, self.backbone.before(tokens, positions), positions)

    def _final(self, text: Tensor, selection: Selection) -> Tensor:
        """Logits after kept tokens and a question, in one pass."""
        positions, end = self.backbone.answer_positions, selection.end_seconds
        prefix = self.backbone.prefix(selection.tokens, self.backbone.before_answer(selection), positions, end)
        return self._logits(self._whole(prefix, text).last_hidden_state[:, -1])[0]

    def _whole(self, prefix: Prefix, text: Tensor, **wished: bool) -> Any:
        embeddings = torch.cat([prefix.embeddings, self._embedded(text)])
        places = torch.cat([prefix.positions[:, None], self._follow(prefix, text[None])], dim=2)
        return self.backbone.decoder(
            inputs_embeds=embeddings[None], position_ids=places.to(embeddings.device), use_cache=False, **wished
        )

    def _run(self, embeddings: Tensor, places: Tensor, cache: Cache) -> Tensor:
        """Hidden states [B, S, D] after what the cache holds."""
        return language_pass.states(self.backbone.decoder, embeddings, places, cache)

    def _follow(self, prefix: Prefix, texts: Tensor) -> Tensor:
        """Ids i64 [A, B, L] of texts i64 [B, L] after a prefix."""
        ids = torch.arange(prefix.text_start, prefix.text_start + texts.shape[1])
        return ids.expand(len(prefix.positions), len(texts), -1)

    def _embedded(self, ids: Tensor) -> Tensor:
        embedding = self.backbone.model.get_input_embeddings()
        return embedding(ids.to(embedding.weight.device))

    def _logits(self, states: Tensor) -> Logits:
        return [*self.backbone.model.lm_head(states).float()]


@contextmanager
def _eager(backbone: DecoderBackbone) -> Iterator[None]:
    """The language model with plain attention, which alone gives its weights; as before afterwards."""
    config = backbone.decoder.config
    before = config._attn_implementation
    backbone.decoder.set_attn_implementation("eager")
    try:
        yield
    finally:
        backbone.decoder.set_attn_implementation(before)
