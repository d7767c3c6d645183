"""Where a backbone's checkpoint lies: a folder, a complete copy in the Hub's cache, or the Hub. Loads no torch.

A copy in the cache is used as it is, without asking the Hub. The Hub is asked once, before anything is loaded: its own
client tries for most of a minute.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from framework.core.errors import UsageError
from framework.core.model_files import ASSETS, SHIPPED, locate, model_files, read_json

KEY = "backbone.adapter.checkpoint"
CONFIG = "config.json"
VOCABULARIES = (("tokenizer.json",), ("vocab.json", "merges.txt"))  # a folder needs all files of one of them


def find(checkpoint: str) -> tuple[str, bool]:
    """Returns where the checkpoint is (folder or Hub id), and whether it is local. Reads no weights.

    Raises UsageError where there is none, and where a Hub id is neither in the cache nor can be had.
    """
    folder = on_disk(checkpoint) or cached(checkpoint)
    if folder is not None:
        return str(folder), True
    if trouble := _trouble(checkpoint):
        raise UsageError(
            f"{KEY}: {checkpoint} is no folder here, {in_cache(checkpoint)}, and {trouble}; copy the model to this "
            f"machine and set {KEY}=FOLDER, or download it where the Hub can be reached and HF_HUB_OFFLINE is not set"
        )
    return checkpoint, False


def on_disk(checkpoint: str) -> Path | None:
    """Returns the folder that a checkpoint names; None where it is a Hub id.

    Raises UsageError where it is neither, and where the folder is that of no model.
    """
    try:
        folder = locate(checkpoint)
    except UsageError as error:
        raise UsageError(f"{KEY}: {str(error).removeprefix('checkpoint: ')}") from error
    if folder.exists():
        if not (folder / CONFIG).is_file():
            raise UsageError(
                f"{KEY}: the folder {folder} has no {CONFIG}, so it is no checkpoint; shipped ones are {_shipped()}"
            )
        return folder
    if checkpoint.count("/") != 1 or checkpoint.startswith((".", "/", "~")):
        raise UsageError(f"{KEY}: no folder {checkpoint!r}, and no Hub id either (owner/name)")
    return None


def cached(name: str) -> Path | None:
    """Returns the folder of a Hub id in the cache; None where a file that a model is loaded from is not in there."""
    folder = _snapshot(name)
    if folder is None or missing(folder):
        return None
    return folder


def in_cache(name: str) -> str:
    """Says in words what the cache holds of a Hub id that is not complete in there."""
    from huggingface_hub import constants

    folder = _snapshot(name)
    if folder is None:
        return f"its weights are not in the cache ({constants.HF_HUB_CACHE})"
    return f"its copy in the cache ({folder}) lacks {', '.join(missing(folder))}"


def missing(folder: Path) -> list[str]:
    """Names the files that loading a model from `folder` needs and does not find."""
    lost = [] if (folder / CONFIG).is_file() else [CONFIG]
    if not any(all((folder / name).is_file() for name in names) for names in VOCABULARIES):
        lost.append(VOCABULARIES[0][0])
    files = []
    with suppress(ValueError):  # an index that cannot be read names no file
        files = model_files(folder)
    return lost + [file.name for file in files or [folder / "model.safetensors"] if not file.is_file()]


def model_type(place: str, local: bool) -> str | None:
    """Returns the model type that a checkpoint's config.json names. Raises ValueError where it cannot be read."""
    return config(place, local).get("model_type")


def config(place: str, local: bool) -> dict[str, Any]:
    """Reads a checkpoint's config.json, from the Hub where it is not local. Raises ValueError where it cannot."""
    if local:
        return read_json(Path(place) / CONFIG)
    from huggingface_hub import hf_hub_download

    return read_json(Path(hf_hub_download(place, CONFIG)))


def _snapshot(name: str) -> Path | None:
    """The folder of a Hub id's main revision in the cache, as far as it is there."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(name, CONFIG)
    return Path(found).parent if isinstance(found, str) else None


def _trouble(name: str) -> str:
    """Why the Hub cannot give a model; empty where it can. Asked once, without another try."""
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url

    if constants.is_offline_mode():
        return "HF_HUB_OFFLINE is set, so the Hub is not asked"
    try:
        get_hf_file_metadata(hf_hub_url(name, CONFIG), timeout=constants.HF_HUB_ETAG_TIMEOUT)
    except Exception as error:  # whatever the client's network library raises
        reason = (str(error).splitlines() or [""])[0].rstrip(".")
        return f"the Hub cannot give it ({type(error).__name__}: {reason})"
    return ""


def _shipped() -> str:
    return ", ".join(f"{SHIPPED}{file.parent.name}" for file in sorted(ASSETS.glob(f"*/{CONFIG}")))
