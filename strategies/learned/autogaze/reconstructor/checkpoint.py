"""A reconstructor on disk: one safetensors file with the weights and, in its header, its configuration.

`save(network, "runs/x", notes)` writes `runs/x/reconstructor.safetensors`. It does not know the published layout.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from framework.core.weight_files import header, locate
from strategies.learned.autogaze.reconstructor.config import ReconstructorConfig
from strategies.learned.autogaze.reconstructor.model import Reconstructor
from strategies.learned.autogaze.reconstructor.teachers import Teacher, TeacherSettings

FILE = "reconstructor.safetensors"
HEADER = "reconstructor"  # key of the header
WRITER = "sieve train recipe=autogaze_reconstructor"


def save(network: Reconstructor, path: str | Path, notes: Mapping[str, Any]) -> Path:
    """Write to the folder, or the .safetensors file, at `path`; the file. `notes` are for people."""
    file = file_at(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    teachers = [asdict(teacher.settings) for teacher in network.teachers]
    about = {"config": network.config.told(), "teachers": teachers, "notes": dict(notes)}
    save_file(tensors, file, metadata={HEADER: json.dumps(about)})
    return file


def load(path: str | Path) -> tuple[Reconstructor, dict[str, Any]]:
    """(The network in evaluation mode on the CPU, its header) of a file, a folder or asset:NAME.

    ValueError where it is none, or its tensors are not exactly those of its configuration.
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
    return network.eval(), about


def read(path: str | Path) -> dict[str, Any]:
    """The header alone. ValueError where there is none."""
    file = file_at(path)
    if not file.is_file():
        raise ValueError(f"{file} does not exist: expected what `{WRITER}` writes")
    return header(file, HEADER, WRITER)


def file_at(path: str | Path) -> Path:
    """The file meant by a file, a folder or asset:NAME."""
    place = locate(path)
    return place if place.suffix == ".safetensors" else place / FILE
