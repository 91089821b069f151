"""What a person is told to type where an object is not ours yet; tests/cluster tries who is whose."""

import shlex

from t2i_operator.known.identity import Id
from t2i_operator.kube.kinds import DEPLOYMENT
from t2i_operator.reconciling.ownership import selector_message


def test_the_steps_of_an_adoption_name_all_that_the_old_selector_asks_for() -> None:
    expressions = [
        {"key": "track", "operator": "In", "values": ["a", "b"]},
        {"key": "tier", "operator": "NotIn", "values": ["web"]},
        {"key": "team", "operator": "Exists"},
        {"key": "canary", "operator": "DoesNotExist"},
    ]
    live = {"spec": {"selector": {"matchLabels": {"app": "old"}, "matchExpressions": expressions}}}
    wanted = "app=old,track in (a,b),tier notin (web),team,!canary"
    message = selector_message(Id(DEPLOYMENT, "studio", "pictures"), live)
    assert f"its selector ({wanted}) differs" in message
    assert shlex.split(message.partition("3. ")[2])[-2:] == ["-l", wanted]
