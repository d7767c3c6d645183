"""TokenSieve from Python: the same presets and keys as on the command line, the same objects as inside.

`framework.load` and `framework.ask` are these; docs/python.md shows them at work.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, overload

from framework.config.compose import compose_root, words_of
from framework.config.parts import build_pipeline, prompt_template
from framework.core.errors import UsageError
from framework.core.outcome import Outcome
from framework.engine.pipeline import Pipeline


def load(preset: str = "adapttoken", backbone: str = "lab", **overrides: Any) -> Pipeline:
    """Builds the pipeline of a preset on a backbone; its `answer` takes a video and questions.

    `overrides` are keys of the configuration: `budget=64`, `relevance="margin"`; `__` stands for a dot, as in
    `scorer__layers=[2]`. Raises UsageError that names the key, before weights are read, for what does not fit.
    """
    return build_pipeline(compose_root(words_of({"preset": preset, "backbone": backbone, **overrides})))


@overload
def ask(video: str | Path, question: str, options: Sequence[str] = (), **overrides: Any) -> Outcome: ...
@overload
def ask(
    video: str | Path, question: Mapping[str, Sequence[str]], options: Sequence[str] = (), **overrides: Any
) -> list[Outcome]: ...
def ask(
    video: str | Path, question: str | Mapping[str, Sequence[str]], options: Sequence[str] = (), **overrides: Any
) -> Outcome | list[Outcome]:
    """Answers a question about a video. Without `options` it is open; `overrides` are those of `load`.

    Several questions at once are a mapping from each text to its options. They share the passes over the video; one
    outcome each is returned, in their order. The backbone is kept for the next call with the same one. Raises
    UsageError for a wrong key, VideoError for a bad file.
    """
    path = Path(os.path.expanduser(video))  # pathlib's own refuses ~NAME where no user is called so
    if not path.is_file():
        raise UsageError(f"video: there is no file {str(video)!r}; expected the path of a video file")
    several = isinstance(question, Mapping)
    if several and options:
        raise UsageError("options: several questions have options of their own: {question: options, ...}")
    asked = dict(question) if isinstance(question, Mapping) else {question: options}
    if not asked:
        raise UsageError("question: got no question, expected a text or a mapping from texts to options")
    cfg = compose_root(words_of({"preset": "adapttoken", **overrides}))
    template = prompt_template(cfg)
    posed = [template.question(f"q{place}", text, tuple(of)) for place, (text, of) in enumerate(asked.items())]
    outcomes = build_pipeline(cfg, str(path)).answer(str(path), posed)
    return outcomes if several else outcomes[0]
