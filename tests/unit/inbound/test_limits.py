"""Bounds on what comes in: rates, packed bodies, depth, numbers and alphabets."""

import gzip
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.event import decode, parse_json
from relay.domain.inbound import require_shallow
from relay.domain.packing import unpack
from relay.domain.rate import Gcra
from relay.errors import TooLarge, Unreadable, Unsupported

FORM = "application/x-www-form-urlencoded"


def test_a_second_may_come_at_once() -> None:
    """Of five a second, five may come together; the sixth hears how long it has to wait, and may then come."""
    gcra = Gcra(5)
    assert [gcra.wait(100.0) for _ in range(5)] == [0.0] * 5
    assert gcra.wait(100.0) == pytest.approx(0.2)
    assert gcra.wait(100.0) == pytest.approx(0.2)
    assert gcra.wait(100.2) == 0.0
    assert gcra.wait(100.2) == pytest.approx(0.2)


def test_rare_ones_come_one_by_one() -> None:
    """Of one a minute, the second waits a minute."""
    gcra = Gcra(1 / 60)
    assert gcra.wait(0.0) == 0.0
    assert gcra.wait(15.0) == pytest.approx(45.0)
    assert gcra.wait(60.0) == 0.0


@given(st.lists(st.floats(0, 3), max_size=60), st.sampled_from([0.5, 1, 3, 10]))
def test_the_rate_holds(gaps: list[float], rate: float) -> None:
    """In no stretch of time pass more than the rate allows, and what comes within a second."""
    gcra, now, passed = Gcra(rate), 0.0, []
    for gap in gaps:
        now += gap
        if gcra.wait(now) == 0.0:
            passed.append(now)
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            allowed = (passed[last] - passed[first]) * rate + max(1.0, rate)
            assert last - first + 1 <= allowed + 1e-6


def test_bodies_are_unpacked_within_their_bound() -> None:
    """Gzip is unpacked to the very byte that is allowed; a small body that becomes a large one is refused."""
    packed = gzip.compress(b"x" * 1000)
    assert unpack("gzip", packed, 1000) == b"x" * 1000
    assert unpack(" GZIP ", packed + gzip.compress(b"y"), 1001) == b"x" * 1000 + b"y"
    assert unpack("identity", packed, 1) == packed
    with pytest.raises(TooLarge):
        unpack("gzip", packed, 999)
    with pytest.raises(TooLarge):
        unpack("gzip", gzip.compress(bytes(1 << 28), 9), 1 << 20)


@pytest.mark.parametrize(
    "packed",
    [
        b"{}",
        b"\x1f\x8b",
        gzip.compress(b"x" * 99)[:-9],
        gzip.compress(b"x")[:-1] + b"\1",
        gzip.compress(b"x") + b"y",
    ],
)
def test_what_is_not_gzip_is_unreadable(packed: bytes) -> None:
    """A body that is cut, wrong or longer than its gzip says is refused."""
    with pytest.raises(Unreadable):
        unpack("gzip", packed, 1000)


@given(st.binary(max_size=200))
def test_any_bytes_are_unpacked_or_refused(body: bytes) -> None:
    """Whatever is said to be gzip, there are three answers and no accident."""
    for candidate in (body, b"\x1f\x8b\x08" + body, gzip.compress(b"x" * 500) + body):
        try:
            assert len(unpack("gzip", candidate, 600)) <= 600
        except (Unreadable, TooLarge):
            continue


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "zstd", "\x00"])
def test_other_packings_are_not_read(encoding: str) -> None:
    """What is packed otherwise is told so."""
    with pytest.raises(Unsupported):
        unpack(encoding, zlib.compress(b"{}"), 100)


def test_depth_is_bounded() -> None:
    """64 levels are read, 65 are not; brackets inside text are no levels, and neither are many beside one another."""
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        for depth, readable in ((64, True), (65, False), (900, False)):
            body = (opening * depth + "1" + closing * depth).encode()
            if readable:
                require_shallow(json.loads(body), body)
            else:
                with pytest.raises(Unreadable, match="deep"):
                    require_shallow(json.loads(body), body)
    flat = json.dumps([["[" * 99]] * 99).encode()
    require_shallow(json.loads(flat), flat)


@pytest.mark.parametrize(
    "body",
    [
        *(b"NaN", b"Infinity", b"[-Infinity]", b"1e400", b"-1e999999", b"1" * 5000, b"[" * 100_000, b"{", b"", b"\xff"),
        *(b'"\x01"', b"'a'", b"{a: 1}", b"[1,]", b"01", b"\xed\xa0\x80", b'{"a":1}{"b":2}', b"\x00"),
    ],
)
def test_what_is_not_json_is_unreadable(body: bytes) -> None:
    """What JSON does not have, or nobody can hold, is refused in words that do not repeat the body."""
    with pytest.raises(Unreadable) as error:
        parse_json(body)
    assert len(str(error.value)) < 120


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"123456789012345678901234567890", 123456789012345678901234567890),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b"1e308", 1e308),
        (b"1e-999", 0.0),
        ("\ufeff[]".encode(), []),
        ("[1]".encode("utf-16"), [1]),
        (b'"\\ud800"', "\ud800"),
    ],
)
def test_odd_json_is_read(body: bytes, value: object) -> None:
    """Whole numbers keep their digits; of a name that comes twice the last counts."""
    assert parse_json(body) == value


@pytest.mark.parametrize(
    ("content_type", "body", "value"),
    [
        ("text/plain", "é".encode(), "é"),
        ("text/plain; charset=ISO-8859-1", b"\xe9", "é"),
        ('text/plain; format=flowed; charset="windows-1252"', b"\x80", "€"),
        ("text/plain; charset=utf-16", "é".encode("utf-16"), "é"),
        ("text/plain; charset=Shift_JIS", "日本".encode("shift_jis"), "日本"),
        (f"{FORM}; charset=iso-8859-1", b"name=%E9&name=\xe8", {"name": ["é", "è"]}),
        (FORM, b"a=%C3%A9&b=", {"a": "é", "b": ""}),
        ("application/json; charset=iso-8859-1", '"é"'.encode(), "é"),
    ],
)
def test_text_is_read_in_its_alphabet(content_type: str, body: bytes, value: object) -> None:
    """Text and forms are what their charset says; JSON is Unicode whatever it says."""
    assert decode(content_type, body) == value


@pytest.mark.parametrize(
    "charset", ["zip", "rot13", "unicode_escape", "idna", "punycode", "undefined", "../x", "", "iso-8859-99", "utf-7"]
)
def test_programs_are_no_alphabets(charset: str) -> None:
    """A charset that is unknown, or that Python would run a program for, is refused."""
    with pytest.raises(Unreadable):
        decode(f"text/plain; charset={charset}", b"abc")
    with pytest.raises(Unreadable):
        decode(f"{FORM}; charset={charset}", b"a=b")


def test_text_that_is_not_is_unreadable() -> None:
    """Bytes that are no text in their charset are refused."""
    for content_type in ("text/plain", FORM, "text/plain; charset=us-ascii"):
        with pytest.raises(Unreadable):
            decode(content_type, b"\xff")
