"""The words of a notification, as Alertmanager's templates.

A group may hold several alerts, and whatever differs between two of them is missing from `CommonLabels` and
`CommonAnnotations`: here everything is read from the group's own labels or from single alerts. Alerts of other rules
that carry the service's label may come too, without a severity or a summary.
"""

# PagerDuty answers 400 to any other severity, and to an empty summary; Alertmanager does not send such an event again.
_SEVERITIES = ("critical", "error", "warning", "info")
_DEFAULT_SEVERITY = "error"


def _known_severity() -> str:
    given, known = ".GroupLabels.severity", " ".join(f'"{severity}"' for severity in _SEVERITIES)
    return f"{{{{ if eq {given} {known} }}}}{{{{ {given} }}}}{{{{ else }}}}{_DEFAULT_SEVERITY}{{{{ end }}}}"


def _of_first(annotation: str, otherwise: str = "") -> str:
    """Take it from an alert that fires, if one still does."""
    first = f"{{{{ with (index . 0).Annotations.{annotation} }}}}{{{{ . }}}}{{{{ else }}}}{otherwise}{{{{ end }}}}"
    return f"{{{{ with .Alerts.Firing }}}}{first}{{{{ else }}}}{{{{ with .Alerts }}}}{first}{{{{ end }}}}{{{{ end }}}}"


TITLE = (
    "{{ .Status | title }}: {{ .GroupLabels.alertname }}"
    "{{ with .GroupLabels.severity }} ({{ . }}){{ end }}"
    "{{ with or .GroupLabels.slo .GroupLabels.signal }}, {{ . }}{{ end }}"
)
TEXT = """{{ range .Alerts }}{{ if eq .Status "resolved" }}Resolved: {{ end }}{{ .Annotations.summary }}
{{ .Annotations.description }}{{ with .Annotations.runbook_url }}
Runbook: {{ . }}{{ end }}{{ with .Annotations.dashboard_url }}
Dashboard{{ if not (match "^https?:" .) }} (in Grafana){{ end }}: {{ . }}{{ end }}
{{ end }}"""
SUMMARY = _of_first("summary", "{{ $.GroupLabels.alertname }}")
PAGERDUTY_SEVERITY = _known_severity()
DETAILS = {
    "description": "{{ range .Alerts.Firing }}{{ .Annotations.description }}\n{{ end }}",
    "runbook": _of_first("runbook_url"),
    "dashboard": _of_first("dashboard_url"),
}
