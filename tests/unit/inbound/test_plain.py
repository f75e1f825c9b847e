"""The providers that check a token or nothing."""

from datetime import UTC, datetime

import pytest

from relay.domain.inbound import Inbound, Reading, SignedOptions, moment
from relay.errors import BadSignature
from relay.inbound.bearer import Bearer
from relay.inbound.none import NoneOptions

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def bearer(secret: str = "correct horse") -> Bearer:
    """Return a provider with this token."""
    return Bearer(SignedOptions.model_validate({"name": "till", "verify": "bearer", "secret": secret}))


def request(**headers: str) -> Inbound:
    """Return a request with these headers, an underscore for a hyphen."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Inbound("POST", "https://relay.example/in/till", named, b"{}")


@pytest.mark.parametrize(
    "authorization",
    ["correct horse", "Basic correct horse", "Bearer", "Bearer ", "Bearercorrect horse", "Bearer Correct horse"],
)
def test_only_the_token_under_its_scheme_counts(authorization: str) -> None:
    """The token is compared whole, under the scheme `Bearer` alone."""
    with pytest.raises(BadSignature):
        bearer().verify(request(authorization=authorization), NOW)


@pytest.mark.parametrize(
    ("headers", "data", "expected"),
    [
        ({}, {"type": ""}, "till.received"),
        ({}, {"type": 7}, "till.received"),
        ({}, ["type"], "till.received"),
        ({}, {"type": "paid"}, "paid"),
        ({"x_event_type": ""}, {"type": "paid"}, "paid"),
        ({"x_event_type": "made"}, {"type": "paid"}, "made"),
    ],
)
def test_types_are_found_in_order(headers: dict[str, str], data: object, expected: str) -> None:
    """The header names the event, else the body does, else the source."""
    assert bearer().read(request(**headers), data) == Reading(type=expected)


def test_none_takes_no_secret() -> None:
    """Whoever writes a secret expects a check: with `none` it would be a false hope."""
    with pytest.raises(ValueError, match="leave the secret out"):
        NoneOptions.model_validate({"name": "open", "verify": "none", "secret": "s"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2022-07-13T20:30:59.037339943Z", datetime(2022, 7, 13, 20, 30, 59, 37339, UTC)),
        ("2022-07-13T22:30:59+02:00", datetime(2022, 7, 13, 20, 30, 59, 0, UTC)),
        ("2022-07-13T20:30:59", datetime(2022, 7, 13, 20, 30, 59, 0, UTC)),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
        (1657744259, None),
        (None, None),
    ],
)
def test_times_are_read_leniently(text: object, expected: datetime | None) -> None:
    """A time that cannot be read leaves the event with the time it came in."""
    assert moment(text) == expected
