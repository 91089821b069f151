"""The page at `/`, in a real browser, by keyboard and on a phone."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from tests.contract.conftest import SANDBOX
from tests.fakes.browser import Page, browsing
from tests.fakes.processes import serving
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from starlette.requests import Request

    from tests.fakes.processes import RunningService

CONTROL = 2
PRICED = SANDBOX | {"price": {"perImage": "0.01", "currency": "USD"}, "defaults": {"width": 256, "height": 256}}

# As the operator hands it over: tests/golden/observed-in-full.yaml.
TRACE_URL = "https://jaeger.example.com"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browsing(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture(scope="module")
def service(start: Callable[..., RunningService]) -> RunningService:
    # What is exported goes nowhere, which is not this test's business.
    return start(PRICED, T2I_TRACE_URL=TRACE_URL, OTLP_ENDPOINT="http://127.0.0.1:9")


def learned(page: Page) -> bool:
    """Tell whether the page knows its models, as it does a moment after it has loaded."""
    return bool(page.value("document.querySelector('#model').options.length") == 1)


def drawn(page: Page) -> bool:
    return bool(page.value("document.querySelector('#picture').naturalWidth > 0"))


def write(page: Page, field: str, text: str) -> None:
    """Type into a field; what is typed while nothing has the focus is lost."""
    page.value(f"document.querySelector('{field}').focus()")
    page.write(text)
    assert page.value(f"document.querySelector('{field}').value") == text


def test_a_prompt_by_keyboard_alone(page: Page, service: RunningService, tmp_path: Path) -> None:
    page.open(f"{service.url}/")
    wait_for(lambda: learned(page))
    wait_for(lambda: page.value("document.activeElement.id") == "prompt")
    page.write("a lighthouse at dusk")
    page.press("Enter", CONTROL)
    wait_for(lambda: drawn(page))
    assert page.value("document.querySelector('#picture').naturalWidth") == 256
    assert page.value("document.querySelector('#picture').alt") == "a lighthouse at dusk"
    assert page.text("#time").endswith(" s")
    assert page.text("#cost") == "0.0100 USD"
    assert page.text("#by") == "sdxl"
    assert page.value("!document.querySelector('#sandbox').hidden")
    (line,) = wait_for(lambda: service.logged("Image generation completed"))
    assert page.text("#request-id") == line["request_id"]
    assert page.value("document.querySelector('#trace a').href") == (
        f"https://jaeger.example.com/trace/{line['trace_id']}"
    )
    for _ in range(12):
        if page.value("document.activeElement.id") == "up":
            break
        page.press("Tab")
    page.press("Space")
    wait_for(lambda: page.text("#thanks") == "Thank you.")
    assert page.value("document.querySelector('#up').ariaPressed") == "true"
    assert service.metric("t2i_model_feedback_total", model="sdxl", rating="up") == 1
    page.press("Tab")
    assert page.value("document.activeElement.id") == "down"
    page.press("Space")
    wait_for(lambda: page.value("document.querySelector('#down').ariaPressed") == "true")
    assert page.value("document.querySelector('#up').ariaPressed") == "false"
    assert service.metric("t2i_model_feedback_total", model="sdxl", rating="down") == 1
    page.screenshot(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 10_000


def keeps_to_itself(page: Page, service: RunningService) -> None:
    """Nothing came from elsewhere, nobody complained, and a script that is slipped in does not run."""
    foreign = [url for url in page.requested if not url.startswith((service.url, "data:", "about:"))]
    assert foreign == []
    assert page.console == []
    page.value(
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.hacked=1'}))"
    )
    assert page.value("window.hacked") is None


def test_nothing_comes_from_elsewhere_and_the_policy_holds(page: Page, service: RunningService) -> None:
    page.open(f"{service.url}/")
    wait_for(lambda: learned(page))
    keeps_to_itself(page, service)
    wait_for(lambda: page.value("1") and any("Content Security Policy" in text for text in page.console))
    page.console.clear()


def click(page: Page, selector: str) -> None:
    wait_for(lambda: page.value(f"!!document.querySelector('{selector}')"))
    page.value(f"document.querySelector('{selector}').click()")


def listed_models(page: Page) -> str:
    """Have the docs try out the list of models; return the status of the answer."""
    operation = '.opblock[id*="models_v1_models_get"]'
    click(page, f"{operation} .opblock-summary-control")
    click(page, f"{operation} .try-out__btn")
    click(page, f"{operation} .execute")
    wait_for(lambda: page.value("!!document.querySelector('.live-responses-table .response-col_status')"))
    return page.text(".live-responses-table .response .response-col_status").split()[0]


def test_the_docs_draw_the_whole_api_and_ask_no_other_origin(page: Page, service: RunningService) -> None:
    page.requested.clear()
    page.console.clear()
    with service.client() as client:
        assert client.get("/docs").status_code == 200
        paths = client.get("/openapi.json").json()["paths"]
        assert client.get("/docs/__init__.py").status_code == 404
    page.open(f"{service.url}/docs")
    operations = sum(len(methods) for methods in paths.values())
    wait_for(lambda: page.value("document.querySelectorAll('.opblock').length") == operations)
    keeps_to_itself(page, service)
    page.console.clear()


def test_the_docs_try_it_out_with_a_key(page: Page, start: Callable[..., RunningService], tmp_path: Path) -> None:
    (tmp_path / "alice").write_text("key-of-alice")
    page.open(f"{start(PRICED, T2I_API_KEYS_DIR=str(tmp_path)).url}/docs")
    click(page, ".scheme-container .authorize")
    wait_for(lambda: page.value("!!document.querySelector('.auth-container input')"))
    write(page, ".auth-container input", "key-of-alice")
    click(page, ".auth-container .authorize")
    click(page, ".auth-container .btn-done")
    assert listed_models(page) == "200"


@contextmanager
def below_images(service: RunningService) -> Iterator[tuple[str, list[str]]]:
    """Stand before a service as a Gateway that takes `/images` off; yield its URL and what else it was asked for."""
    others: list[str] = []

    async def pass_on(request: Request) -> Response:
        path = request.url.path
        if not f"{path}/".startswith("/images/"):
            others.append(path)
            return Response(status_code=404)
        sent = {name: request.headers[name] for name in ("accept", "content-type") if name in request.headers}
        async with httpx.AsyncClient(base_url=service.url, timeout=30, trust_env=False) as client:
            rest, body = path.removeprefix("/images") or "/", await request.body()
            answer = await client.request(request.method, rest, content=body, headers=sent)
        kept = {name: value for name, value in answer.headers.items() if name not in {"content-length", "date"}}
        return Response(answer.content, answer.status_code, kept)

    with serving(Starlette(routes=[Route("/{path:path}", pass_on, methods=["GET", "POST"])])) as url:
        yield url, others


@pytest.mark.parametrize("end", ["", "/"], ids=["bare", "slash"])
def test_below_a_prefix_nothing_is_asked_for_outside(page: Page, service: RunningService, end: str) -> None:
    with below_images(service) as (url, others):
        page.open(f"{url}/images{end}")
        wait_for(lambda: learned(page))
        write(page, "#prompt", "a lighthouse at dusk")
        page.press("Enter", CONTROL)
        wait_for(lambda: drawn(page))
        click(page, "#up")
        wait_for(lambda: page.text("#thanks") == "Thank you.")
        page.open(f"{url}/images/docs")
        assert listed_models(page) == "200"
        assert others == []


def test_a_phone_shows_it_whole(page: Page, service: RunningService) -> None:
    page.resize(360, 740, mobile=True)
    page.open(f"{service.url}/")
    write(page, "#prompt", "a boat on a lake")
    page.press("Enter", CONTROL)
    wait_for(lambda: drawn(page))
    assert page.value("document.documentElement.scrollWidth") <= 360
    heights = page.value("[...document.querySelectorAll('button')].map(b => b.getBoundingClientRect().height)")
    assert min(heights) >= 44


def test_a_key_is_asked_for_and_a_problem_is_shown(
    page: Page, start: Callable[..., RunningService], tmp_path: Path
) -> None:
    (tmp_path / "alice").write_text("key-of-alice")
    closed = start(PRICED, T2I_API_KEYS_DIR=str(tmp_path))
    page.open(f"{closed.url}/")
    wait_for(lambda: page.value("!document.querySelector('#key-field').hidden"))
    write(page, "#prompt", "a boat on a lake")
    page.press("Enter", CONTROL)
    wait_for(lambda: "Authorization: Bearer" in page.text("#problem"))
    write(page, "#key", "key-of-alice")
    page.press("Enter")
    wait_for(lambda: drawn(page))
    assert page.value("document.querySelector('#problem').hidden")


@pytest.mark.parametrize("more", ["", "/", "/trace", "/trace/", "/trace/{trace_id}"])
def test_the_link_to_a_trace_takes_jaegers_address_with_what_follows_or_without(
    page: Page, start: Callable[..., RunningService], more: str
) -> None:
    base = f"https://jaeger.example.com/ui{more}"
    page.open(f"{start(PRICED, T2I_TRACE_URL=base, OTLP_ENDPOINT='http://127.0.0.1:9').url}/")
    wait_for(lambda: learned(page))
    write(page, "#prompt", "a lighthouse at dusk")
    page.press("Enter", CONTROL)
    wait_for(lambda: drawn(page))
    link = page.value("document.querySelector('#trace a').href")
    assert link == f"https://jaeger.example.com/ui/trace/{page.text('#trace')}"


@pytest.mark.parametrize("environment", [{}, {"OTLP_ENDPOINT": "http://127.0.0.1:9", "T2I_SAMPLING_RATIO": "0"}])
def test_no_link_leads_to_a_trace_that_is_not_there(
    page: Page, start: Callable[..., RunningService], environment: dict[str, str]
) -> None:
    page.open(f"{start(PRICED, T2I_TRACE_URL=TRACE_URL, **environment).url}/")
    write(page, "#prompt", "a lighthouse at dusk")
    page.press("Enter", CONTROL)
    wait_for(lambda: drawn(page))
    assert page.text("#trace") == "not sampled"
    assert page.value("document.querySelector('#trace a')") is None
