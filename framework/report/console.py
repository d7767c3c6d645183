"""The console that people read. Imports nothing heavy, so that help stays instant."""

from __future__ import annotations

import os

from rich.console import Console

PAPER = 120  # columns where there is no terminal


def console(stderr: bool = False) -> Console:
    """Returns a console for standard output or error. Of several processes only the first is heard.

    On a terminal it has colours and the terminal's width. Elsewhere it has plain text and 120 columns.
    """
    quiet = int(os.environ.get("RANK", os.environ.get("SLURM_PROCID", "0"))) > 0
    out = Console(stderr=stderr, highlight=False, quiet=quiet)
    return out if out.is_terminal else Console(stderr=stderr, highlight=False, width=PAPER, quiet=quiet)
