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
        return self.look(), self.final()

    def look(self) -> Logits:
        """Runs the passes over groups: tower, visual prefix, the rows of all questions. Returns what `bare` does."""
        found: Logits = []
        for frames, layout in self.groups:
            prefix = self._prefix(self.backbone.encode(frames, layout))
            cache = DynamicCache(config=self.backbone.decoder.config)
            more = self.backbone.arguments(prefix, len(prefix.embeddings))
            self._run(prefix.embeddings[None], prefix.positions[:, None], cache, **more)
            for start in range(0, len(self.texts), self.backbone.questions_per_pass):
                texts = self.texts[start : start + self.backbone.questions_per_pass]
                padded = nn.utils.rnn.pad_sequence(texts, batch_first=True)
                after = language_pass.continuation(self.backbone.decoder, cache, len(texts), remember=False)
                hidden = self._run(self._embedded(padded), self._follow(prefix, padded), after)
                ends = torch.tensor([len(text) - 1 for text in texts])
                found += self._logits(hidden[torch.arange(len(texts)), ends])
        return found

    def final(self) -> Logits:
        """Runs every question's pass over the tokens that it keeps. Returns what `bare` does."""
        return [self._final(text, selection) for text, (_, selection) in zip(self.texts, self.asked, strict=True)]

    def straightforward(self) -> tuple[Logits, Logits]:
        """Answers without sharing anything, one prompt after the other. Returns what `bare` returns."""
        found: dict[tuple[int, int], Tensor] = {}
        final: Logits = []
        for number, (text, (_, selection)) in enumerate(zip(self.texts, self.asked, strict=True)):
            with eager(self.backbone):
                for place in range(len(self.groups)):
                    found[place, number], rows = self.whole_group(place, number)
                    rows.amax((0, 1)).argsort(descending=True)
                    del rows
            final.append(self._final(text, selection))
        return [found[key] for key in sorted(found)], final

    def whole_group(self, place: int, number: int) -> tuple[Tensor, Tensor]:
        """Encodes a group again and reads it with a question in one pass that gives all attention, inside `eager`.

        Returns the logits of the first response token f32 [V], and the reference layer's attention from the text to the
        visual tokens [heads, L, N].
        """
        (frames, layout), text = self.groups[place], self.texts[number]
        prefix = self._prefix(self.backbone.encode(frames, layout))
        output = self._whole(prefix, text, output_attentions=True)
        rows = output.attentions[self.layer][0, :, -len(text) :]  # [heads, L, S]
        return self._logits(output.last_hidden_state[:, -1])[0], rows[..., prefix.columns]

    def _prefix(self, tokens: Tokens) -> Prefix:
        positions = self.backbone.probe_positions
        return self.backbone.prefix(tokens, self.backbone.before(tokens, positions), positions)

    def _final(self, text: Tensor, selection: Selection) -> Tensor:
        """Logits after kept tokens and a question, in one pass."""
        positions, clock = self.backbone.answer_positions, selection.clock
        prefix = self.backbone.prefix(selection.tokens, self.backbone.before_answer(selection), positions, clock)
        return self._logits(self._whole(prefix, text).last_hidden_state[:, -1])[0]

    def _whole(self, prefix: Prefix, text: Tensor, **wished: bool) -> Any:
        embeddings = torch.cat([prefix.embeddings, self._embedded(text)])
        places = torch.cat([prefix.positions[:, None], self._follow(prefix, text[None])], dim=2)
        more = self.backbone.arguments(prefix, len(embeddings))
        return self.backbone.decoder(
            inputs_embeds=embeddings[None], position_ids=_ids(places, embeddings), use_cache=False, **wished, **more
        )

    def _run(self, embeddings: Tensor, places: Tensor, cache: Cache, **more: Any) -> Tensor:
        """Hidden states [B, S, D] after what the cache holds."""
        return language_pass.states(self.backbone.decoder, embeddings, places, cache, **more)

    def _follow(self, prefix: Prefix, texts: Tensor) -> Tensor:
        """Ids i64 [A, B, L] of texts i64 [B, L] after a prefix."""
        ids = torch.arange(prefix.text_start, prefix.text_start + texts.shape[1])
        return ids.expand(len(prefix.positions), len(texts), -1)

    def _embedded(self, ids: Tensor) -> Tensor:
        return self.backbone.model.get_input_embeddings()(ids.to(self.backbone.home))

    def _logits(self, states: Tensor) -> Logits:
        return [*self.backbone.model.lm_head(states).float()]


def _ids(places: Tensor, embeddings: Tensor) -> Tensor:
    """Ids as the language model takes them: one axis is none."""
    return (places if len(places) > 1 else places[0]).to(embeddings.device)


@contextmanager
def eager(backbone: DecoderBackbone) -> Iterator[None]:
    """Gives the language model plain attention, which alone tells its weights, inside the block."""
    config = backbone.decoder.config
    before = config._attn_implementation
    backbone.decoder.set_attn_implementation("eager")
    try:
        yield
    finally:
        backbone.decoder.set_attn_implementation(before)
