"""Anomaly bands on synthetic weeks: busy by day, calm by night, silent at the weekend."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping

SERVICE = 'namespace="text-to-image",service="text-to-image-service"'
STEP_MINUTES = 15
STEPS_A_DAY = 24 * 60 // STEP_MINUTES
# Of the second week, the first that is judged; day 0 is a Monday.
WEDNESDAY, THURSDAY, SUNDAY = 9, 10, 13
THIRD_WEEK = range(14, 21)


def usual(days: int) -> list[float]:
    """Count the requests of each quarter of an hour: 2 at night, 40 at noon, none on Saturdays and Sundays."""
    by_day = [21 - 19 * math.cos(2 * math.pi * step / STEPS_A_DAY) for step in range(STEPS_A_DAY)]
    return [0 if day % 7 >= 5 else round(by_day[step]) for day in range(days) for step in range(STEPS_A_DAY)]


def at(day: int, hour: float) -> int:
    return round((day * 24 + hour) * 60 / STEP_MINUTES)


def changed(counts: Iterable[float], start: int, end: int, factor: float = 1, plus: float = 0) -> list[float]:
    return [count * factor + plus if start <= step < end else count for step, count in enumerate(counts)]


def traffic(
    requests: list[float],
    *,
    errors: Mapping[int, float] | None = None,
    slow: Container[int] = range(0),
    share: float = 1,
    refused: range = range(0),
    price: float = 0.01,
    prefer_async: bool = False,
) -> list[dict[str, str]]:
    """Write the series of these requests: `errors` by step are among them.

    Of those of the steps `slow` a share takes a minute; those of the steps `refused` are errors that never ran.
    Asynchronous ones are all answered 202 at once, which has no duration.
    """
    failed = [count if step in refused else (errors or {}).get(step, 0) for step, count in enumerate(requests)]
    answered = [count - failure for count, failure in zip(requests, failed, strict=True)]
    ran = [0 if step in refused else count for step, count in enumerate(requests)]
    fast = [count * (1 - share) if step in slow else count for step, count in enumerate(ran)]
    labels = f'{SERVICE},endpoint="/generate",method="POST",pod="a"'
    duration = "http_request_duration_seconds"
    waited_for = [
        _series(f'http_requests_total{{{labels},status="200"}}', answered),
        _series(f'http_requests_total{{{labels},status="500"}}', failed),
        _series(f'{duration}_bucket{{{labels},le="5.0"}}', fast),
        _series(f'{duration}_bucket{{{labels},le="60.0"}}', ran),
        _series(f'{duration}_bucket{{{labels},le="+Inf"}}', ran),
        _series(f"{duration}_count{{{labels}}}", ran),
    ]
    return [
        *([_series(f'http_requests_total{{{labels},status="202"}}', requests)] if prefer_async else waited_for),
        _series(f'image_generation_total{{{SERVICE},pod="a",status="success"}}', answered),
        _series(f'image_generation_total{{{SERVICE},pod="a",status="error"}}', failed),
        {"series": f'up{{{SERVICE},pod="a"}}', "values": f"1x{len(requests)}"},
        _series(
            f't2i_model_cost_total{{{SERVICE},pod="a",model="sdxl",currency="USD"}}', (price * r for r in requests)
        ),
    ]


def _series(name: str, increments: Iterable[float]) -> dict[str, str]:
    total, values = 0.0, ["0"]
    for increment in increments:
        total += increment
        values.append(f"{total:.12g}")
    return {"series": name, "values": " ".join(values)}


@pytest.fixture
def firing(promtool: Callable[..., None]) -> Callable[..., None]:
    """Check which anomalies fire at each step: `{step: {(signal, direction), ...}}`."""

    def check(series: list[dict[str, str]], expected: Mapping[int, set[tuple[str, str]]], **alerts: Any) -> None:
        expr = 'count by (signal, direction) (ALERTS{alertname="TextToImageAnomaly",alertstate="firing"})'
        queries = [
            {
                "expr": expr,
                "eval_time": f"{step * STEP_MINUTES}m",
                "exp_samples": [
                    {"labels": f'{{signal="{signal}",direction="{direction}"}}', "value": 1}
                    for signal, direction in anomalies
                ],
            }
            for step, anomalies in expected.items()
        ]
        step = f"{STEP_MINUTES}m"
        test = {"interval": step, "input_series": series, "promql_expr_test": queries}
        promtool(
            {"rule_files": ["trends.yaml", "hours.yaml"], "evaluation_interval": step, "tests": [test]},
            **alerts,
        )

    return check


REQUESTS_ABOVE, COST_ABOVE, REQUESTS_BELOW = ("requests", "above"), ("cost", "above"), ("requests", "below")
ERRORS_ABOVE, LATENCY_ABOVE = ("errors", "above"), ("latency", "above")


def rush(requests: list[float], days: Iterable[int]) -> list[dict[str, str]]:
    """Write a rush of each of these afternoons, where every second request fails and every one takes a minute."""
    hours = [range(at(day, 13), at(day, 15)) for day in days]
    for each in hours:
        requests = changed(requests, each.start, each.stop, plus=120)
    steps = [step for each in hours for step in each]
    return traffic(requests, errors={step: requests[step] / 2 for step in steps}, slow=frozenset(steps))


def test_a_usual_week_is_quiet(firing: Callable[..., None]) -> None:
    """Every third hour from the second week on: the peak of each day, the silent weekend, and the Monday after it."""
    firing(traffic(usual(22)), {at(day, hour): set() for day in range(7, 22) for hour in range(0, 24, 3)})


def test_a_spike_fires_and_ends(firing: Callable[..., None]) -> None:
    spike = changed(usual(10), at(WEDNESDAY, 12), at(WEDNESDAY, 14), factor=3)
    over = {REQUESTS_ABOVE, COST_ABOVE}
    firing(traffic(spike), {at(WEDNESDAY, 11.5): set(), at(WEDNESDAY, 13): over, at(WEDNESDAY, 15.5): set()})


def test_the_height_of_the_day_is_a_spike_at_night(firing: Callable[..., None]) -> None:
    spike = changed(usual(10), at(WEDNESDAY, 2), at(WEDNESDAY, 4), plus=40)
    firing(traffic(spike), {at(WEDNESDAY, 1.5): set(), at(WEDNESDAY, 3): {REQUESTS_ABOVE, COST_ABOVE}})


def test_a_spike_on_a_silent_weekend_fires_but_a_few_requests_do_not(firing: Callable[..., None]) -> None:
    tried = changed(usual(14), at(SUNDAY, 8), at(SUNDAY, 9), plus=2)
    spike = changed(tried, at(SUNDAY, 14), at(SUNDAY, 16), plus=40)
    firing(traffic(spike), {at(SUNDAY, 9): set(), at(SUNDAY, 15): {REQUESTS_ABOVE, COST_ABOVE}})


def test_at_the_boundary_what_chance_may_do_is_within_the_band(firing: Callable[..., None]) -> None:
    """Noon's half hour has 80 requests, which chance alone makes 80 ± 9: the band ends at 107, 13 more a quarter."""
    noon = (at(WEDNESDAY, 11), at(WEDNESDAY, 14))
    firing(traffic(changed(usual(10), *noon, plus=12)), {at(WEDNESDAY, 13): set()})
    firing(traffic(changed(usual(10), *noon, plus=16)), {at(WEDNESDAY, 13): {REQUESTS_ABOVE, COST_ABOVE}})


