"""TokenSieve: answers questions about long videos from the few visual tokens that matter.

The public names are loaded when they are first used, so that importing this package loads no torch (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from framework.api import ask, load
    from framework.core.backbone import Backbone
    from framework.core.errors import UsageError
    from framework.core.interfaces import (
        Answerer,
        BudgetAllocator,
        GroupScheduler,
        GroupSplitter,
        RelevanceEstimator,
        StoppingPolicy,
        TokenRefiner,
        TokenScorer,
    )
    from framework.core.outcome import Outcome
    from framework.core.types import Answer, Question, Relevance, Scores, Selection
    from framework.core.view import GroupView, Needs
    from framework.engine.pipeline import Pipeline
    from framework.training.recipe import TrainingRecipe

    __version__: str

_HOMES = {
    "framework.api": ("ask", "load"),
    "framework.core.backbone": ("Backbone",),
    "framework.core.errors": ("UsageError",),
    "framework.core.interfaces": (
        "Answerer",
        "BudgetAllocator",
        "GroupScheduler",
        "GroupSplitter",
        "RelevanceEstimator",
        "StoppingPolicy",
        "TokenRefiner",
        "TokenScorer",
    ),
    "framework.core.outcome": ("Outcome",),
    "framework.core.types": ("Answer", "Question", "Relevance", "Scores", "Selection"),
    "framework.core.view": ("GroupView", "Needs"),
    "framework.engine.pipeline": ("Pipeline",),
    "framework.training.recipe": ("TrainingRecipe",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Answer",
    "Answerer",
    "Backbone",
    "BudgetAllocator",
    "GroupScheduler",
    "GroupSplitter",
    "GroupView",
    "Needs",
    "Outcome",
    "Pipeline",
    "Question",
    "Relevance",
    "RelevanceEstimator",
    "Scores",
    "Selection",
    "StoppingPolicy",
    "TokenRefiner",
    "TokenScorer",
    "TrainingRecipe",
    "UsageError",
    "__version__",
    "ask",
    "load",
]


def __getattr__(name: str) -> Any:
    """Loads a public name; `__version__` is that of the installed package."""
    if name == "__version__":
        from importlib.metadata import version

        return version("tokensieve")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
