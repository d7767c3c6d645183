"""A queue between the thread that decodes and the one that waits, bounded by the bytes of what lies in it.

Knows no video. `queue.Queue` counts items, and its `put` cannot be woken by whoever gives up.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Handover(Generic[T]):
    """Holds items of at most `most_bytes` together; a single item may be larger, but then it lies there alone."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._items: deque[tuple[T, int]] = deque()
        self._bytes = 0
        self._closed = False
        self.waiting = False  # whether somebody waits for room
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T, size_bytes: int) -> bool:
        """Waits for room and adds an item. Returns False, without the item, once the queue is closed."""
        with self._changed:
            while not (self._closed or not self._items or self._bytes + size_bytes <= self._most):
                self.waiting = True
                self._changed.wait()
            self.waiting = False
            if self._closed:
                return False
            self._items.append((item, size_bytes))
            self._bytes += size_bytes
            self._changed.notify_all()
            return True

    def get(self) -> T:
        """Waits for the next item and takes it out."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._items))
            item, size_bytes = self._items.popleft()
            self._bytes -= size_bytes
            self.waiting = False  # who waits looks again
            self._changed.notify_all()
            return item

    def widen(self, least_bytes: int) -> None:
        """Makes room for at least so many bytes."""
        with self._changed:
            self._most = max(self._most, least_bytes)
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Says whether nobody wants anything any more."""
        return self._closed

    def close(self) -> None:
        """Drops what lies in the queue and lets `put` end. May be called twice."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._bytes = 0
            self._changed.notify_all()
