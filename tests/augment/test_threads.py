"""Work beside the main thread: the same order, errors in their turn, and nothing held or left running."""

import gc
import threading
import weakref

import pytest

from m2m.augment.threads import ahead, behind, each


class Thing:
    """Something large, of which one wants to know whether anybody still holds it."""

    def __init__(self, number):
        self.number = number


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_items_come_in_order(depth):
    assert list(ahead(iter(range(50)), depth)) == list(range(50))
    assert list(ahead(ahead((n * n for n in range(20)), depth), depth)) == [n * n for n in range(20)]


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_no_more_than_depth_wait(depth):
    made, taken = [], 0
    enough = threading.Event()

    def items():
        for n in range(20):
            made.append(n)
            if len(made) == depth + taken:
                enough.set()
            yield n

    for n in ahead(items(), depth):
        enough.clear()
        taken += 1
        assert n == taken - 1
        assert len(made) <= taken + depth
        if len(made) < min(20, depth + taken):
            assert enough.wait(10)  # the thread does go on while this one works


@pytest.mark.parametrize("depth", [0, 2])
def test_an_error_comes_in_its_turn(depth):
    def items():
        yield 1
        yield 2
        raise KeyError("third")

    seen = []
    with pytest.raises(KeyError, match="third"):
        seen.extend(ahead(items(), depth))
    assert seen == [1, 2]


def test_who_stops_early_leaves_no_thread_and_closes_what_he_reads_from():
    closed = []

    def items():
        try:
            n = 0
            while True:
                n += 1
                yield n
        finally:
            closed.append(True)

    before = threading.active_count()
    reader = ahead(ahead(items(), 1), 2)
    assert next(reader) == 1
    reader.close()
    assert threading.active_count() == before and closed == [True]


@pytest.mark.parametrize("depth", [0, 1])
def test_one_item_is_let_go_before_the_next_is_made(depth):
    alive = weakref.WeakSet()
    most = []

    def things():
        for n in range(6):
            gc.collect()
            most.append(len(alive))
            thing = Thing(n)
            alive.add(thing)
            yield thing
            del thing

    for pair in ahead(each(lambda thing: (thing.number, thing), things()), depth):
        del pair
    assert max(most) <= depth + (depth > 0)


@pytest.mark.parametrize("depth", [0, 1, 4])
def test_calls_are_made_in_order_and_all_at_the_end(depth):
    done = []
    with behind(lambda *a: done.append(a), depth) as hand:
        for n in range(30):
            hand(n, -n)
            assert len(done) >= n - depth
    assert done == [(n, -n) for n in range(30)]


@pytest.mark.parametrize("depth", [0, 3])
def test_what_a_call_raises_is_raised(depth):
    def call(n):
        if n == 2:
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"), behind(call, depth) as hand:
        for n in range(3):
            hand(n)


def test_after_an_error_of_the_block_nothing_is_written_any_more():
    begun, go, done = threading.Event(), threading.Event(), []

    def call(n):
        begun.set()
        go.wait(10)
        done.append(n)

    with pytest.raises(ValueError, match="refused"), behind(call, 5) as hand:
        for n in range(4):
            hand(n)
        begun.wait(10)
        threading.Timer(0.1, go.set).start()
        raise ValueError("refused")
    left = list(done)
    assert left == [0]
