"""A crowd goes on in groups, in order of arrival, and the event loop looks at everything else between two of them."""

from __future__ import annotations

import asyncio
from itertools import groupby
from typing import TYPE_CHECKING, Any

from t2i_service.app import create_state
from t2i_service.callers.turnstile import WIDTH, Turnstile
from t2i_service.observing.privacy import Privacy
from t2i_service.settings import Settings
from t2i_service.web.middleware import Middleware

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import Receive, Scope, Send


async def test_a_crowd_goes_on_in_order_and_a_few_in_each_turn_of_the_loop() -> None:
    turnstile, passed, turn = Turnstile(), list[tuple[int, int]](), 0

    async def one(number: int) -> None:
        await turnstile.through()
        passed.append((turn, number))

    crowd = [asyncio.create_task(one(number)) for number in range(5 * WIDTH + 1)]
    while len(passed) < len(crowd):
        await asyncio.sleep(0)
        turn += 1
    assert [number for _, number in passed] == list(range(len(crowd)))
    assert [len(list(group)) for _, group in groupby(passed, key=lambda one: one[0])] == [WIDTH] * 5 + [1]


async def test_who_has_left_is_passed_over() -> None:
    turnstile, passed = Turnstile(), list[int]()

    async def one(number: int) -> None:
        await turnstile.through()
        passed.append(number)

    crowd = [asyncio.create_task(one(number)) for number in range(3 * WIDTH)]
    await asyncio.sleep(0)
    for task in crowd[WIDTH : 2 * WIDTH]:
        task.cancel()
    await asyncio.gather(*crowd, return_exceptions=True)
    assert passed == [*range(WIDTH), *range(2 * WIDTH, 3 * WIDTH)]


async def test_one_alone_waits_for_nothing_whenever_it_comes() -> None:
    turnstile = Turnstile()
    for _ in range(3 * WIDTH):
        through = turnstile.through()
        try:
            through.send(None)
        except StopIteration:
            pass
        else:
            raise AssertionError("it waited")
        await asyncio.sleep(0)


async def test_a_probe_does_not_wait_for_the_crowd_that_came_before_it(tmp_path: Path) -> None:
    models, served = tmp_path / "models.json", list[str]()
    models.write_text('{"models": [{"name": "sdxl", "provider": "Sandbox"}]}')

    async def route(scope: Scope, _receive: Receive, send: Send) -> None:
        served.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def ignore(*_: Any) -> Any:
        return None

    service = Middleware(route, create_state(Settings(models_file=models), Privacy(200)))
    paths = ["/generate"] * (10 * WIDTH) + ["/health"]
    scopes = ({"type": "http", "method": "POST", "path": path, "headers": []} for path in paths)
    await asyncio.gather(*(service(scope, ignore, ignore) for scope in scopes))
    assert served.index("/health") == WIDTH
    assert len(served) == len(paths)
