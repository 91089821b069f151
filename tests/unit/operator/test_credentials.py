"""Checksums and keys, which no test on a cluster can tell from guessable ones."""

import base64
import hashlib
from typing import Any

import msgspec
from t2i_operator import spec
from t2i_operator.known import credentials, references
from t2i_operator.reconciling import signing

IN_PLACE = {"secretRef": {"name": "tokens"}}


def resource(**fields: Any) -> spec.TextToImageService:
    models = [{"name": "sdxl", "provider": "Replicate", "version": "a" * 64}]
    body = {"metadata": {"name": "a", "namespace": "n"}, "spec": {"models": models, "credentials": IN_PLACE, **fields}}
    return spec.parse(body)


def encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def test_a_checksum_follows_the_values_and_only_those_that_are_used() -> None:
    one = {"tokens": {"REPLICATE_API_TOKEN": encoded("1")}}
    before = credentials.checksum(resource(), one, b"key")
    assert credentials.checksum(resource(), {"tokens": {**one["tokens"], "UNUSED": "eA=="}}, b"key") == before
    assert credentials.checksum(resource(), {"tokens": {"REPLICATE_API_TOKEN": encoded("2")}}, b"key") != before
    assert credentials.checksum(resource(), {"tokens": None}, b"key") == ""


def test_a_checksum_cannot_be_tried_out_without_the_key() -> None:
    values = {"tokens": {"REPLICATE_API_TOKEN": encoded("guess")}}
    found = credentials.checksum(resource(), values, b"key")
    assert found != credentials.checksum(resource(), values, b"another key")
    plain = (b"guess", encoded("guess").encode(), b'{"REPLICATE_API_TOKEN":"%s"}' % encoded("guess").encode())
    assert not {hashlib.sha256(text).hexdigest()[: len(found)] for text in plain} & {found}


def test_disabled_langtrace_needs_no_key() -> None:
    off = {"langtrace": {"mode": "Disabled"}}
    assert [need.variable for need in credentials.needs(resource(monitoring=off))] == ["REPLICATE_API_TOKEN"]


def test_demanded_langtrace_names_its_key() -> None:
    demanded = resource(monitoring={"langtrace": {"mode": "Enabled"}})
    problem = credentials.problem(demanded, {"tokens": {"REPLICATE_API_TOKEN": encoded("1")}})
    assert problem is not None
    assert problem.reason == "KeyMissing"
    assert "LANGTRACE_API_KEY" in problem.message


def test_callers_keys_are_watched_over_too() -> None:
    guarded = resource(
        credentials=None, models=[{"name": "s", "provider": "Sandbox"}], access={"apiKeysSecretRef": {"name": "c"}}
    )
    assert credentials.secret_names(guarded) == ["c"]
    missing, empty = credentials.problem(guarded, {"c": None}), credentials.problem(guarded, {"c": {}})
    assert missing is not None
    assert empty is not None
    assert (missing.reason, empty.reason) == ("SecretMissing", "KeyMissing")
    assert credentials.problem(guarded, {"c": {"alice": encoded("k")}}) is None


def test_keys_are_made_once_and_each_time_others() -> None:
    made = signing.complete({})
    assert signing.complete(made) == made
    key, other = signing.primary_key(made), signing.primary_key(signing.complete({}))
    assert key is not None
    assert other is not None
    assert (len(key), len(other)) == (32, 32)
    assert key != other


def test_what_people_add_to_the_keys_cannot_be_guessed_from_their_checksum() -> None:
    one = {**signing.complete({}), "mine": encoded("guess")}
    other = {**one, "mine": encoded("another")}
    assert signing.checksum(one) == signing.checksum(dict(reversed(one.items())))
    assert signing.checksum(one) != signing.checksum(other)
    plain = msgspec.json.encode(one, order="sorted")
    assert signing.checksum(one) not in (
        hashlib.sha256(plain).hexdigest()[:16],
        hashlib.sha256(b"keys" + plain).hexdigest()[:16],
    )


def test_the_newline_that_base64_prints_is_no_part_of_a_key() -> None:
    printed = {"mine": encoded(f"{base64.b64encode(b'k' * 32).decode()}\n"), "primary": encoded("mine\n")}
    assert signing.complete(printed) == printed


def test_a_rotated_key_is_kept_and_a_broken_one_replaced_beside_it() -> None:
    made = signing.complete({})
    rotated = {**made, "mine": encoded(base64.b64encode(b"k" * 32).decode()), "primary": encoded("mine")}
    assert signing.complete(rotated) == rotated
    for broken in ("nowhere", "primary"):
        mended = signing.complete({**rotated, "primary": encoded(broken)})
        assert signing.primary_key(mended) not in (None, b"k" * 32)
        assert mended["mine"] == rotated["mine"]


