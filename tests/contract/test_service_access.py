"""API keys: which route needs one, how they change, whose ids are whose, how many requests a minute."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest
from t2i_service.app import create_app, create_state
from t2i_service.observing.privacy import Privacy
from t2i_service.settings import Settings

from tests.contract.conftest import SANDBOX, SDXL
from tests.fakes.kubelet import mount
from tests.fakes.processes import RunningService
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fakes.replicate import FakeReplicate

SMALL = {"prompt": "a lighthouse at dusk", "width": 64, "height": 64}
ALICE, BOB = {"authorization": "Bearer key-of-alice"}, {"authorization": "bearer key-of-bob"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("api-keys")
    mount(folder, {"alice": "key-of-alice\n", "bob": "key-of-bob", ".ci": "key-of-ci"})
    (folder / "..more").write_text("key-of-nobody")
    return folder


@pytest.fixture(scope="module")
def closed(start: Callable[..., RunningService], folder: Path) -> RunningService:
    return start(SANDBOX, T2I_API_KEYS_DIR=str(folder))


@pytest.mark.parametrize(
    ("method", "path", "needs_key"),
    [
        ("POST", "/generate", True),
        ("POST", "/v1/images/generations", True),
        ("GET", "/v1/models", True),
        ("GET", "/v1/models/sdxl", True),
        ("GET", "/generations/x", True),
        ("POST", "/generations/x/cancel", True),
        ("POST", "/feedback", True),
        ("GET", "/generations/x/images/0", False),
        ("GET", "/generations/x/images/0/more", True),
        ("GET", "/generations/x/more/images/0", True),
        ("GET", "/generations/images/0", True),
        ("GET", "/generations/x/images/", True),
        ("GET", "/health", False),
        ("GET", "/ready", False),
        ("GET", "/metrics", False),
        ("GET", "/info", False),
        ("GET", "/docs", False),
        ("GET", "/docs/swagger-ui.css", False),
        ("GET", "/", False),
        ("GET", "/openapi.json", False),
        ("GET", "/docs/more/swagger-ui.css", True),
        ("GET", "/nowhere", True),
    ],
)
def test_which_routes_need_a_key(closed: RunningService, method: str, path: str, *, needs_key: bool) -> None:
    with closed.client() as client:
        answer = client.request(method, path)
        assert (answer.status_code == 401) is needs_key
        if needs_key:
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.headers["x-request-id"] in answer.text or path.startswith("/v1/")
            assert client.request(method, path, headers=ALICE).status_code != 401


def routes(folder: Path) -> list[tuple[str, str]]:
    """Return every path that the application knows, with each of its methods."""
    (models := folder / "models.json").write_text('{"models": [{"name": "sdxl", "provider": "Sandbox"}]}')
    app = create_app(create_state(Settings(models_file=models), Privacy(100)))._app  # type: ignore[attr-defined]
    return [(route.path, method) for route in app.routes for method in sorted(route.methods)]


def test_no_other_spelling_of_a_path_leads_to_its_route(start: Callable[..., RunningService], tmp_path: Path) -> None:
    """A router's pattern takes a newline at the end as well, and who compares a path as text does not."""
    (keys := tmp_path / "keys").mkdir()
    (keys / "alice").write_text("key-of-alice")
    service = start(SANDBOX, T2I_API_KEYS_DIR=str(keys), T2I_REQUESTS_PER_MINUTE="1")
    with service.client() as client:
        for (path, method), headers in product(routes(tmp_path), ({}, ALICE)):
            for end in ("%0A", "%0D%0A", "%00"):
                answer = client.request(method, f"{service.url}{path}{end}", json=SMALL, headers=headers)
                assert answer.status_code == 404, (method, path, end)
        for path in ("/%6Detrics", "/metric%73", "/%68ealth"):
            assert client.get(path).status_code == 404, path
        for path in ("//generate", "/generate;a=b", "/GENERATE", "/generate%2F", "/%2Fgenerate", "/generate%20"):
            assert client.post(f"{service.url}{path}", json=SMALL).status_code == 401, path
            assert client.post(f"{service.url}{path}", json=SMALL, headers=ALICE).status_code == 404, path
        refused = client.post("/v1/images/generations%0A", json={"prompt": "a lighthouse"}).json()
        assert (refused["error"]["code"], refused["error"]["type"]) == ("not_found", "invalid_request_error")
        assert service.metric("image_generation_total", status="success") == 0
        assert service.metric("http_requests_total", method="POST", endpoint="/generate", status="404") == 0
        assert service.metric("http_requests_total", method="POST", endpoint="unmatched", status="404") > 0
        assert client.post("/generate", json=SMALL, headers=ALICE).status_code == 200


