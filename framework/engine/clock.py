"""What tells how long a stage took: the host's clock, or events of a GPU that works on while the host goes ahead.

A mark is set without waiting. What lies between two marks is asked for later, when the work is done.
"""

from __future__ import annotations

import time
from typing import Any, Protocol

import torch


class Clock(Protocol):
    """Defines what a ledger asks of a clock."""

    def mark(self) -> Any:
        """Sets a mark here and now, behind all work that was given so far. Nothing waits."""

    def between(self, start: Any, end: Any) -> float:
        """Returns the seconds from one mark to a later one. It may wait for the work before `end`."""


class HostClock:
    """Reads the host's clock, for work that is done when a call returns."""

    def mark(self) -> float:
        """Returns the time now."""
        return time.perf_counter()

    def between(self, start: float, end: float) -> float:
        """Returns the seconds from one mark to a later one."""
        return end - start


class EventClock:
    """Lets the GPU itself note when it comes to a mark, in the order of its work. The host is never held up by that.

    What the host does while the GPU has nothing left to do counts too: the next mark is reached only after it.
    """

    def mark(self) -> torch.cuda.Event:
        """Puts an event behind all work of the current stream."""
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def between(self, start: torch.cuda.Event, end: torch.cuda.Event) -> float:
        """Waits until the GPU has come to `end`, and returns the seconds since `start`."""
        end.synchronize()
        return start.elapsed_time(end) / 1000


def clock() -> Clock:
    """Returns the clock of this machine's fastest device."""
    return EventClock() if torch.cuda.is_available() else HostClock()
