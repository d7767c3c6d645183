"""What W&B has of a folder already: wandb/mirrored.json beside W&B's own files, one entry per W&B run.

So a finished run that is started again sends nothing a second time.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from framework.config.identity import whole

FILE = Path("wandb") / "mirrored.json"


def digest(*values: Any) -> str:
    """Returns a name for values that JSON can say."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()[:16]


def recorded(folder: Path) -> dict[str, str]:
    """Reads W&B run -> digest of what it was sent. A damaged file counts as none: then all is sent again."""
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def record(folder: Path, run: str, sent: str) -> None:
    """Writes down what a W&B run was sent."""
    (folder / FILE).parent.mkdir(parents=True, exist_ok=True)
    whole(folder / FILE, json.dumps({**recorded(folder), run: sent}, indent=1) + "\n")
