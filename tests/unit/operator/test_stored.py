"""What the CRD refuses today and an older one stored: the object it would go into is left as it is, and no other."""

from typing import Any
from unittest.mock import AsyncMock

import pytest
from t2i_operator import builders
from t2i_operator.known.identity import Id, identify
from t2i_operator.known.outcome import Outcome
from t2i_operator.kube.kinds import (
    ALERTMANAGER_CONFIG,
    CONFIG_MAP,
    GRAFANA_DASHBOARD,
    PROMETHEUS_RULE,
    SERVICE,
    SERVICE_MONITOR,
    Kind,
)
from t2i_operator.preview.preview import Preview
from t2i_operator.reconciling import stored
from t2i_operator.settings import read

from tests.unit.operator.harness import KEY, Harness, Shown
from tests.unit.operator.resources import OBSERVED, UNOBSERVED, resource

OBSERVING: Any = {**UNOBSERVED, "metrics": {}, "alerts": {}, "dashboards": {}}
PASSWORD = {"secretKeyRef": {"name": "mail", "key": "password"}}
MAIL: dict[str, Any] = {"to": "team@example.com", "smarthost": "mail.example.com:587"}
TEMPLATE = '{{ query "up" }}'


def left(**monitoring: Any) -> dict[Kind, str]:
    """Return which kinds of objects are left as they are, and why."""
    wanted = resource(monitoring={**OBSERVING, **monitoring})
    outcome = Outcome(generation=1, resource=wanted)
    stored.report_invalid(wanted, map(identify, builders.desired(wanted, OBSERVED)), outcome)
    return {fault.identity.kind: fault.message for fault in outcome.faults}


@pytest.mark.parametrize(
    "login", [{}, {"authUsername": "images"}, {"authPassword": PASSWORD}], ids=["none", "name", "word"]
)
def test_no_mail_server_of_the_spec_is_shown_alertmanager_s_own_login(login: dict[str, Any]) -> None:
    found = left(alerts={"receivers": [{"name": "mail", "email": MAIL | login}]})

    assert list(found) == [ALERTMANAGER_CONFIG]
    assert found[ALERTMANAGER_CONFIG].startswith("spec.monitoring.alerts.receivers[mail]: email.smarthost needs authU")


def test_a_mail_server_with_its_login_is_taken_and_alertmanager_s_own_without() -> None:
    login = {"authUsername": "images", "authPassword": PASSWORD}
    receivers = [{"name": "own", "email": MAIL | login}, {"name": "theirs", "email": {"to": "team@example.com"}}]

    assert left(alerts={"receivers": receivers}) == {}


@pytest.mark.parametrize(
    "written",
    [
        {"alerts": {"alertLabels": {"team": TEMPLATE}}},
        {"alerts": {"alertLabels": {"team": "a\n{{{"}}},
        {"alerts": {"runbookURL": f"https://wiki.example.com/{TEMPLATE.replace(' ', '')}"}},
        {"dashboards": {"grafanaURL": "https://grafana.example.com/{{template}}"}},
        {"dashboards": {"grafanaURL": "https://{{template}}/"}},
    ],
    ids=["label", "among lines", "runbook", "Grafana", "host"],
)
def test_nothing_of_the_spec_is_a_template_in_prometheus(written: dict[str, Any]) -> None:
    assert list(left(**written)) == [PROMETHEUS_RULE]


@pytest.mark.parametrize("text", ["images", "{images}", "a{", "{a{b", "}}", "two\nlines"])
def test_text_with_braces_is_no_template(text: str) -> None:
    assert left(alerts={"alertLabels": {"team": text}}) == {}


@pytest.mark.parametrize("field", ["relabelings", "metricRelabelings"])
@pytest.mark.parametrize(
    "step",
    [
        {"targetLabel": "__address__", "replacement": "10.0.0.1:443"},
        {"targetLabel": "__param_$1"},
        {"targetLabel": "${1}"},
        {"action": "labelmap", "regex": "__meta_kubernetes_pod_annotation_.*(__address__)"},
        {"action": "labelmap", "regex": "__meta_kubernetes_pod_ip", "replacement": "__address__"},
        {"action": "labelmap", "regex": "__meta_kubernetes_pod_label_(.+)", "replacement": "$1"},
    ],
    ids=["address", "parameter", "any", "map", "map to address", "map to any"],
)
def test_no_relabelling_chooses_what_is_scraped(step: dict[str, Any], field: str) -> None:
    found = left(metrics={field: [step]})

    assert list(found) == [SERVICE_MONITOR]
    assert found[SERVICE_MONITOR].startswith(f"spec.monitoring.metrics.{field}[0]")


