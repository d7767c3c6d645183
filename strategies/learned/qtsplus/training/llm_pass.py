"""The language model reads what the selector kept: prompt, kept tokens, question, answer, one row per sample.

Visual tokens can be given weights. A weight w adds ln w to every attention logit that points at a token, so that 1
leaves it alone and 0 takes it away. Rows are padded at their end, which causality hides.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from framework.backbones.base import DecoderBackbone
from strategies.learned.qtsplus.selector import Chosen
from strategies.learned.qtsplus.training.batches import IGNORED, Batch

POSITIONS = ("kept", "sequential")


def answer_logits(
    backbone: DecoderBackbone, batch: Batch, chosen: Chosen, positions: str, log_weight: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Returns (logits f32 [B, R, V] at the answer's tokens, their ids i64 [B, R]).

    The ids are IGNORED where an answer is shorter. `positions`: `kept` leaves every token the ids of the whole video,
    `sequential` numbers what is kept like text. With `log_weight` f32 [B, n*] all that is shown is read, weighted so;
    without it only what is kept is read.
    """
    device = chosen.tokens.device
    embed = backbone.model.get_input_embeddings()
    rows, places, weights, ranks, answers = [], [], [], [], []
    for number, one in enumerate(batch.samples):
        use = chosen.mask[number] if log_weight is None else chosen.shown[number]
        there = chosen.mask[number][use]  # bool [n], without those that are only shown
        text = torch.cat([one.after, one.answer[:-1]]).to(device)
        visual = chosen.tokens[number][use].to(embed.weight.dtype)
        rows.append(torch.cat([embed(one.before.to(device)), visual, embed(text)]))
        rank = torch.cat([there.new_ones(len(one.before)), there, there.new_ones(len(text))]).long().cumsum(0) - 1
        ranks.append(rank)
        if positions == "sequential":
            places.append(rank.expand(batch.ids.shape[1], -1))
        else:
            ids = batch.ids[number][:, chosen.index[number][use]]
            before, after = (torch.arange(n, device=device).expand(len(ids), -1) for n in (len(one.before), len(text)))
            places.append(torch.cat([before, ids, one.text_start + after], 1))
        if log_weight is not None:
            weight = log_weight[number][use]
            weights.append(torch.cat([weight.new_zeros(len(one.before)), weight, weight.new_zeros(len(text))]))
        answers.append(len(rank) - len(one.answer))
    embeddings = pad_sequence(rows, batch_first=True)
    ids = pad_sequence([place.T for place in places], batch_first=True).permute(2, 0, 1)  # [A, B, S]
    mask: Tensor | dict[str, Tensor] = torch.ones(embeddings.shape[:2], dtype=torch.long, device=device)
    if log_weight is not None:
        mask = _masks(pad_sequence(weights, batch_first=True), pad_sequence(ranks, batch_first=True), backbone)
    hidden = backbone.decoder(
        inputs_embeds=embeddings, position_ids=ids, attention_mask=mask, use_cache=False
    ).last_hidden_state
    labels = pad_sequence([one.answer for one in batch.samples], batch_first=True, padding_value=IGNORED).to(device)
    at = torch.tensor(answers, device=device)[:, None] + torch.arange(labels.shape[1], device=device)
    at = at.clamp_max(hidden.shape[1] - 1)
    spoken = hidden.gather(1, at[..., None].expand(-1, -1, hidden.shape[2]))
    return backbone.model.lm_head(spoken).float(), labels


def _masks(log_weight: Tensor, rank: Tensor, backbone: DecoderBackbone) -> dict[str, Tensor]:
    """Additive masks f32 [B, 1, S, S] from the tokens' ln w, f32 [B, S], and ranks i64 [B, S] among those kept."""
    length = log_weight.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=log_weight.device).tril()
    bias = log_weight[:, None, None, :]
    dark = torch.finfo(log_weight.dtype).min
    masks = {"full_attention": torch.where(causal, bias, dark)}
    if "sliding_attention" in (getattr(backbone.decoder.config, "layer_types", None) or ()):
        near = rank[:, None, :, None] - rank[:, None, None, :] < backbone.decoder.config.sliding_window
        masks["sliding_attention"] = torch.where(causal & near, bias, dark)
    return masks
