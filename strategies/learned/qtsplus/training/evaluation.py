"""Accuracy against the number of tokens kept, for a selector and for what it is compared with, on held-out videos.

Every way to select is a function (batch, number) -> indices; the language model then answers from those tokens at their
original times, re-encoded where the selector does so. It knows the lab's videos; it knows nothing of training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from zlib import crc32

import numpy as np
import torch
from torch import Tensor

from framework.backbones.base import DecoderBackbone
from framework.core.interfaces import TokenScorer
from framework.core.prompts import PromptTemplate
from framework.core.types import Group
from framework.core.view import GroupView
from framework.lab.features import NeedleFeatures, needle_tokens
from framework.lab.questions import LabQuestion
from framework.lab.world import CELL, FRAMES_PER_SECOND, FRAMES_PER_TICK
from strategies.learned.qtsplus.selector import Chosen, Selector
from strategies.learned.qtsplus.training.batches import Batch, collate
from strategies.learned.qtsplus.training.from_needles import as_tokens, needle_sample
from strategies.learned.qtsplus.training.llm_pass import answer_logits
from strategies.learned.qtsplus.training.module import SelectorModule

TOKENS_AT_ONCE = 4096  # kept tokens of a batch
MOST = 256  # of them per question, where the selector says how many
Questions = list[tuple[str, LabQuestion]]
Pick = Callable[[Batch, Questions, int], Chosen]  # batch, its questions, tokens to keep


def table(
    backbone: DecoderBackbone,
    prompt: PromptTemplate,
    features: NeedleFeatures,
    pick: Pick,
    counts: list[int],
    positions: str,
) -> list[dict[str, object]]:
    """Returns one row per question and count: question, split, n, probability of the right option, and whether it won.

    A count of 0 is for a selector that says itself how many it keeps.
    """
    rows: list[dict[str, object]] = []
    for count in counts:
        for first, batch, asked in _batches(backbone, prompt, features, max(1, TOKENS_AT_ONCE // (count or MOST))):
            with torch.no_grad():
                chosen = pick(batch, asked, min(count, features.tokens))
                logits, _ = answer_logits(backbone, batch, chosen, positions)
            for place, (split, question) in enumerate(asked):
                options = backbone.chat.split(
                    prompt.question("", question.bare, question.options), True
                ).option_ids  # remembered by the chat
                shares = logits[place, 0, options].double().softmax(0)
                row = {"question": first + place, "split": split, "n": int(chosen.count[place])}
                right = question.right
                assert right is not None
                rows.append({**row, "share": float(shares[right]), "right": int(shares.argmax()) == right})
    return rows


def _batches(
    backbone: DecoderBackbone, prompt: PromptTemplate, features: NeedleFeatures, most: int
) -> Iterator[tuple[int, Batch, Questions]]:
    """Every question of every video in order, `most` or fewer at a time, with the number of the first."""
    samples, asked, first = [], [], 0
    for number in range(len(features)):
        video, kind = features[number], features.kinds[number]
        tokens = as_tokens(video.features, features.ticks)
        name = kind["split"] if kind["opacity"] == 1 else f"{kind['split']} {kind['opacity']:g}"
        for question in video.questions:
            samples.append(needle_sample(backbone, prompt, tokens, question))
            asked.append((name, question))
            if len(samples) == most:
                yield first, collate(samples), asked
                first, samples, asked = first + len(samples), [], []
    if samples:
        yield first, collate(samples), asked


def choose(batch: Batch, index: Tensor) -> Chosen:
    """Returns the choice of the tokens that are given: `index` i64 [B, n], ascending."""
    mask = torch.ones_like(index, dtype=torch.bool)
    tokens = batch.tokens.gather(1, index[..., None].expand(-1, -1, batch.tokens.shape[2]))
    count, nothing = mask.sum(1), torch.zeros(len(batch))
    return Chosen(tokens, mask, index, nothing, nothing, nothing, count, mask, mask.float())


def oracle(batch: Batch, asked: Questions, count: int) -> Chosen:
    """Chooses the tokens that show the needles, and random others."""
    return choose(batch, _rows(asked, lambda g, question: _needles_first(g, question, batch.tokens.shape[1], count)))


def uniform(batch: Batch, asked: Questions, count: int) -> Chosen:
    """Chooses whole ticks, evenly spaced.

    Where the count is no multiple of a tick's tokens, only the first tokens of one more tick are chosen.
    """
    cells = asked[0][1].query.grid ** 2
    ticks = batch.tokens.shape[1] // cells
    wanted = -(-count // cells)
    at = ((np.arange(wanted) + 0.5) * ticks / wanted).astype(int)
    tokens = (at[:, None] * cells + np.arange(cells)).reshape(-1)[:count]
    return choose(batch, torch.from_numpy(tokens).expand(len(batch), -1))


def random(batch: Batch, asked: Questions, count: int) -> Chosen:
    """Chooses random tokens."""
    return choose(batch, _rows(asked, lambda g, question: g.permutation(batch.tokens.shape[1])[:count]))


def by_selector(module: SelectorModule) -> Pick:
    """Returns a function that selects by a trained selector, and keeps a given number of tokens as at inference."""

    def pick(batch: Batch, asked: Questions, count: int) -> Chosen:
        batch = Batch(**{**vars(batch), "rho": torch.full((len(batch),), count / batch.tokens.shape[1])})
        return module.choose(batch, gate="hard")

    return pick


def by_split(rows: list[dict[str, object]]) -> dict[str, float]:
    """Returns accuracies as `SPLIT at N` -> accuracy, where N is the mean number of tokens kept."""
    found: dict[str, list[tuple[int, bool]]] = {}
    for row in rows:
        found.setdefault(str(row["split"]), []).append((int(row["n"]), bool(row["right"])))  # type: ignore[call-overload]
    means = {split: np.mean(pairs, axis=0).tolist() for split, pairs in found.items()}
    return {f"{split} at {count:.0f}": float(right) for split, (count, right) in means.items()}


def _rows(asked: Questions, draw: Callable[[np.random.Generator, LabQuestion], np.ndarray]) -> Tensor:
    seeds = [crc32(repr((question.bare, question.evidence)).encode()) for _, question in asked]
    rows = [np.sort(draw(np.random.default_rng(seed), q)) for seed, (_, q) in zip(seeds, asked, strict=True)]
    return torch.from_numpy(np.stack(rows))


def _needles_first(generator: np.random.Generator, question: LabQuestion, total: int, count: int) -> np.ndarray:
    parts = [generator.permutation(needle_tokens(needle, question.query.grid**2)) for needle in question.evidence]
    needles = np.stack(parts, 1).reshape(-1)  # one of each needle in turn, so that few tokens show them all
    rest = np.setdiff1d(np.arange(total), needles)
    return np.concatenate([needles, generator.permutation(rest)])[:count]


def by_weights(selector: Selector, backbone: DecoderBackbone) -> Pick:
    """Returns a function that selects by a selector as at inference, and keeps a given number of tokens."""
    selector = selector.float().eval()

    def pick(batch: Batch, asked: Questions, count: int) -> Chosen:
        query = backbone.model.get_input_embeddings()(batch.query).float()
        return selector(
            batch.tokens,
            batch.mask,
            query,
            batch.query_mask,
            batch.seconds,
            rho=torch.full((len(batch),), count / batch.tokens.shape[1]),
            most=None,
            gate="hard",
            multiply=False,
        )

    return pick


def by_scorer(scorer: TokenScorer, backbone: DecoderBackbone, prompt: PromptTemplate) -> Pick:
    """Returns a function that selects the best tokens by a strategy that looks at the whole video as one group.

    The strategy is asked once per question.
    """
    known: dict[tuple[object, ...], Tensor] = {}

    def scores(embeddings: Tensor, asked: LabQuestion) -> Tensor:
        grid, question = asked.query.grid, prompt.question("", asked.bare, asked.options)
        ticks = torch.arange(len(embeddings) // grid**2)
        tokens = as_tokens(embeddings.numpy(), len(ticks))
        (probe,) = backbone.probe(tokens, [question], scorer.needs)
        layout = backbone.layout(ticks, grid * CELL, grid * CELL)
        seconds = ticks.double() * FRAMES_PER_TICK / FRAMES_PER_SECOND
        return scorer.score(GroupView(Group(0, ticks), question, layout, seconds, None, tokens, probe)).values

    def pick(batch: Batch, asked: Questions, count: int) -> Chosen:
        rows = []
        for tokens, (_, question) in zip(batch.tokens, asked, strict=True):
            key = (question.bare, question.options, question.evidence)
            if key not in known:
                known[key] = scores(tokens, question)
            rows.append(known[key].topk(count).indices.sort().values)
        return choose(batch, torch.stack(rows))

    return pick