@pytest.mark.parametrize(
    "step",
    [
        {"targetLabel": "__tmp_zone", "sourceLabels": ["__meta_kubernetes_pod_label_zone"]},
        {"targetLabel": "_zone"},
        {"action": "labelmap", "regex": "__meta_kubernetes_pod_label_(.+)", "replacement": "pod_label_$1"},
        {"action": "drop", "regex": "x"},
    ],
    ids=["for the time being", "plain", "mapped", "none"],
)
def test_other_labels_are_the_user_s_to_write(step: dict[str, Any]) -> None:
    assert left(metrics={"relabelings": [step]}) == {}


@pytest.mark.parametrize("folder", [".", "..", "/etc", "a/b", ".hidden"])
@pytest.mark.parametrize("kind", [CONFIG_MAP, GRAFANA_DASHBOARD], ids=lambda kind: kind.name)
def test_a_folder_is_a_name_and_no_way(folder: str, kind: Kind) -> None:
    selector = {"instanceSelector": {"matchLabels": {"dashboards": "grafana"}}}
    found = left(dashboards={"folder": folder, "format": kind.name, **selector})

    assert list(found) == [kind]
    assert found[kind].startswith("spec.monitoring.dashboards.folder")


@pytest.mark.parametrize(
    ("written", "condition", "child"),
    [
        (
            {"alerts": {"alertLabels": {"team": TEMPLATE}}},
            "AlertsReady",
            Id(PROMETHEUS_RULE, KEY.namespace, "pictures-alerts"),
        ),
        (
            {"metrics": {"relabelings": [{"targetLabel": "__address__"}]}},
            "MetricsReady",
            Id(SERVICE_MONITOR, KEY.namespace, "pictures-monitor"),
        ),
        (
            {"dashboards": {"folder": ".x"}},
            "DashboardsReady",
            Id(CONFIG_MAP, KEY.namespace, "pictures-dashboard-overview"),
        ),
    ],
    ids=["alerts", "metrics", "dashboards"],
)
async def test_one_object_is_left_as_it_is_and_the_service_is_looked_after(
    written: dict[str, Any], condition: str, child: Id
) -> None:
    harness, service = Harness(monitoring=OBSERVING), Id(SERVICE, KEY.namespace, "pictures-service")
    harness.reconciler.selection.judge = AsyncMock(return_value={})  # type: ignore[method-assign]
    await harness.look()
    before = harness.cluster.live[child]
    harness.edit(monitoring={**OBSERVING, **written})
    del harness.cluster.live[service]
    harness.cache.children.drop(service)

    said = await harness.look()

    assert {said[each].status for each in ("Ready", "Accepted", "Progressing")} == {"True"}
    assert said["Stalled"].status == "False"
    assert (said[condition].status, said[condition].reason) == ("False", "InvalidSpec")
    assert f"{child} is left as it is" in said[condition].message
    assert harness.cluster.live[child] == before
    assert service in harness.cluster.live
    assert (await harness.reconciler.reconcile(KEY) or 0) > 30, "an edit that mends it is an event"

    harness.edit(monitoring=OBSERVING)
    assert (await harness.look())[condition].reason != "InvalidSpec"


async def test_render_and_diff_say_what_is_left_and_show_it_not(capsys: pytest.CaptureFixture[str]) -> None:
    preview = Preview(Shown(), read(["--service-image=service:1"], {}))
    wanted = resource(monitoring={**UNOBSERVED, "alerts": {"runbookURL": "https://{{template}}/"}})

    for shown in (preview.render, preview.diff):
        await shown(wanted)
        said = capsys.readouterr()
        assert "PrometheusRule" not in said.out
        assert "Deployment" in said.out
        assert "runbookURL: write the address of a page" in said.err