def test_headers_of_spans_are_watched_over_and_roll_the_pods() -> None:
    tracing = {"mode": "External", "endpoint": "https://o:4317", "headersSecretRef": {"name": "h"}}
    sent = resource(monitoring={"tracing": tracing})
    assert references.sources(sent) == ["h", "tokens"]
    one, other = ({"tokens": None, "h": {"api-key": encoded(value)}} for value in ("1", "2"))
    assert credentials.header_names(sent, one) == ("api-key",)
    assert credentials.checksum(sent, one, b"key") not in ("", credentials.checksum(sent, other, b"key"))


def test_more_headers_than_anybody_sends_become_no_variables_and_roll_nothing() -> None:
    tracing = {"mode": "External", "endpoint": "https://o:4317", "headersSecretRef": {"name": "h"}}
    sent = resource(monitoring={"tracing": tracing})
    headers = {f"x-{number}": "" for number in range(65)}
    many, none = {"tokens": None, "h": headers}, {"tokens": None, "h": None}
    assert credentials.header_names(sent, many) == ()
    assert credentials.checksum(sent, many, b"key") == credentials.checksum(sent, none, b"key")
    del headers["x-0"]
    assert len(credentials.header_names(sent, many)) == 64
    assert credentials.checksum(sent, many, b"key") != credentials.checksum(sent, none, b"key")


BOTH = {"langtrace": {"mode": "Enabled"}}
COMPOSED = {
    "replicateApiToken": {"secretKeyRef": {"name": "tokens", "key": "r"}},
    "langtraceApiKey": {"secretKeyRef": {"name": "tokens", "key": "l"}},
}


def in_place(**values: str) -> dict[str, dict[str, str] | None]:
    return {
        "tokens": {f"{name}_API_{'TOKEN' if name == 'REPLICATE' else 'KEY'}": encoded(values[name]) for name in values}
    }


def composed(**values: str) -> dict[str, dict[str, str] | None]:
    return {"tokens": {name: encoded(value) for name, value in values.items()}}


def test_beside_a_missing_value_a_change_of_another_rolls_the_pods() -> None:
    wanted = resource(credentials=COMPOSED, monitoring=BOTH)
    running = credentials.checksum(wanted, composed(r="1", l="1"), b"key")
    gone = credentials.checksum(wanted, composed(r="1"), b"key", running)
    assert gone == running, "what is missing rolls nothing"
    changed = credentials.checksum(wanted, composed(r="2"), b"key", gone)
    assert changed not in (running, "")
    assert credentials.checksum(wanted, composed(r="2", l="1"), b"key") == changed, "<name>-secrets had it meanwhile"


def test_in_place_what_is_missing_has_to_be_rolled_out_again_if_pods_were_rolled_without_it() -> None:
    wanted = resource(monitoring=BOTH)
    running = credentials.checksum(wanted, in_place(REPLICATE="1", LANGTRACE="1"), b"key")
    assert credentials.checksum(wanted, in_place(REPLICATE="1"), b"key", running) == running
    without = credentials.checksum(wanted, in_place(REPLICATE="2"), b"key", running)
    assert without != running
    back = credentials.checksum(wanted, in_place(REPLICATE="2", LANGTRACE="1"), b"key")
    assert back != without


def test_pods_that_could_not_serve_are_not_made() -> None:
    wanted = resource(monitoring=BOTH)
    running = credentials.checksum(wanted, in_place(REPLICATE="1", LANGTRACE="1"), b"key")
    assert credentials.checksum(wanted, in_place(LANGTRACE="2"), b"key", running) == running
    assert credentials.checksum(wanted, {"tokens": None}, b"key", running) == running

    guarded = resource(credentials=COMPOSED, monitoring=BOTH, access={"apiKeysSecretRef": {"name": "c"}})
    all_there = {**composed(r="1", l="1"), "c": {"alice": encoded("k")}}
    running = credentials.checksum(guarded, all_there, b"key")
    unmounted = {**composed(r="2", l="1"), "c": None}
    assert credentials.checksum(guarded, unmounted, b"key", running) == running, "callers' keys could not be mounted"


def test_the_checksum_of_an_older_operator_is_taken_for_none() -> None:
    found = credentials.checksum(resource(), in_place(REPLICATE="1"), b"key", "0123456789abcdef")
    assert found == credentials.checksum(resource(), in_place(REPLICATE="1"), b"key")