def test_more_deviations_make_a_wider_band(firing: Callable[..., None]) -> None:
    more = changed(usual(10), at(WEDNESDAY, 11), at(WEDNESDAY, 14), plus=16)
    firing(traffic(more), {at(WEDNESDAY, 13): set()}, anomalies={"deviations": "6"})


def test_callers_that_stay_away_fire(firing: Callable[..., None]) -> None:
    away = changed(usual(10), at(WEDNESDAY, 11), at(WEDNESDAY, 15), factor=0)
    firing(traffic(away), {at(WEDNESDAY, 10.5): set(), at(WEDNESDAY, 13): {REQUESTS_BELOW}})


def test_a_rush_that_fails_fires_on_every_weekday(firing: Callable[..., None]) -> None:
    """On the silent ones there is no answer of last week to compare with; nor does yesterday's rush hide today's."""
    everything = {REQUESTS_ABOVE, COST_ABOVE, ERRORS_ABOVE, LATENCY_ABOVE}
    expected = {at(day, hour): anomalies for day in THIRD_WEEK for hour, anomalies in ((12.5, set()), (14, everything))}
    firing(rush(usual(21), THIRD_WEEK), expected)


def test_callers_that_stay_away_fire_on_every_weekday(firing: Callable[..., None]) -> None:
    """On the Monday after a silent Sunday, and on the days after a day without callers."""
    weekdays, requests = THIRD_WEEK[:5], usual(21)
    for day in weekdays:
        requests = changed(requests, at(day, 8), at(day, 18), factor=0)
    expected = {at(day, hour): {REQUESTS_BELOW} for day in weekdays for hour in (9, 13, 17.5)}
    firing(traffic(requests), expected | {at(day, 13): set() for day in THIRD_WEEK[5:]})


