"""Which reconstructor `reconstructor.checkpoint` means.

What is known of the weights is read first, so that a wrong setting is refused before anything heavy; the weights are
read when they are needed. The published file says nothing of its sizes: it is taken for what was published.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import torch

from framework.core.errors import UsageError
from framework.core.weight_files import random_weights
from strategies.learned.autogaze.gaze.vocabulary import Vocabulary
from strategies.learned.autogaze.reconstructor import checkpoint as stored
from strategies.learned.autogaze.reconstructor import official
from strategies.learned.autogaze.reconstructor.config import ReconstructorConfig
from strategies.learned.autogaze.reconstructor.model import Reconstructor

KEY = "reconstructor.checkpoint"
PUBLISHED = (".pt", ".pth")


class Source:
    """Finds a reconstructor that reads the patches of a gaze. Raises ValueError naming the key to change, otherwise.

    `random:SEED` has the lab's size and whatever scales the gaze has.
    """

    def __init__(self, checkpoint: str | None, vocabulary: Vocabulary) -> None:
        if checkpoint is None:
            raise ValueError(
                f"{KEY} is not set: PATH takes a reconstructor of `sieve train recipe=autogaze_reconstructor`"
            )
        self.checkpoint, self._wanted = checkpoint, vocabulary
        try:
            self.config = self._config()
        except ValueError as error:
            raise ValueError(f"{KEY}: {error}") from error
        own = self.config.vocabulary
        if own != vocabulary:
            raise ValueError(
                f"{KEY}: {checkpoint} rebuilds frames from patches of {own.patch} pixels at scales {list(own.scales)}, "
                f"the gaze picks patches of {vocabulary.patch} at {list(vocabulary.scales)}; take the two that were "
                "trained together"
            )

    @cached_property
    def network(self) -> Reconstructor:
        """Loads the weights, frozen, in evaluation mode on the CPU. Raises UsageError where they do not fit."""
        try:
            network = self._network()
        except ValueError as error:
            raise UsageError(f"{KEY}: {error}") from error
        return network.eval().requires_grad_(False)

    def _config(self) -> ReconstructorConfig:
        if random_weights(self.checkpoint):
            return replace(ReconstructorConfig.lab(), scales=self._wanted.scales, patch=self._wanted.patch)
        if self.checkpoint.endswith(PUBLISHED):
            return ReconstructorConfig.official()
        return ReconstructorConfig.of(stored.read(self.checkpoint)["config"])

    def _network(self) -> Reconstructor:
        if made_up := random_weights(self.checkpoint):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(made_up[0])
                return Reconstructor(self.config)
        if self.checkpoint.endswith(PUBLISHED):
            return official.load(self.checkpoint)
        return stored.load(self.checkpoint)[0]