def test_the_document_tells_which_routes_need_a_key(closed: RunningService) -> None:
    with closed.client() as client:
        document = client.get("/openapi.json").json()
        needed = {
            (method, path): client.request(method, path).status_code == 401
            for path, operations in document["paths"].items()
            for method in operations
        }
    told = {
        (method, path): operation.get("security") == [{"bearer": []}]
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    assert told == needed
    assert {True, False} == set(told.values())
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


def test_the_document_of_an_open_service_leaves_the_key_to_the_caller(sandbox: RunningService) -> None:
    with sandbox.client() as client:
        paths = client.get("/openapi.json").json()["paths"]
    assert paths["/generate"]["post"]["security"] == [{}, {"bearer": []}]


@pytest.mark.parametrize("header", ["Bearer wrong", "Basic key-of-alice", "key-of-alice", "Bearer", "Bearer \u00e9"])
def test_anything_but_a_key_is_refused(closed: RunningService, header: str) -> None:
    with closed.client() as client:
        answer = client.post("/generate", json=SMALL, headers={"authorization": header.encode()})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


def test_a_key_may_be_named_as_a_secrets_key_may(closed: RunningService) -> None:
    """Kubernetes refuses those alone that begin with two dots, as the kubelet's own entries do."""
    with closed.client() as client:
        statuses = [
            client.post("/generate", json=SMALL, headers={"authorization": f"Bearer key-of-{name}"}).status_code
            for name in ("ci", "nobody")
        ]
    assert statuses == [200, 401]


def test_an_id_belongs_to_its_key(closed: RunningService) -> None:
    with closed.client() as client:
        result = client.post("/generate", json=SMALL | {"response_format": "url"}, headers=ALICE).json()
        path = f"/generations/{result['id']}"
        assert client.get(path, headers=ALICE).status_code == 200
        assert client.get(path, headers=BOB).json()["code"] == "unknown_generation"
        assert client.get(result["images"][0]["url"]).status_code == 200


def test_only_its_key_rates_an_image(closed: RunningService) -> None:
    with closed.client() as client:
        body = {"generation_id": client.post("/generate", json=SMALL, headers=ALICE).json()["id"], "rating": "down"}
        refused = client.post("/feedback", json=body, headers=BOB)
        assert (refused.status_code, refused.json()["code"]) == (404, "unknown_generation")
        assert closed.metric("t2i_model_feedback_total", model="sdxl", rating="down") == 0
        assert client.post("/feedback", json=body, headers=ALICE).status_code == 202


def test_requests_are_counted_by_configured_key_id(closed: RunningService) -> None:
    with closed.client() as client:
        client.post("/generate", json=SMALL, headers=BOB)
        client.post("/generate", json=SMALL, headers={"authorization": "Bearer mallory"})
    assert closed.metric("t2i_key_requests_total", key="bob") >= 1
    assert "mallory" not in closed.metrics_text()


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        ("/generations/x", "/generations/{generation_id}"),
        ("/v1/models/sdxl", "/v1/models/{model_id}"),
        ("/generate", "/generate"),
        ("/v1/nothing", "unmatched"),
    ],
)
def test_who_is_refused_is_counted_where_the_others_are(closed: RunningService, path: str, endpoint: str) -> None:
    labels = {"method": "GET", "endpoint": endpoint, "status": "401"}
    before = closed.metric("http_requests_total", **labels)
    with closed.client() as client:
        assert client.get(path).status_code == 401
    assert closed.metric("http_requests_total", **labels) == before + 1


def test_a_key_is_counted_from_zero_as_soon_as_it_is_known(
    start: Callable[..., RunningService], tmp_path: Path
) -> None:
    """What first appears at one shows no increase: a caller who came once would be none."""

    def counted() -> list[str]:
        return [line for line in service.metrics_text().splitlines() if line.startswith("t2i_key_requests_total")]

    (tmp_path / "alice").write_text("key-of-alice")
    service = start(SANDBOX, T2I_API_KEYS_DIR=str(tmp_path))
    assert counted() == ['t2i_key_requests_total{key="alice"} 0.0']
    (tmp_path / "bob").write_text("key-of-bob")
    wait_for(lambda: 't2i_key_requests_total{key="bob"} 0.0' in counted())


def test_keys_change_without_a_restart_and_are_never_logged(closed: RunningService, folder: Path) -> None:
    with closed.client() as client:
        mount(folder, {"alice": "key-of-alice\n", "carol": "key-of-carol", ".ci": "key-of-ci"})
        wait_for(lambda: closed.logged("API keys taken over", keys=[".ci", "alice", "carol"]))
        carol = {"authorization": "Bearer key-of-carol"}
        assert client.post("/generate", json=SMALL, headers=carol).status_code == 200
        assert client.post("/generate", json=SMALL, headers=BOB).status_code == 401
        assert client.get("/info").json()["authentication"] == "api_key"
    assert "key-of-" not in "\n".join(closed.lines)


