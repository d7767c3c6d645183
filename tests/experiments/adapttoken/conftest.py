"""Two questions of three groups each, as probes."""

from __future__ import annotations

import pytest

from experiments.adapttoken.probes import SIGNALS, Probed, read_groups


@pytest.fixture
def made() -> Probed:
    """Probes of two questions of three groups; the signals agree with one another."""
    lines = [
        {
            "id": name,
            "video": name,
            "right": "B",
            "groups_total": 3,
            "groups": {
                "choice": choice,
                "signals": {s: entropy if s == "entropy" else [2 - h for h in entropy] for s in SIGNALS},
            },
        }
        for name, choice, entropy in (("q", [1, 0, 1], [0.01, 1.3, 1.2]), ("r", [1, 2, 0], [1.38, 0.04, 1.38]))
    ]
    return read_groups(lines, {"q": [True, False, False], "r": [True, False, False]})
