"""What the weights of a backbone are for: the interface of the part that an option of conf/backbone names as `scope`.

Without it nothing is said. It changes no answer, so it is no part of a run's id.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from framework.core.types import Question


class Scope(ABC):
    """Defines which videos and questions the weights were made for."""

    @abstractmethod
    def caution(self, video: str, questions: Sequence[Question]) -> str | None:
        """Says in one line why answers to `questions` about the file `video` are worth little.

        Returns None where nothing speaks against them.
        """