BEGUN = ("0+2x60", "1x60")
ENDED = tuple(f"{values} stale" for values in BEGUN)
LATER = {minutes: tuple(f"_x{minutes} {values}" for values in BEGUN) for minutes in (60, 80, 120)}


@pytest.mark.parametrize(
    ("pods", "fires"),
    [
        pytest.param([("0+2x60 120x60", "1x120")], True, id="nobody comes any more"),
        pytest.param([ENDED], False, id="stopped"),
        pytest.param([LATER[60]], False, id="started"),
        pytest.param([ENDED, LATER[80]], False, id="stopped for twenty minutes"),
        pytest.param([ENDED, LATER[120]], False, id="stopped for an hour"),
        pytest.param([("0+2x60 stale _x58 0+2x60", "1x60 0x59 1x60")], False, id="down for an hour"),
        pytest.param([("0+2x60 _x60 242+2x60", "1x60 _x60 1x60")], False, id="an hour without Prometheus"),
    ],
)
def test_callers_stay_away_in_half_hours_that_were_scraped(
    promtool: Callable[..., None], pods: list[tuple[str, str]], *, fires: bool
) -> None:
    """Of 60 requests in each half hour 40 are expected, minute by minute, as no week could be played."""
    series = [{"series": f't2i:signal:lower{{{SERVICE},signal="requests"}}', "values": "40x240"}]
    for pod, (requests, up) in zip("ab", pods, strict=False):
        labels = f'{SERVICE},endpoint="/generate",method="POST",status="200",pod="{pod}"'
        series.append({"series": f"http_requests_total{{{labels}}}", "values": requests})
        series.append({"series": f'up{{{SERVICE},pod="{pod}"}}', "values": up})
    fired = 'ALERTS{alertname="TextToImageAnomaly",direction="below",alertstate="firing"}'
    samples = [{"labels": "{}", "value": 1}] if fires else []
    check = {"expr": f"count(max_over_time({fired}[4h]))", "eval_time": "4h", "exp_samples": samples}
    test = {"interval": "1m", "input_series": series, "promql_expr_test": [check]}
    promtool({"rule_files": ["trends.yaml"], "evaluation_interval": "2m", "tests": [test]})


def test_after_a_day_without_callers_the_usual_is_quiet(firing: Callable[..., None]) -> None:
    """On the day after it, and a week after it: the week before that knows better."""
    away = changed(usual(18), at(WEDNESDAY, 0), at(THURSDAY, 0), factor=0)
    firing(traffic(away), {at(day, hour): set() for day in (THURSDAY, 16, 17) for hour in range(0, 24, 3)})


