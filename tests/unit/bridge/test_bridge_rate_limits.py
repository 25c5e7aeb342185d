"""Token buckets in simulated time: what they let through, and that their tables are bounded."""

from __future__ import annotations

import pytest

from sealroom.bridge import BridgeConfig, BridgeError, RateLimits, RequestError
from sealroom.bridge.admission import Admission, ConnectionBudget
from sealroom.bridge.metrics import Metrics
from sealroom.bridge.rate_limits import COSTS, AddressBuckets, TokenBucket, address_group
from sealroom.protocol import METHODS, ErrorCode


def test_a_bucket_lets_its_burst_through_and_then_its_rate() -> None:
    bucket = TokenBucket(rate=10, burst=5, now=100.0)
    assert [bucket.take(1, 100.0) for _ in range(5)] == [0] * 5
    assert bucket.take(1, 100.0) == pytest.approx(0.1)
    passed = 0
    for millisecond in range(10_000):
        passed += bucket.take(1, 100.0 + millisecond / 1000) == 0
    assert passed == pytest.approx(100, abs=1)


def test_a_refused_request_costs_nothing_and_is_let_in_after_the_time_named() -> None:
    bucket = TokenBucket(rate=2, burst=10, now=0.0)
    assert bucket.take(10, 0.0) == 0
    wait = bucket.take(6, 0.0)
    assert wait == 3.0
    for _ in range(1000):
        assert bucket.take(6, 0.0) == wait
    assert bucket.take(6, 2.9) > 0
    assert bucket.take(6, wait) == 0


def test_a_bucket_never_holds_more_than_its_burst_nor_minds_a_clock_that_goes_back() -> None:
    bucket = TokenBucket(rate=1, burst=3, now=0.0)
    assert bucket.take(3, 1e9) == 0
    assert bucket.take(1, 1e9) == 1.0
    assert bucket.take(1, 5.0) == 1.0
    assert bucket.take(1, 1e9 + 1) == 0
    bucket.give_back(100)
    assert bucket.take(4, 1e9 + 1) == 1.0


def test_addresses_have_buckets_of_their_own_and_the_oldest_is_forgotten() -> None:
    table = AddressBuckets(rate=1, burst=1, capacity=100)
    for number in range(10_000):
        assert table.take(f"10.0.{number // 256}.{number % 256}", 0.0) == 0
        assert len(table) <= 100
    newest = f"10.0.{9999 // 256}.{9999 % 256}"
    assert table.take(newest, 0.0) == 1.0
    assert table.take("10.0.0.0", 0.0) == 0  # forgotten, so it starts afresh
    for number in range(99):
        table.take(newest, 0.0)  # seen again and again: it stays
        table.take(f"192.0.2.{number}", 0.0)
    assert table.take(newest, 0.5) == 0.5


@pytest.mark.parametrize(
    ("address", "group"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("unix:", "unix:"),
        ("x" * 1000, "x" * 64),
        ("", ""),
    ],
)
def test_a_host_cannot_change_its_group_by_choosing_addresses(address: str, group: str) -> None:
    assert address_group(address) == group


@pytest.mark.parametrize("name", RateLimits.__dataclass_fields__)
def test_figures_that_would_lock_everybody_out_are_refused(name: str) -> None:
    for wrong in (0, -1, float("nan")):
        with pytest.raises(BridgeError, match=name):
            RateLimits(**{name: wrong})


def test_a_burst_smaller_than_the_dearest_request_is_refused() -> None:
    with pytest.raises(BridgeError, match=r"request_burst is 19; give at least 20"):
        RateLimits(request_burst=max(COSTS.values()) - 1)
    assert set(COSTS) <= set(METHODS)


def test_the_defaults_let_a_hundred_people_of_one_address_come_at_once() -> None:
    """Each logs in, joins, publishes two streams and takes up those of all others at once."""
    now = 0.0
    admission = Admission(BridgeConfig().rate_limits, Metrics(), lambda: now)
    for _ in range(100):
        assert admission.admits("192.0.2.1")
        budget = admission.budget()
        for method in ("auth.challenge", "auth.login"):
            admission.begin_login("192.0.2.1")
            admission.login_succeeded("192.0.2.1")
            admission.require_request(budget, method, is_known=False)
        asked = ["room.history"] * 10 + ["room.join"] + ["stream.publish"] * 2
        asked += ["subscription.update", "media.answer"] * 200 + ["media.trickle"] * 40
        for method in asked:
            admission.require_request(budget, method, is_known=True)


def test_failed_log_ins_of_one_address_are_held_back_and_no_others() -> None:
    now = 0.0
    metrics = Metrics()
    limits = RateLimits(failed_logins=0.5, failed_login_burst=3)
    admission = Admission(limits, metrics, lambda: now)
    for _ in range(3):
        admission.begin_login("192.0.2.1")
    with pytest.raises(RequestError) as refused:
        admission.begin_login("192.0.2.1")
    assert (refused.value.error, refused.value.retry_after) == (ErrorCode.RATE_LIMITED, 2.0)
    admission.begin_login("192.0.2.2")
    now = 2.0
    admission.begin_login("192.0.2.1")
    assert b'sealroom_rate_limited_total{what="login"} 1.0' in metrics.render()


def test_who_succeeds_is_never_held_back() -> None:
    admission = Admission(RateLimits(failed_login_burst=1), Metrics(), lambda: 0.0)
    for _ in range(1000):
        admission.begin_login("192.0.2.1")
        admission.login_succeeded("192.0.2.1")


def test_the_larger_budget_begins_with_the_log_in_and_only_then() -> None:
    limits = RateLimits(anonymous_burst=20, request_burst=30, max_refused=3)
    budget = ConnectionBudget(limits, now=0.0)
    known = (False,) * 20 + (True,) * 30
    assert [budget.take(1, is_known=one, now=0.0) for one in known] == [0] * 50
    assert budget.take(1, is_known=True, now=0.0) > 0
    assert not budget.is_spent
    for _ in range(2):
        budget.take(1, is_known=True, now=0.0)
    assert budget.is_spent
    assert budget.take(1, is_known=True, now=1.0) == 0
    assert not budget.is_spent
