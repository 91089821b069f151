"""A minute's worth, taken one by one or several at once."""

from __future__ import annotations

from t2i_service.callers.buckets import Bucket


def test_several_are_taken_together_or_not_at_all() -> None:
    now = [0.0]
    bucket = Bucket(60, lambda: now[0])
    assert bucket.take(50) == 0
    assert bucket.take(20) == 10
    assert bucket.take(10) == 0
    now[0] += 9.5
    assert bucket.take(10) == 0.5
    now[0] += 0.5
    assert bucket.take(10) == 0


def test_what_is_put_back_can_be_taken_and_fills_no_bucket_beyond_its_brim() -> None:
    bucket = Bucket(2, lambda: 0.0)
    bucket.take()
    bucket.put_back()
    bucket.put_back()
    assert bucket.take(2) == 0
    assert bucket.take() == 30
