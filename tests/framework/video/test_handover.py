"""A queue bounded by bytes: what fits, what is alone, and how it ends."""

from __future__ import annotations

import threading

import pytest

from framework.video.handover import Handover


def filled(most: int, sizes: list[int]) -> int:
    """How many items of these sizes go in before one has to wait."""
    ahead: Handover[int] = Handover(most)

    def fill() -> None:
        for number, size in enumerate(sizes):
            if not ahead.put(number, size):
                return

    thread = threading.Thread(target=fill)
    thread.start()
    while thread.is_alive() and not ahead.waiting:
        thread.join(0.001)
    held = len(ahead)
    ahead.close()
    thread.join()
    return held


@pytest.mark.parametrize(
    ("most", "sizes", "held"),
    [
        (10, [4, 4, 4], 2),
        (12, [4, 4, 4, 0], 4),  # the limit itself is allowed, and what has no size always goes in
        (10, [50, 1], 1),  # larger than the limit: alone
        (10, [1, 50], 1),
        (0, [1, 1], 1),
    ],
)
def test_as_much_as_the_limit_allows(most: int, sizes: list[int], held: int) -> None:
    assert filled(most, sizes) == held


def test_items_come_in_order_and_make_room() -> None:
    ahead: Handover[int] = Handover(3)
    thread = threading.Thread(target=lambda: [ahead.put(number, 2) for number in range(50)])
    thread.start()
    assert [ahead.get() for _ in range(50)] == list(range(50))
    thread.join()
    assert len(ahead) == 0


def test_a_wider_queue_lets_go_on_who_waits() -> None:
    ahead: Handover[int] = Handover(3)
    thread = threading.Thread(target=lambda: [ahead.put(number, 2) for number in range(3)])
    thread.start()
    while not ahead.waiting:
        thread.join(0.001)
    ahead.widen(6)
    thread.join()
    assert len(ahead) == 3
    ahead.widen(1)  # never narrower
    assert ahead.get() == 0 and ahead.put(3, 2)
    ahead.close()


def test_a_closed_queue_takes_nothing_and_holds_nothing() -> None:
    ahead: Handover[int] = Handover(3)
    assert ahead.put(1, 2)
    told: list[bool] = []
    thread = threading.Thread(target=lambda: told.append(ahead.put(2, 2)))
    thread.start()
    while not ahead.waiting:
        thread.join(0.001)
    ahead.close()
    ahead.close()
    thread.join()
    assert told == [False]
    assert ahead.closed and len(ahead) == 0
    assert not ahead.put(3, 0)
