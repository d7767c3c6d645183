"""What a checkpoint says beside its weights: its tokenizer, its chat template, and how its frames are prepared.

Knows files of a folder or of the Hub, no model family.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huggingface_hub import logging as hub_logging
from transformers import AutoTokenizer
from transformers.utils import cached_file, logging

from framework.backbones.checkpoint import KEY
from framework.core.model_files import read_json

PREPROCESSORS = ("processor_config.json", "video_preprocessor_config.json", "preprocessor_config.json")


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps progress bars and warnings of transformers and of the Hub's client away, for as long as the block lasts.

    What is hidden is stale (sliding windows do work with SDPA), checked by us (missing weights) or said once in the
    error that ends it (another try at a file).
    """
    verbosity, bars, hub = logging.get_verbosity(), logging.is_progress_bar_enabled(), hub_logging.get_verbosity()
    logging.set_verbosity_error()
    hub_logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        hub_logging.set_verbosity(hub)
        if bars:
            logging.enable_progress_bar()


def load_tokenizer(place: str, local: bool) -> Any:
    """Loads the checkpoint's tokenizer, with the chat template that knows videos.

    That is the template of chat_template.jinja, else of chat_template.json, where transformers 4 wrote that of a
    processor, else the tokenizer's own. Raises ValueError where there is no tokenizer that can be read.
    """
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(place, local_files_only=local)
    except Exception as error:  # whatever the formats of tokenizers make of a file
        reason = (str(error).splitlines() or [""])[0]
        raise ValueError(
            f"{KEY}: the tokenizer of {place} cannot be loaded: {type(error).__name__}: {reason}"
        ) from error
    if file := _file(place, "chat_template.jinja"):
        tokenizer.chat_template = file.read_text(encoding="utf-8")
    elif "chat_template" in (processors := _beside(place, "chat_template.json")):
        template = processors["chat_template"]
        if not isinstance(template, str | dict):
            raise ValueError(f"{KEY}: chat_template.json of {place} must hold a text under chat_template")
        tokenizer.chat_template = template
    return tokenizer


def preprocessor(place: str) -> dict[str, Any]:
    """Returns how the checkpoint's frames are prepared, by the first file that says it; empty where none does.

    transformers 5 writes it into processor_config.json under video_processor; before, it had a file of its own.
    """
    for name in PREPROCESSORS:
        found = _beside(place, name)
        found = found.get("video_processor", {}) if name == PREPROCESSORS[0] else found
        if found:
            return found
    return {}


def statistics(place: str) -> tuple[list[float], list[float]]:
    """Returns the mean and standard deviation per colour that the checkpoint's frames are normalised by.

    Raises ValueError where no file of it says them.
    """
    pixels = preprocessor(place)
    try:
        return pixels["image_mean"], pixels["image_std"]
    except KeyError as error:
        raise ValueError(
            f"{KEY}: {place} lacks a file that says {error.args[0]}: {' or '.join(PREPROCESSORS)}"
        ) from error


def _beside(place: str, name: str) -> dict[str, Any]:
    """The contents of a JSON file of the checkpoint; empty where it has none."""
    path = _file(place, name)
    return read_json(path) if path else {}


def _file(place: str, name: str) -> Path | None:
    """Where a file of the checkpoint is; None where it has none."""
    try:
        path = cached_file(place, name)
    except OSError:
        return None
    return Path(path) if path else None