def test_a_key_that_is_no_text_changes_nothing_and_stops_no_follower(
    start: Callable[..., RunningService], tmp_path: Path
) -> None:
    (tmp_path / "alice").write_text("key-of-alice")
    service = start(SANDBOX, T2I_API_KEYS_DIR=str(tmp_path))
    (tmp_path / "broken").write_bytes(b"\xff\xfe")
    (line,) = wait_for(lambda: service.logged("Keys cannot be read, those known stay", level="warning"))
    assert line["error"] == "'broken' is not UTF-8 text"
    with service.client() as client:
        assert client.post("/generate", json=SMALL, headers=ALICE).status_code == 200
    (tmp_path / "broken").write_text("key-of-somebody")
    wait_for(lambda: service.logged("API keys taken over", keys=["alice", "broken"]))


@pytest.mark.parametrize("variable", ["T2I_API_KEYS_DIR", "T2I_SIGNING_KEYS_DIR"])
def test_a_key_that_is_no_text_stops_the_start_with_a_sentence(tmp_path: Path, variable: str) -> None:
    (tmp_path / "broken").write_bytes(b"\xff\xfe")
    service = RunningService({variable: str(tmp_path)})
    assert service.wait() == 2
    assert service.lines[-1].endswith(f"keys in {tmp_path} cannot be used: 'broken' is not UTF-8 text")


def test_an_open_service_says_so(sandbox: RunningService) -> None:
    with sandbox.client() as client:
        assert client.get("/info").json()["authentication"] == "none"
    assert sandbox.logged("Everybody who reaches this service may generate", level="warning")


def test_what_leads_nowhere_is_no_use_of_an_open_service(sandbox: RunningService) -> None:
    before = sandbox.metric("t2i_key_requests_total", key="anonymous")
    with sandbox.client() as client:
        statuses = [client.get(path).status_code for path in ("/wp-login.php", "/generate", "/v1/models")]
    assert statuses == [404, 405, 200]
    assert sandbox.metric("t2i_key_requests_total", key="anonymous") == before + 2


def test_a_key_has_a_rate_and_the_others_have_theirs(start: Callable[..., RunningService], tmp_path: Path) -> None:
    (tmp_path / "alice").write_text("key-of-alice")
    (tmp_path / "bob").write_text("key-of-bob")
    service = start(SANDBOX, T2I_API_KEYS_DIR=str(tmp_path), T2I_REQUESTS_PER_MINUTE="3")
    with service.client() as client:
        statuses = [client.post("/generate", json=SMALL, headers=ALICE).status_code for _ in range(3)]
        refused = client.post("/generate", json=SMALL, headers=ALICE)
        assert client.post("/generate", json=SMALL, headers=BOB).status_code == 200
    assert statuses == [200, 200, 200]
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert 1 <= int(refused.headers["retry-after"]) <= 21


def test_what_begins_no_generation_is_not_of_the_rate(
    start: Callable[..., RunningService], replicate: FakeReplicate, tmp_path: Path
) -> None:
    replicate.knobs.predict_seconds = 60
    (tmp_path / "alice").write_text("key-of-alice")
    (tmp_path / "bob").write_text("key-of-bob")
    one = {"T2I_MAX_IN_FLIGHT": "1", "T2I_MAX_QUEUED": "0"}
    limits = {"limits": {"maxOutputs": 1}}
    service = start(SDXL | limits, T2I_API_KEYS_DIR=str(tmp_path), T2I_REQUESTS_PER_MINUTE="3", **one)
    several = {"prompt": "a lighthouse", "n": 3}
    with service.client(headers=ALICE) as client:
        begun = client.post("/generate", json=SMALL, headers=BOB | {"prefer": "respond-async"})
        refused = [client.get("/generate") for _ in range(4)]
        refused += [client.post("/generate", content="{}", headers={"content-type": "text/plain"}) for _ in range(4)]
        refused += [client.post("/generate", json=SMALL | {"width": -1}) for _ in range(4)]
        refused += [client.post("/generate", json=SMALL) for _ in range(4)]
        refused += [client.post("/v1/images/generations", json=several) for _ in range(4)]
        client.post(f"{begun.headers['location']}/cancel", headers=BOB)
        wait_for(lambda: service.metric("t2i_generations_in_flight") == 0)
        replicate.knobs.predict_seconds = 0
        statuses = [client.post("/generate", json=SMALL).status_code for _ in range(3)]
    assert [answer.status_code for answer in refused] == [405] * 4 + [415] * 4 + [422] * 4 + [503] * 8
    assert statuses == [200, 200, 200]
