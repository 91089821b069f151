"""The work queue: coalescing, exclusion, delay and backoff."""

import asyncio

from t2i_operator.runtime.queue import Queue


async def test_many_wishes_for_one_key_are_one_run() -> None:
    queue: Queue[str] = Queue()
    for _ in range(5):
        queue.add("a")
    queue.add("b")

    assert [await queue.get(), await queue.get()] == ["a", "b"]
    assert queue.depth == 0


async def test_a_key_is_never_handed_out_twice_at_a_time_and_a_wish_meanwhile_is_kept() -> None:
    queue: Queue[str] = Queue()
    queue.add("a")
    assert await queue.get() == "a"
    queue.add("a")
    queue.add("a")
    assert queue.depth == 0

    queue.done("a")
    assert await queue.get() == "a"
    queue.done("a")
    assert queue.depth == 0


async def test_a_waiting_worker_wakes() -> None:
    queue: Queue[str] = Queue()
    worker = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add("a")

    assert await asyncio.wait_for(worker, 30) == "a"


async def test_of_several_delays_the_shortest_holds() -> None:
    queue: Queue[str] = Queue()
    queue.add_after("a", 60)
    queue.add_after("a", 0.01)
    queue.add_after("a", 60)

    assert await asyncio.wait_for(queue.get(), 30) == "a"
    queue.done("a")
    assert queue.depth == 0


async def test_backoff_doubles_for_one_key_only_and_begins_anew_after_success() -> None:
    queue: Queue[str] = Queue(base_seconds=10, cap_seconds=35)
    ceilings = [10, 20, 35, 35]
    for ceiling in ceilings:
        assert ceiling / 2 <= queue.retry("a") <= ceiling
    assert queue.retry("b") <= 10

    queue.succeeded("a")
    assert queue.retry("a") <= 10


async def test_what_is_forgotten_does_not_come_back() -> None:
    queue: Queue[str] = Queue()
    queue.add_after("a", 0.01)
    queue.forget("a")
    queue.add_after("b", 0.02)

    assert await asyncio.wait_for(queue.get(), 30) == "b"
    assert queue.depth == 0


async def test_the_age_of_the_oldest_is_told() -> None:
    queue: Queue[str] = Queue()
    assert queue.oldest_seconds == 0
    queue.add("a")
    assert 0 <= queue.oldest_seconds < 1


async def test_what_may_not_be_worked_on_yet_holds_up_nothing_else() -> None:
    open_to = {"b"}
    queue: Queue[str] = Queue(may=lambda key: key in open_to)
    for key in ("a", "b", "a"):
        queue.add(key)
    assert await queue.get() == "b"
    queue.done("b")
    assert (queue.depth, queue.oldest_seconds) == (1, 0.0), "it waits for no worker"
    queue.release()
    assert (queue.depth, queue.oldest_seconds) == (1, 0.0)

    open_to.add("a")
    queue.release()
    assert await asyncio.wait_for(queue.get(), 30) == "a"
    assert queue.depth == 0
