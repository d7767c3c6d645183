"""Ctrl-C that cannot get lost.

Python drops a KeyboardInterrupt that comes up while an object is destroyed or a library calls back, such as the end of
an import. So the signal is also remembered, and work asks for it at its boundaries.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_asked = threading.Event()  # whether the user has asked to stop


@contextmanager
def listening() -> Iterator[None]:
    """Keeps Ctrl-C in mind while the block lasts, beside raising KeyboardInterrupt as ever. A second one kills at once.

    Where Ctrl-C is ignored, as in a background job of a shell, or where signals are not ours, nothing changes.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is not signal.default_int_handler:
        yield
        return
    _asked.clear()
    signal.signal(signal.SIGINT, _hear)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        _asked.clear()


def heed() -> None:
    """Raises KeyboardInterrupt where the user has asked to stop; called between two pieces of work."""
    if _asked.is_set():
        raise KeyboardInterrupt


def asked() -> bool:
    """Says whether the user has asked to stop."""
    return _asked.is_set()


def _hear(number: int, frame: FrameType | None) -> None:
    _asked.set()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    raise KeyboardInterrupt
