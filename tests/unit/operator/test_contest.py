"""When to give way."""

from t2i_operator.known.contest import Contest
from t2i_operator.known.identity import Id
from t2i_operator.kube.kinds import SERVICE

ONE, OTHER = Id(SERVICE, "n", "one"), Id(SERVICE, "n", "other")


def test_three_repairs_in_five_minutes_are_a_contest_until_the_first_is_that_old() -> None:
    now = 0.0
    contest = Contest(lambda: now)
    for moment in (0.0, 100.0, 200.0):
        now = moment
        assert not contest.given_up(ONE)
        contest.repaired(ONE, "spec.type")

    now = 299.0
    assert contest.given_up(ONE) == {"spec.type"}
    assert not contest.given_up(OTHER)
    now = 300.0
    assert not contest.given_up(ONE)


def test_what_would_be_given_up_at_one_more_repair_is_fought_over_until_the_last_but_one_is_that_old() -> None:
    now = 0.0
    contest = Contest(lambda: now)
    for moment in (0.0, 100.0):
        now = moment
        assert not contest.fought_over(ONE)
        contest.repaired(ONE, "spec.type")

    now = 299.0
    assert (contest.fought_over(ONE), contest.given_up(ONE)) == ({"spec.type"}, frozenset())
    assert not contest.fought_over(OTHER)
    now = 300.0
    assert not contest.fought_over(ONE)
    for moment in (301.0, 302.0):
        now = moment
        contest.repaired(ONE, "spec.type")
    now = 600.0
    assert contest.fought_over(ONE), "by the last two"
    now = 601.0
    assert not contest.fought_over(ONE)


def test_repairs_now_and_then_are_none() -> None:
    now = 0.0
    contest = Contest(lambda: now)
    for _ in range(10):
        now += 151.0
        contest.repaired(ONE, "spec.type")
        assert not contest.given_up(ONE)


def test_each_field_is_counted_by_itself() -> None:
    contest = Contest(lambda: 0.0)
    for fields in (("a", "b"), ("a",), ("a",)):
        contest.repaired(ONE, *fields)
    assert contest.given_up(ONE) == {"a"}


def test_what_no_longer_counts_is_forgotten() -> None:
    now = 0.0
    contest = Contest(lambda: now)
    contest.repaired(ONE, "a")
    now = 300.0
    contest.repaired(OTHER, "a")
    assert list(contest._repairs) == [OTHER]
