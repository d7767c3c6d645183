"""What a lab model can do, measured on fresh clips: accuracy, entropies, AUROC, false certainty."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np
import torch
from scipy.stats import rankdata

from framework.lab.training.batches import LanguageBatch
from framework.lab.training.language import LabLanguage

CERTAIN = 0.1  # nats: an entropy below it counts as certain


@dataclass(frozen=True)
class Measured:
    """Holds means over the multiple-choice questions of some batches. Entropies are in nats over the listed options."""

    questions: int
    accuracy: float  # of the decided questions
    chance: float
    entropy_present: float
    entropy_absent: float
    auroc: float  # of the entropy, undecided against decided
    falsely_certain: float  # share of undecided questions with an entropy below CERTAIN

    def row(self) -> dict[str, float]:
        """Returns the figures as a dictionary."""
        return asdict(self)


def answers(module: LabLanguage, batches: Iterable[LanguageBatch]) -> dict[str, np.ndarray]:
    """Answers the multiple-choice questions of some batches: a table with one entry per question in each column.

    The columns are `split`, `right` (-1: undecided), `choice`, `entropy` (nats) and `options`.
    """
    columns: dict[str, list[float | str]] = {"split": [], "right": [], "choice": [], "entropy": [], "options": []}
    with torch.no_grad():
        for batch in batches:
            letters = module.answer_logits(batch)[:, module.letters].double()
            for question, row in zip(batch.questions, letters, strict=True):
                if question.options == 0 or question.split == "lookup":
                    continue
                shares = row[: question.options].softmax(0)
                columns["split"].append(question.split)
                columns["right"].append(-1 if question.right is None else question.right)
                columns["choice"].append(int(shares.argmax()))
                columns["entropy"].append(float(torch.special.entr(shares).sum()))
                columns["options"].append(question.options)
    return {name: np.array(values) for name, values in columns.items()}


def summarise(table: dict[str, np.ndarray]) -> Measured:
    """Averages the answers of one split."""
    decided = table["right"] >= 0
    entropy = table["entropy"].astype(float)
    return Measured(
        questions=len(decided),
        accuracy=_mean(table["choice"][decided] == table["right"][decided]),
        chance=_mean(1 / table["options"][decided]),
        entropy_present=_mean(entropy[decided]),
        entropy_absent=_mean(entropy[~decided]),
        auroc=auroc(entropy[~decided], entropy[decided]),
        falsely_certain=_mean(entropy[~decided] < CERTAIN),
    )


def by_split(table: dict[str, np.ndarray]) -> dict[str, Measured]:
    """Returns one summary per split."""
    names = sorted(set(table["split"].tolist()))
    return {name: summarise({key: values[table["split"] == name] for key, values in table.items()}) for name in names}


def auroc(high: np.ndarray, low: np.ndarray) -> float:
    """Returns the probability that a value of `high` exceeds one of `low`, ties counting half (Mann-Whitney).

    Returns NaN where one of them is empty.
    """
    if not len(high) or not len(low):
        return float("nan")
    ranks = rankdata(np.concatenate([high, low]))[: len(high)]
    return float((ranks.sum() - len(high) * (len(high) + 1) / 2) / (len(high) * len(low)))


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
