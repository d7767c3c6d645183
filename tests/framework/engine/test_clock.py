"""Marks and what lies between them: by the host's clock, and by events that are only looked at afterwards."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from framework.engine.clock import EventClock, HostClock, clock


def test_the_hosts_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([1.0, 3.5])
    monkeypatch.setattr("time.perf_counter", lambda: next(times))
    host = HostClock()
    start = host.mark()
    assert host.between(start, host.mark()) == 2.5


class Event:
    """A CUDA event as far as the clock uses it: it may be read only when the work before it is done."""

    now = 0.0  # ms of the device

    def __init__(self, enable_timing: bool) -> None:
        assert enable_timing
        self.at, self.done = -1.0, False

    def record(self) -> None:
        Event.now += 250
        self.at = Event.now

    def synchronize(self) -> None:
        self.done = True

    def elapsed_time(self, end: Event) -> float:
        assert end.done, "the device has not come there yet"
        return end.at - self.at


def test_events_are_read_after_waiting_for_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "Event", Event)
    events: Any = EventClock()
    start, middle, end = events.mark(), events.mark(), events.mark()
    assert not end.done, "setting a mark waits for nothing"
    assert events.between(start, end) == pytest.approx(0.5)
    assert events.between(start, middle) + events.between(middle, end) == events.between(start, end)


@pytest.mark.parametrize(("there", "expected"), [(True, EventClock), (False, HostClock)])
def test_the_clock_of_the_machine(there: bool, expected: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert isinstance(clock(), expected)
