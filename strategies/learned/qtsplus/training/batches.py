"""What a selector learns from: a video's visual tokens, a question and its answer, as tensors.

It knows a backbone's adapter and how samples are padded to a batch; it knows nothing of selectors or losses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from framework.backbones.base import DecoderBackbone
from framework.core.types import Question, Tokens

IGNORED = -100


@dataclass(frozen=True)
class Sample:
    """Holds one question about one video. Position ids have A axes; everything is on the CPU but perhaps `tokens`."""

    tokens: Tensor  # [M, D], all visual tokens of the video
    seconds: Tensor  # f64 [M]
    ids: Tensor  # i64 [A, M], position ids in the untouched model's prompt
    text_start: int  # position id of the first text token after the video
    query: Tensor  # i64 [L], ids of the bare question
    before: Tensor  # i64 [P], ids of the prompt before the video
    after: Tensor  # i64 [S], and after it, up to where the answer starts
    answer: Tensor  # i64 [R], with the end of turn


@dataclass(frozen=True)
class Batch:
    """Holds B samples, padded; M and L are those of the longest."""

    tokens: Tensor  # f32 [B, M, D]
    mask: Tensor  # bool [B, M]
    seconds: Tensor  # f64 [B, M]
    ids: Tensor  # i64 [B, A, M]
    query: Tensor  # i64 [B, L]
    query_mask: Tensor  # bool [B, L]
    rho: Tensor | None  # f32 [B], the ratio to keep where it is given from outside
    samples: Sequence[Sample]  # the texts

    def __len__(self) -> int:
        return len(self.samples)

    def to(self, device: torch.device) -> Batch:
        """Returns the batch with its padded tensors on another device."""
        return self._each(lambda tensor: tensor.to(device), self.samples)

    def __getitem__(self, places: Sequence[int]) -> Batch:
        """Returns some of the samples, no less padded."""
        at = torch.tensor(places, device=self.tokens.device)
        return self._each(lambda tensor: tensor[at], [self.samples[place] for place in places])

    def _each(self, change: Callable[[Tensor], Tensor], samples: Sequence[Sample]) -> Batch:
        named: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        changed: dict[str, Any] = {k: change(v) if isinstance(v, Tensor) else v for k, v in named.items()}
        return Batch(**{**changed, "samples": samples})


def sample(backbone: DecoderBackbone, tokens: Tokens, question: Question, answer: str | int) -> Sample:
    """Makes a sample from a video's tokens; `answer` is the place of the right option, or an open answer's text."""
    prompt = backbone.chat.split(question, True)
    before = backbone.before(tokens, "original")
    with torch.no_grad():
        prefix = backbone.prefix(tokens, before, "original")
    said = [int(prompt.option_ids[answer])] if isinstance(answer, int) else backbone.chat.literal(answer)[0]
    return Sample(
        tokens=tokens.embeddings,
        seconds=tokens.seconds.cpu(),
        ids=prefix.positions[:, prefix.columns].cpu(),
        text_start=prefix.text_start,
        query=torch.tensor(backbone.chat.literal(question.bare)[0]),
        before=before,
        after=prompt.after,
        answer=torch.tensor([*said, backbone.tokenizer.eos_token_id]),
    )


def collate(samples: Sequence[Sample], rho: Tensor | None = None) -> Batch:
    """Pads samples to a batch."""

    def padded(name: str, value: Any = 0) -> tuple[Tensor, Tensor]:
        parts = [getattr(one, name) for one in samples]
        lengths = torch.tensor([len(part) for part in parts])
        whole = pad_sequence(parts, batch_first=True, padding_value=value)
        return whole, torch.arange(whole.shape[1]) < lengths[:, None]

    tokens, mask = padded("tokens")
    query, query_mask = padded("query")
    ids = pad_sequence([one.ids.T for one in samples], batch_first=True).transpose(1, 2)
    return Batch(tokens.float(), mask, padded("seconds")[0], ids, query, query_mask, rho, samples)
