"""When a circuit opens, how long it stays open, and when a target is given up."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from relay.domain.health import AT_LEAST, GIVE_UP, IN_A_ROW, OPEN_FIRST, OPEN_MOST, SHARE, WINDOW, Health

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WELL = Health(window_began=NOW)


def failing(times: int) -> Health:
    """A target that failed so often in a row."""
    return WELL.after([False] * times, NOW)


def probed(health: Health, success: bool, now: datetime) -> Health:
    """The health after a probe."""
    fields = {name: getattr(health, name) for name in Health.__dataclass_fields__}
    return Health(**fields | {"probing": True}).after([success], now)


def test_ten_failures_in_a_row_open_the_circuit() -> None:
    """Nine leave it closed; the tenth opens it for the first, short wait."""
    assert not failing(IN_A_ROW - 1).is_open
    assert failing(IN_A_ROW).open_until == NOW + OPEN_FIRST


def test_a_share_of_failures_opens_the_circuit() -> None:
    """Seven of ten within the window are enough, six are not; before ten tries no share is one."""
    bad = round(AT_LEAST * SHARE)
    good = AT_LEAST - bad
    assert WELL.after([True] * good + [False] * bad, NOW).is_open
    assert not WELL.after([True] * (good + 1) + [False] * (bad - 1), NOW).is_open
    assert not WELL.after([False] * (AT_LEAST - 1), NOW).is_open


def test_failures_are_forgotten_after_the_window() -> None:
    """What was before the window adds nothing to the share."""
    sick = WELL.after([False] * 5 + [True] * 3, NOW)
    later = sick.after([False] * 6, NOW + WINDOW + timedelta(seconds=1))
    assert (later.tried, later.failed, later.is_open) == (6, 6, False)


def test_what_left_before_it_opened_tells_nothing_new() -> None:
    """Failures of requests that were under way neither lengthen the wait nor count as probes."""
    assert failing(IN_A_ROW + 20) == failing(IN_A_ROW)


def test_each_failed_probe_doubles_the_wait() -> None:
    """The waits grow to a limit and stay there."""
    health, waits = failing(IN_A_ROW), []
    for number in range(10):
        now = NOW + timedelta(hours=number)
        health = probed(health, success=False, now=now)
        assert health.open_until is not None
        waits.append(health.open_until - now)
    assert waits[:3] == [OPEN_FIRST * 2, OPEN_FIRST * 4, OPEN_FIRST * 8]
    assert waits[-1] == OPEN_MOST


def test_a_probe_that_comes_through_closes_the_circuit() -> None:
    """The past is forgotten: one failure after it does not open the circuit again."""
    closed = probed(failing(IN_A_ROW), success=True, now=NOW)
    assert closed.is_well(NOW)
    assert not closed.after([False], NOW).is_open


def test_a_target_is_given_up_only_without_any_success() -> None:
    """Five days are counted from the first failure since the last success."""
    sick = failing(3)
    assert sick.after([False], NOW + GIVE_UP).has_failed_for(NOW + GIVE_UP) == GIVE_UP
    assert sick.after([True, False], NOW + GIVE_UP).has_failed_for(NOW + GIVE_UP) == timedelta()


@given(st.lists(st.lists(st.booleans(), max_size=12), max_size=30))
def test_success_always_leads_back_to_health(groups: list[list[bool]]) -> None:
    """Whatever happened, a success closes the circuit, and a window later nothing is remembered."""
    health, now = WELL, NOW
    for group in groups:
        now += timedelta(seconds=20)
        health = health.after(group, now)
        assert health.failed <= health.tried
        assert health.is_open or health.in_a_row < IN_A_ROW
    health = health.after([True], now)
    assert not health.is_open
    assert health.is_well(now + WINDOW + timedelta(seconds=1))