def test_nothing_is_judged_in_the_first_week(firing: Callable[..., None]) -> None:
    firing(rush(usual(7), [3, 6]), {at(day, 14): set() for day in (3, 6)})


def test_a_few_answers_on_a_silent_day_may_differ_by_chance(firing: Callable[..., None]) -> None:
    """Of six answers one in twenty may take a minute, which makes 10 s of 4.75; of eighty that is an anomaly."""
    hours = range(at(SUNDAY, 8), at(SUNDAY, 10))
    for each, fires in ((3, set()), (40, {REQUESTS_ABOVE, COST_ABOVE, LATENCY_ABOVE})):
        requests = changed(usual(14), hours.start, hours.stop, plus=each)
        firing(traffic(requests, slow=hours, share=0.055), {at(SUNDAY, 9): fires})


def test_slow_answers_fire(firing: Callable[..., None]) -> None:
    slow = range(at(WEDNESDAY, 12), at(WEDNESDAY, 14))
    firing(traffic(usual(10), slow=slow), {at(WEDNESDAY, 11.5): set(), at(WEDNESDAY, 13): {LATENCY_ABOVE}})


def test_an_hour_that_refused_everything_leaves_the_week_its_band(firing: Callable[..., None]) -> None:
    """A percentile of nothing is no number, and would make the week's mean none: the band would be chance's alone.

    Noon's usual 4.75 s may become 7.6 s by the week's mean, 6.3 s by chance; one answer in twenty that takes a minute
    makes it 6.8 s.
    """
    noon, refused = range(at(10, 11), at(10, 14)), range(at(WEDNESDAY, 16), at(WEDNESDAY, 18))
    firing(traffic(usual(11), slow=noon, share=0.0517, refused=refused), {at(10, 13): set()})
    firing(traffic(usual(11), slow=noon, share=0.06, refused=refused), {at(10, 13): {LATENCY_ABOVE}})


def test_errors_fire_from_the_third_on(firing: Callable[..., None]) -> None:
    night = range(at(WEDNESDAY, 1), at(WEDNESDAY, 3))
    few = changed(usual(10), night.start, night.stop, plus=1)
    two = dict.fromkeys(night, 1)
    three = {step: 1 + step % 2 for step in night}
    firing(traffic(few, errors=two), {at(WEDNESDAY, 2.5): set()})
    firing(traffic(few, errors=three), {at(WEDNESDAY, 2.5): {ERRORS_ABOVE}})


def test_more_requests_that_count_ask_for_no_more_errors(firing: Callable[..., None]) -> None:
    """Noon's eighty requests are more than fifty, of which forty need not fail."""
    noon = range(at(WEDNESDAY, 12), at(WEDNESDAY, 14))
    errors = dict.fromkeys(noon, 20)
    firing(traffic(usual(10), errors=errors), {at(WEDNESDAY, 13): {ERRORS_ABOVE}}, minimumRequests=50)


def test_a_service_that_is_only_asked_asynchronously_is_watched(firing: Callable[..., None]) -> None:
    """On Wednesday it fails, on Thursday nobody comes, and on Friday there is a rush."""
    friday, hours = THURSDAY + 1, (12, 14)
    alone = changed(usual(12), *(at(THURSDAY, hour) for hour in hours), factor=0)
    requests = changed(alone, *(at(friday, hour) for hour in hours), factor=3)
    failing = {step: requests[step] / 4 for step in range(*(at(WEDNESDAY, hour) for hour in hours))}
    expected = {
        at(WEDNESDAY, 11.5): set(),
        at(WEDNESDAY, 13): {ERRORS_ABOVE},
        at(THURSDAY, 13): {REQUESTS_BELOW},
        at(friday, 13): {REQUESTS_ABOVE, COST_ABOVE},
    }
    firing(traffic(requests, errors=failing, prefer_async=True), expected)


