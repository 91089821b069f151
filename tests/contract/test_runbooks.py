"""What runbooks, troubleshooting and panels.md name is there: codes, reasons, panels, metrics, fields, links."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from t2i_operator import naming, spec
from t2i_operator.builders.monitoring.prometheus_rule import prometheus_rule
from t2i_service import errors
from t2i_service.observing import telemetry
from t2i_service.providers import upstream_errors

from dashboards.catalog import rendered

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
RUNBOOKS = ROOT / "docs" / "runbooks"
BESIDE = ("troubleshooting", "panels")
FILES = [*RUNBOOKS.glob("*.md"), *(ROOT / "docs" / f"{page}.md" for page in BESIDE)]
PAGES = {path.stem: path.read_text() for path in FILES}
CRD = yaml.safe_load((ROOT / "crds" / "texttoimage.dev_texttoimageservices.yaml").read_text())
GUIDE = (ROOT / "docs" / "observability-guide.md").read_text()
KPIS = next(line for line in GUIDE.splitlines() if line.endswith("Key Performance Indicators (KPIs)"))
OPERATOR, SERVICE = (
    "\n".join(path.read_text() for path in (ROOT / program / f"t2i_{program}").rglob("*.py"))
    for program in ("operator", "service")
)

# What is neither ours nor made by us: a page of Prometheus, fields of its operator's kinds, reasons of the kubelet,
# metrics of Jaeger.
ITALICS = {"Status > Targets", "Reason"}
FIELDS = {"serviceMonitorSelector", "alertmanagerConfigSelector", "alertmanagerConfigNamespaceSelector"}
REASONS = {"ImagePullBackOff", "CrashLoopBackOff", "OOMKilled", "Unschedulable"}
KINDS = {"TextToImageService"}
COLLECTOR = {
    "otelcol_receiver_refused_spans_total",
    "otelcol_processor_tail_sampling_sampling_trace_dropped_too_early_total",
}
# What Prometheus, Jaeger's memory limiter and the API server say.
WORDS_OF_OTHERS = {
    "sample limit exceeded",
    "data refused due to high memory usage",
    "conversion webhook",
    "not found",
}
LABELS = {"exported_endpoint"}  # Prometheus' own, when a target's label has the same name

CODE = re.compile(r"`([^`\n]+)`")
BLOCK = re.compile(r"```.*?```", re.DOTALL)
ITALIC = re.compile(r"(?<!\*)\*([^*\n]+)\*(?!\*)")
LINK = re.compile(r"\]\(([^)#:]+)\)")
SNAKE, CAMEL, PASCAL = (
    re.compile(r"[a-z]+(_[a-z]+)+"),
    re.compile(r"[a-z]+([A-Z]\w*)+"),
    re.compile(r"([A-Z][a-z]\w*){2,}"),
)
DOTTED = re.compile(r"[a-z]\w*(\[\])?(\.[a-z]\w*(\[\])?)+")
LOGS, SELECTOR = re.compile(r"kubectl logs [^|`\n]*"), re.compile(r"-l (app\.kubernetes\.io/instance=NAME[^ `\n]*)")
GREPPED, PHRASE = re.compile(r"""grep (?:-\w+ )?(["'])(.+?)\1"""), re.compile(r"[A-Za-z]+( [A-Za-z]+)+")
COMMANDS = ("kubectl ", "make ")
METRIC = re.compile(r"\b(?:t2i[_:][a-z0-9_:]+|(?:http|image_generation)_[a-z_]+)")


def _all(kind: type[errors.ServiceError]) -> Iterator[type[errors.ServiceError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from _all(each)


def _table(page: str, *header: str) -> list[list[str]]:
    """Return the cells of the table with that header's beginning, row by row."""
    lines = [line.strip() for line in PAGES[page].splitlines()]
    begin = next(number for number, line in enumerate(lines) if line.startswith(f"| {' | '.join(header)} |"))
    rows = []
    for line in lines[begin + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.replace(r"\|", " ").strip("|").split("|")])
    return rows


def _fields(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    for name, below in schema.get("properties", {}).items():
        yield f"{path}{name}"
        yield from _fields(below, f"{path}{name}.")
        yield from _fields(below.get("items", {}), f"{path}{name}[].")


def _metrics() -> set[str]:
    budget = {"budget": {"amount": "1", "period": "Day"}}
    body = {"models": [{"name": "sdxl", "provider": "Sandbox"}], "monitoring": {"alerts": budget}}
    built = prometheus_rule(spec.parse({"metadata": {"name": "a", "namespace": "b"}, "spec": body}))
    recorded = {rule["record"] for group in built["spec"]["groups"] for rule in group["rules"] if "record" in rule}
    return {metric.name for metric in telemetry.METRICS} | recorded | set(METRIC.findall(rendered()["operator"]))


ERRORS = set(_all(errors.ServiceError))
# No alert counts what is asked of what has been begun (docs/troubleshooting.md tells of it), nor what probes are told.
UNCOUNTED = {errors.ProviderNotConfiguredError, errors.NotReadyError}
UPSTREAM = {error for error in ERRORS if issubclass(error, upstream_errors.UpstreamError)}
BOARDS = [json.loads(text) for text in rendered().values()]
TITLES = {topic.capitalize() for topic in rendered()} | {
    panel["title"] for board in BOARDS for panel in board["panels"]
}
SPEC = set(_fields(CRD["spec"]["versions"][0]["schema"]["openAPIV3Schema"]))


def test_every_5xx_of_ours_is_told_by_its_code() -> None:
    told = {
        (int(status), code)
        for status, codes, *_ in _table("HighErrorRate", "status", "code")
        for code in CODE.findall(codes)
    }
    assert told == {(error.status, error.code) for error in ERRORS - UNCOUNTED if error.status >= 500}


def test_every_reason_of_an_upstream_error_is_told() -> None:
    told = {word for reason, _ in _table("ImageGenerationFailure", "reason") for word in CODE.findall(reason)}
    assert told == {error.reason for error in UPSTREAM}


def test_every_error_without_a_reason_is_told_by_its_code() -> None:
    """What fails on the way to the provider, or there, and is no request that failed."""
    told = {word for code, _ in _table("ImageGenerationFailure", "code") for word in CODE.findall(code)}
    bug = {errors.ServiceError.code}
    assert told == {error.code for error in ERRORS - UPSTREAM - UNCOUNTED if error.status >= 500} - bug


@pytest.mark.parametrize("page", sorted(PAGES))
def test_every_panel_and_dashboard_is_there(page: str) -> None:
    assert set(ITALIC.findall(CODE.sub("", BLOCK.sub("", PAGES[page])))) - TITLES - ITALICS == set()


def test_a_replica_that_does_not_lead_is_found_to_say_why() -> None:
    """It waits for what it needs to begin at all, or for its Lease."""
    page, runtime = PAGES["TextToImageOperatorWithoutLeader"], ROOT / "operator" / "t2i_operator" / "runtime"
    source = "\n".join((runtime / f"{module}.py").read_text() for module in ("process", "leader"))
    said = re.findall(r'log\.(?:warning|error)\(\s*"([^"]+)"', source)
    assert len(said) == 4
    (wanted,) = re.findall(r'grep -iE "([^"]+)"', page)
    assert [message for message in said if not re.search(wanted, message, re.IGNORECASE)] == []
    assert {message for message in said if message.startswith("waiting")} <= set(CODE.findall(page))


@pytest.mark.parametrize("page", sorted(PAGES))
def test_what_a_log_is_searched_for_is_said(page: str) -> None:
    """By the words that an event begins with."""
    grepped = {words.strip('"') for _, asked in GREPPED.findall(PAGES[page]) for words in asked.split("|")}
    phrases = {words for words in {*CODE.findall(PAGES[page]), *grepped} if PHRASE.fullmatch(words)}
    ours = {words for words in phrases - WORDS_OF_OTHERS if not words.startswith(COMMANDS)}
    assert {words for words in ours if f'"{words}' not in OPERATOR + SERVICE} == set()


def _of_the_guide(heading: str) -> list[str]:
    """Return what the guide lists in bold in a chapter and those below it."""
    level = heading.index(" ")
    chapter = re.split(rf"^#{{1,{level}}} ", GUIDE.partition(f"\n{heading}\n")[2], flags=re.MULTILINE)[0]
    return re.findall(r"^(?:\d+\.|-) \*\*([^*]+)\*\*", chapter, flags=re.MULTILINE)


def test_every_panel_and_kpi_of_the_guide_is_somewhere() -> None:
    """By the guide's own words, in its order; what it names twice, as Request Rate, stands in the table once."""
    panels, kpis = _of_the_guide("### **Grafana Dashboard Panels**"), _of_the_guide(KPIS)
    assert (len(panels), len(kpis)) == (6, 12)
    rows = _table("panels", "guide", "dashboard", "panels")
    assert [guide for guide, *_ in rows] == [*dict.fromkeys([*panels, *kpis])]
    for guide, dashboard, shown, _ in rows:
        (board,) = (text for topic, text in rendered().items() if topic == dashboard.strip("*").lower())
        there = {panel["title"] for panel in json.loads(board)["panels"] if panel["type"] != "row"}
        named = set(ITALIC.findall(shown))
        assert named, guide
        assert named <= there, guide


def test_every_common_issue_of_the_guide_has_a_chapter() -> None:
    issues = _of_the_guide("### **Common Issues**")
    assert len(issues) == 3
    chapters = re.findall(r"^## (.+)$", PAGES["troubleshooting"], flags=re.MULTILINE)
    assert {issue.lower() for issue in issues} <= {re.sub(" (is|are) ", " ", chapter).lower() for chapter in chapters}


@pytest.mark.parametrize("page", sorted(PAGES))
def test_every_metric_is_there(page: str) -> None:
    assert set(METRIC.findall(PAGES[page])) - _metrics() == set()


@pytest.mark.parametrize("page", sorted(PAGES))
def test_every_word_of_code_is_there(page: str) -> None:
    words = {word.split(":")[0].strip() for word in CODE.findall(PAGES[page])}
    snake = (
        {code for error in ERRORS for code in (error.code,)} | {error.reason for error in UPSTREAM} | telemetry.SPANS
    )
    snake |= (
        _metrics()
        | {label for metric in telemetry.METRICS for label in metric.labels}
        | LABELS
        | COLLECTOR
        | {"burn_rate"}
    )
    names = {path.rpartition(".")[2].removesuffix("[]") for path in SPEC}
    assert {word for word in words if SNAKE.fullmatch(word)} - snake == set()
    assert {word for word in words if CAMEL.fullmatch(word)} - names - FIELDS == set()
    unknown = {word for word in words if PASCAL.fullmatch(word)} - REASONS - KINDS
    assert {word for word in unknown if f'"{word}' not in OPERATOR} == set()


@pytest.mark.parametrize("page", sorted(PAGES))
def test_every_field_of_the_spec_is_there(page: str) -> None:
    paths = {path.split(":")[0].strip() for path in CODE.findall(PAGES[page])}
    dotted = {path for path in paths if DOTTED.fullmatch(path)}
    assert {path for path in dotted if not any(f".{known}".endswith(f".{path}") for known in SPEC)} == set()


@pytest.mark.parametrize("page", sorted(PAGES))
def test_every_page_that_is_linked_is_there(page: str) -> None:
    folder = ROOT / "docs" if page in BESIDE else RUNBOOKS
    assert [link for link in LINK.findall(PAGES[page]) if not (folder / link).exists()] == []


@pytest.mark.parametrize("page", sorted(PAGES))
def test_logs_are_read_of_every_pod(page: str) -> None:
    """Those of a Deployment are one pod's; the guide's own commands stay as they are."""
    of_one = {command for command in LOGS.findall(PAGES[page]) if "deployment/" in command}
    assert {command for command in of_one if command not in GUIDE} == set()


@pytest.mark.parametrize("page", sorted(PAGES))
def test_pods_are_selected_by_their_own_labels(page: str) -> None:
    """An instance's pods are Jaeger's, too."""
    wanted = naming.selector_labels("NAME")
    for selector in SELECTOR.findall(PAGES[page]):
        labels = dict(pair.split("=") for pair in selector.split(","))
        assert labels.items() <= wanted.items(), selector
        assert naming.COMPONENT_LABEL in labels, selector


def test_the_most_popular_prompts_are_counted_whole() -> None:
    """Those that begin alike and then quote something are not the same; a backslash may be the last of one."""
    prompts = ['a "red" mill', 'a "blue" mill', 'a "red" mill', "a mill \\"]
    lines = [json.dumps({"event": "Image generation started", "prompt": prompt, "model": "sdxl"}) for prompt in prompts]
    _, _, pipe = BLOCK.findall(PAGES["panels"])[-1].removesuffix("```").partition("--tail=-1 |")
    assert "prompt" in pipe
    command = ["/bin/sh", "-c", pipe]
    done = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, check=True)  # noqa: S603
    counted = dict(line.split(maxsplit=1)[::-1] for line in done.stdout.splitlines())
    assert counted == {f'"prompt": {json.dumps(prompt)}': str(prompts.count(prompt)) for prompt in prompts}


def test_something_of_each_kind_is_named() -> None:
    """Or the tests above could not fail."""
    text = "\n".join(PAGES.values())
    words = CODE.findall(text)
    assert all(any(kind.fullmatch(word) for word in words) for kind in (SNAKE, CAMEL, PASCAL, DOTTED, PHRASE))
    assert all(kind.search(text) for kind in (ITALIC, METRIC, LINK, LOGS, SELECTOR, GREPPED))
