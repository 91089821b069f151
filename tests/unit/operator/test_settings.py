"""Flags, the variables behind them, and what is said of those that cannot be."""

import pytest
from t2i_operator.settings import read

IMAGE = {"T2I_SERVICE_IMAGE": "i:1"}


def test_defaults_are_those_of_a_pod_that_looks_after_everything() -> None:
    settings = read([], {**IMAGE, "POD_NAME": "p", "POD_NAMESPACE": "system"})
    assert settings.namespaces == ()
    assert settings.class_name is None
    assert settings.leader_election is True
    assert (settings.identity, settings.lease_namespace, settings.lease_name) == (
        "p",
        "system",
        "text-to-image-operator",
    )


def test_a_flag_wins_over_its_variable() -> None:
    variables = {**IMAGE, "T2I_OPERATOR_WORKERS": "3", "T2I_OPERATOR_CLASS_NAME": "blue"}
    settings = read(["--workers", "5", "--namespaces", "a,b", "--leader-election", "false"], variables)
    assert (settings.workers, settings.class_name, settings.namespaces) == (5, "blue", ("a", "b"))
    assert settings.leader_election is False


def test_namespaces_are_told_apart_by_commas_whatever_is_around_them() -> None:
    assert read(["--namespaces", " a, b ,,c"], IMAGE).namespaces == ("a", "b", "c")
    assert read(["--namespaces", " "], IMAGE).namespaces == ()


def test_two_classes_have_two_leases() -> None:
    leases = {read(["--class-name", name], IMAGE).lease_name for name in ("", "blue", "green")}
    assert len(leases) == 3


@pytest.mark.parametrize(
    ("arguments", "variables", "words"),
    [
        ([], {}, "T2I_SERVICE_IMAGE"),
        (["--workers", "many"], IMAGE, "workers"),
        (["--workers", "0"], IMAGE, "$.workers"),
        (["--resync-seconds", "0"], IMAGE, "resync_seconds"),
        (["--poll-seconds", "-1"], IMAGE, "poll_seconds"),
        (["--poll-seconds", "nan"], IMAGE, "poll_seconds"),
        ([], {**IMAGE, "T2I_OPERATOR_POLL_SECONDS": "0"}, "poll_seconds"),
        (["--nonsense"], IMAGE, "--nonsense"),
    ],
)
def test_what_cannot_be_is_said(
    arguments: list[str], variables: dict[str, str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        read(arguments, variables)
    assert exit_.value.code == 2
    assert words in capsys.readouterr().err
