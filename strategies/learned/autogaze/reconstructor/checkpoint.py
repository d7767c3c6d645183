"""A reconstructor on disk: one safetensors file with the weights and, in its header, its configuration.

`save(network, "runs/x", notes)` writes `runs/x/reconstructor.safetensors`. The published layout is read elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from framework.core.model_files import locate
from framework.core.weight_files import header, refuse_non_finite, save_weights
from strategies.learned.autogaze.reconstructor.config import ReconstructorConfig
from strategies.learned.autogaze.reconstructor.model import Reconstructor
from strategies.learned.autogaze.reconstructor.teachers import Teacher, TeacherSettings

FILE = "reconstructor.safetensors"
HEADER = "reconstructor"  # key of the header
WRITER = "sieve train recipe=autogaze_reconstructor"


def save(network: Reconstructor, path: str | Path, notes: Mapping[str, Any]) -> Path:
    """Writes the network to the folder, or the .safetensors file, at `path`, and returns the file.

    `notes` are for people.
    """
    teachers = [asdict(teacher.settings) for teacher in network.teachers]
    about = {"config": network.config.told(), "teachers": teachers, "notes": dict(notes)}
    return save_weights(network.state_dict(), file_at(path), HEADER, about)


def load(path: str | Path) -> tuple[Reconstructor, dict[str, Any]]:
    """Loads a file, a folder or asset:NAME: the network in evaluation mode on the CPU, and its header.

    Raises ValueError where it is none, or its tensors are not finite or not exactly those of its configuration.
    """
    file = file_at(path)
    about = read(path)
    try:
        with torch.device("meta"):
            network = Reconstructor(ReconstructorConfig.of(about["config"]))
        network.load_state_dict(load_file(file), assign=True)
        network.teachers = [Teacher(TeacherSettings(**told)) for told in about.get("teachers", [])]
    except (RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"{file} does not fit the reconstructor that it describes: {error}") from error
    refuse_non_finite(network.state_dict().items(), file)
    return network.eval(), about


def read(path: str | Path) -> dict[str, Any]:
    """Reads the header alone. Raises ValueError where there is none."""
    file = file_at(path)
    if not file.is_file():
        raise ValueError(f"{file} does not exist: expected what `{WRITER}` writes")
    return header(file, HEADER, WRITER)


def file_at(path: str | Path) -> Path:
    """Returns the file that a file, a folder or asset:NAME means."""
    place = locate(path)
    return place if place.suffix == ".safetensors" else place / FILE