@pytest.mark.parametrize("prefer_async", [pytest.param(False, id="waited-for"), pytest.param(True, id="asynchronous")])
def test_dearer_generations_fire(firing: Callable[..., None], *, prefer_async: bool) -> None:
    """The provider raises its price threefold: cost says so, while requests are as usual."""
    requests = usual(10)
    series = traffic(requests, prefer_async=prefer_async)
    dearer = changed((0.01 * count for count in requests), at(WEDNESDAY, 12), at(WEDNESDAY, 14), factor=3)
    series[-1] = _series(series[-1]["series"], dearer)
    firing(series, {at(WEDNESDAY, 13): {COST_ABOVE}})


def few(hour: float, *, five: bool) -> list[float]:
    """Make four requests in each half hour from then on, or five, where there were six in all weeks before."""
    start = at(WEDNESDAY, hour)
    return [
        2 + (step % 2 if five else 0) if start <= step < start + 8 else count for step, count in enumerate(usual(10))
    ]


@pytest.mark.parametrize(("five", "fires"), [(False, set()), (True, {REQUESTS_ABOVE})])
def test_requests_count_from_the_fifth_on(
    firing: Callable[..., None], fires: set[tuple[str, str]], *, five: bool
) -> None:
    """One request a day is usual, which leaves no band worth the name."""
    rare = [1.0 if step % STEPS_A_DAY == 48 else 0.0 for step in range(10 * STEPS_A_DAY)]
    night = range(at(WEDNESDAY, 1), at(WEDNESDAY, 3))
    burst = [2.0 + (step % 2 if five else 0) if step in night else count for step, count in enumerate(rare)]
    firing(traffic(burst, price=0), {at(WEDNESDAY, 2.5): fires})


@pytest.mark.parametrize(("five", "fires"), [(False, set()), (True, {LATENCY_ABOVE})])
def test_slow_answers_count_from_the_fifth_on(
    firing: Callable[..., None], fires: set[tuple[str, str]], *, five: bool
) -> None:
    slow = range(at(WEDNESDAY, 1), at(WEDNESDAY, 3))
    firing(traffic(few(1, five=five), slow=slow), {at(WEDNESDAY, 2.25): fires})


@pytest.mark.parametrize(("five", "fires"), [(False, set()), (True, {ERRORS_ABOVE})])
def test_errors_count_from_the_fifth_generation_on(
    firing: Callable[..., None], fires: set[tuple[str, str]], *, five: bool
) -> None:
    """All fail, so that of errors there are enough."""
    requests = few(1, five=five)
    errors = {step: requests[step] for step in range(at(WEDNESDAY, 1), at(WEDNESDAY, 3))}
    firing(traffic(requests, errors=errors), {at(WEDNESDAY, 2.25): fires})


@pytest.mark.parametrize(("five", "fires"), [(False, set()), (True, {COST_ABOVE})])
def test_cost_counts_from_the_fifth_request_on(
    firing: Callable[..., None], fires: set[tuple[str, str]], *, five: bool
) -> None:
    requests = few(1, five=five)
    series = traffic(requests)
    dearer = changed((0.01 * count for count in requests), at(WEDNESDAY, 1), at(WEDNESDAY, 3), factor=100)
    series[-1] = _series(series[-1]["series"], dearer)
    firing(series, {at(WEDNESDAY, 2.25): fires})


def test_every_anomaly_is_tried_at_its_boundary(built: Callable[..., dict[str, Any]]) -> None:
    """All by the tests of four and of five; of callers who stay away there are none to count."""
    marks = [mark for test in globals().values() for mark in getattr(test, "pytestmark", ())]
    cases = [case for mark in marks if mark.args[0] == ("five", "fires") for case in mark.args[1]]
    tried = {five: {anomaly for each, fires in cases if each == five for anomaly in fires} for five in (False, True)}
    rules = [rule for group in built()["groups"] for rule in group["rules"]]
    labels = [rule["labels"] for rule in rules if rule.get("alert") == "TextToImageAnomaly"]
    anomalies = {(each["signal"], each["direction"]) for each in labels}
    assert REQUESTS_BELOW in anomalies
    assert tried == {False: set(), True: anomalies - {REQUESTS_BELOW}}
