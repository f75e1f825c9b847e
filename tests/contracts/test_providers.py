"""What every provider promises, held against its folder of fixtures in `tests/fixtures/inbound`.

A fixture is a genuine request: `options` beside name and verify, the `request`, the time it came `at`, and the
`reading` expected of it (or the `handshake` it is answered with). `signature` names the header that proves it, `signed`
what else (headers, `url`) the proof covers, `tolerance` the seconds a clock may be off where the time is signed.
`unsigned_body` says that the proof covers no body; `members` are those of a JSON body that hold the proof and what it
covers. `other_secret` is one of the right shape that did not sign. `documents` are those the provider needs, by
address; `other_documents` hold keys that did not sign. `greeting` is the answer to a request that nobody signs.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.domain.event import decode
from relay.domain.inbound import Inbound, Provider, Reading
from relay.errors import BadSignature, Unreadable
from relay.plugins import discover
from relay.secrets import REVEAL

FIXTURES = Path(__file__).parents[1] / "fixtures" / "inbound"
PROVIDERS = discover().providers


@dataclass(frozen=True)
class Case:
    """One fixture: a genuine request, and what is expected of it."""

    kind: str
    name: str
    spec: Mapping[str, Any]

    @property
    def request(self) -> Inbound:
        """The genuine request."""
        sent = self.spec["request"]
        documents = {url: text.encode() for url, text in self.spec.get("documents", {}).items()}
        return Inbound(sent["method"], sent["url"], sent["headers"], sent["body"].encode(), documents)

    @property
    def at(self) -> datetime:
        """When it came."""
        return datetime.fromisoformat(self.spec["at"])

    @property
    def proven(self) -> str | None:
        """The header that proves the request; `None` where nothing does."""
        return self.spec.get("signature")

    @property
    def secret(self) -> str:
        """What the sender signed with."""
        return str(self.spec["options"]["secret"])

    @property
    def other_secret(self) -> str:
        """A secret the sender did not sign with."""
        return str(self.spec.get("other_secret", "another secret"))

    def provider(self, secret: str | list[str] | None = None) -> Provider:
        """Return the provider under the fixture's options, with another `secret` if one is given."""
        chosen = PROVIDERS[self.kind]
        fields = {"name": "sender", "verify": self.kind, **self.spec["options"]}
        if secret is not None:
            fields["secret"] = secret
        return chosen(chosen.Options.model_validate(fields))

    def altered(self, header: str, value: str) -> Inbound:
        """Return the request with one header (or the `url`) set to something else."""
        if header == "url":
            return replace(self.request, url=value)
        return replace(self.request, headers={**self.request.headers, header: value})


CASES = [
    Case(path.parent.name, path.stem, json.loads(path.read_text(encoding="utf-8")))
    for path in sorted(FIXTURES.glob("*/*.json"))
]
SIGNED = [case for case in CASES if case.proven or "members" in case.spec]
SECRET = [case for case in SIGNED if "secret" in case.spec["options"]]
FETCHING = [case for case in CASES if "documents" in case.spec]
TIMED = [case for case in CASES if "tolerance" in case.spec]


def each(cases: list[Case]) -> Any:
    """Run a test once for every case."""
    return pytest.mark.parametrize("case", cases, ids=[f"{case.kind}-{case.name}" for case in cases])


def verifies(provider: Provider, request: Inbound, now: datetime) -> bool:
    """Say whether the provider takes the request for genuine."""
    try:
        need = provider.needs(request)
        provider.verify(request, now)
    except BadSignature:
        return False
    return need is None or need.url in request.documents


def flips(text: str) -> Iterator[str]:
    """Yield the text with one bit of one character turned, for each character."""
    for index, character in enumerate(text):
        yield text[:index] + chr(ord(character) ^ 1) + text[index + 1 :]


def forgeries(case: Case) -> Iterator[tuple[str, Inbound]]:
    """Yield requests that nobody with the secret has sent, each with what was done to it."""
    genuine = case.request
    if "members" in case.spec:
        yield from _altered_members(case)
        return
    covered = [str(case.proven), *case.spec.get("signed", [])]
    for name in covered:
        value = genuine.url if name == "url" else genuine.headers[name]
        for number, flipped in enumerate(flips(value)):
            yield f"{name} flipped at {number}", case.altered(name, flipped)
    for name in covered:
        if name != "url":
            value = genuine.headers[name]
            yield f"{name} empty", case.altered(name, "")
            yield f"{name} sent twice", case.altered(name, f"{value}, {value}")
            yield f"{name} not ASCII", case.altered(name, value + "é")
            yield f"{name} cut", case.altered(name, value[:-1])
            absent = {key: value for key, value in genuine.headers.items() if key != name}
            yield f"{name} absent", replace(genuine, headers=absent)
    if not case.spec.get("unsigned_body"):
        for index in range(len(genuine.body)):
            body = bytearray(genuine.body)
            body[index] ^= 1
            yield f"body flipped at {index}", replace(genuine, body=bytes(body))
        yield "body longer", replace(genuine, body=genuine.body + b" ")
        yield "body gone", replace(genuine, body=b"")


def _altered_members(case: Case) -> Iterator[tuple[str, Inbound]]:
    document = json.loads(case.request.body)
    for name in case.spec["members"]:
        for number, flipped in enumerate(flips(document[name])):
            body = json.dumps({**document, name: flipped}).encode()
            yield f"{name} flipped at {number}", replace(case.request, body=body)
        for what, changed in (
            ("empty", ""),
            ("cut", document[name][:-1]),
            ("a list", [document[name]]),
            ("null", None),
        ):
            yield f"{name} {what}", replace(case.request, body=json.dumps({**document, name: changed}).encode())
    yield "body gone", replace(case.request, body=b"")


def test_every_provider_has_fixtures() -> None:
    """Each provider has a folder of genuine requests, and no folder is without its provider."""
    assert {case.kind for case in CASES} == set(PROVIDERS)


@pytest.mark.parametrize("kind", sorted(PROVIDERS))
def test_a_provider_is_one_documented_file(kind: str) -> None:
    """A provider lies in the file of its name, and its docstring can be a page of the documentation."""
    provider = PROVIDERS[kind]
    assert import_module(f"relay.inbound.{kind}").PROVIDER is provider
    assert len((provider.__doc__ or "").splitlines()) > 1


@each([case for case in CASES if "greeting" not in case.spec])
def test_genuine_requests_are_read(case: Case) -> None:
    """What a sender signed is accepted, and means what the fixture says."""
    provider, request = case.provider(), case.request
    assert verifies(provider, request, case.at)
    assert provider.greet(replace(request, body=b"", headers={})) is None
    answer = provider.handshake(request)
    if "handshake" in case.spec:
        assert answer is not None
        expected = {"visit": None, **case.spec["handshake"]}
        assert {"status": answer.status, "body": answer.body.decode(), "visit": answer.visit} == expected
        return
    assert answer is None
    readings = provider.readings(request, decode(request.content_type, request.body))
    assert list(readings) == [_expected(reading) for reading in case.spec.get("readings", [case.spec.get("reading")])]


def _expected(written: Mapping[str, Any]) -> Reading:
    expected = dict(written)
    if "occurred_at" in expected:
        expected["occurred_at"] = datetime.fromisoformat(expected["occurred_at"])
    if "body" in expected:
        expected["body"] = expected["body"].encode()
    return Reading(**expected)


@each([case for case in CASES if "greeting" in case.spec])
def test_greetings_are_answered(case: Case) -> None:
    """A sender that asks whether it may send hears what it has to hear, and a request without a signature no more."""
    answer = case.provider().greet(case.request)
    assert answer is not None
    assert {"status": answer.status, "body": answer.body.decode(), "headers": answer.headers} == case.spec["greeting"]
    assert not verifies(case.provider(), case.request, case.at)


@each(FETCHING)
def test_only_published_keys_sign(case: Case) -> None:
    """Other keys at the same address verify nothing; neither do none, nor what is no key."""
    url = next(iter(case.spec["documents"]))
    for content in (case.spec["other_documents"][url], "", "{}", '{"keys": [{}]}', "[]", "-----BEGIN CERTIFICATE-----"):
        request = replace(case.request, documents={url: content.encode()})
        assert not verifies(case.provider(), request, case.at)
    need = case.provider().needs(case.request)
    assert need is not None
    assert (need.url, need.holds in case.spec["documents"][url]) == (url, True)


@each(SIGNED)
def test_forgeries_are_refused(case: Case) -> None:
    """One bit of the body, the signature or anything else it covers: whoever changes it is found out."""
    provider = case.provider()
    assert [what for what, request in forgeries(case) if verifies(provider, request, case.at)] == []


@each(SECRET)
def test_only_the_secret_signs(case: Case) -> None:
    """Another secret verifies nothing; during rotation either of two does, in any order."""
    assert not verifies(case.provider(case.other_secret), case.request, case.at)
    assert verifies(case.provider([case.secret, case.other_secret]), case.request, case.at)
    assert verifies(case.provider([case.other_secret, case.secret]), case.request, case.at)


@each(TIMED)
def test_time_is_bounded_both_ways(case: Case) -> None:
    """What was recorded long ago is refused, and so is what claims to come from the future."""
    provider, tolerance = case.provider(), timedelta(seconds=case.spec["tolerance"])
    signed_at = _signed_at(provider, case)
    for late in (tolerance, -tolerance):
        assert verifies(provider, case.request, signed_at + late)
        assert not verifies(provider, case.request, signed_at + late * 1.01)


def _signed_at(provider: Provider, case: Case) -> datetime:
    """Return the middle of the times at which the request is taken: fixtures come within a second or two of it."""
    span = range(-case.spec["tolerance"] - 60, case.spec["tolerance"] + 60)
    taken = [second for second in span if verifies(provider, case.request, case.at + timedelta(seconds=second))]
    return case.at + timedelta(seconds=(taken[0] + taken[-1]) // 2)


@each(CASES)
def test_options_survive_storage(case: Case) -> None:
    """Options written down with their secrets come back the same; written without, they show none."""
    fields = {"name": "sender", "verify": case.kind, **case.spec["options"]}
    options = PROVIDERS[case.kind].Options.model_validate(fields)
    stored = options.model_dump_json(context=REVEAL, exclude_defaults=True)
    assert type(options).model_validate_json(stored) == options
    if "secret" in case.spec["options"]:
        assert set(options.model_dump(mode="json")["secret"]) == {"**********"}
        assert case.secret not in repr(options.secret)


@pytest.mark.parametrize("kind", sorted({case.kind for case in SECRET} - {"cloudevents"}))
@pytest.mark.parametrize("secret", [None, "", [], [""]])
def test_no_secret_no_source(kind: str, secret: Any) -> None:
    """A provider that checks a secret cannot be configured without one, or with an empty one."""
    options = next(case.spec["options"] for case in SECRET if case.kind == kind)
    others = {name: value for name, value in options.items() if name != "secret"}
    fields = {"name": "sender", "verify": kind} | others | ({} if secret is None else {"secret": secret})
    with pytest.raises(ValueError, match="secret"):
        PROVIDERS[kind].Options.model_validate(fields)


HEADER = st.text(st.characters(max_codepoint=255), max_size=300)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)


@each(CASES)
@FUZZ
@given(data=st.data())
def test_odd_headers_are_only_refused(case: Case, data: st.DataObject) -> None:
    """Whatever a stranger writes into the headers, the answer is that the signature is bad, and nothing worse."""
    headers = {name: data.draw(st.just(value) | HEADER) for name, value in case.request.headers.items()}
    verifies(case.provider(), replace(case.request, headers=headers, body=data.draw(st.binary(max_size=60))), case.at)


@each([case for case in CASES if "reading" in case.spec or "readings" in case.spec])
@FUZZ
@given(data=st.data())
def test_odd_contents_are_only_unreadable(case: Case, data: st.DataObject) -> None:
    """Whatever a genuine sender means by its values, they can be stored or are said to be unreadable."""
    genuine = case.request
    shuffled = odd_members(decode(genuine.content_type, genuine.body), data)
    named = {
        name: value if name == case.proven else data.draw(st.just(value) | HEADER)
        for name, value in genuine.headers.items()
    }
    request = replace(genuine, headers=named, body=_encoded(case, shuffled))
    try:
        reading = case.provider().read(request, shuffled)
    except Unreadable:
        return
    for text, limit in ((reading.type, 256), (reading.dedupe or "-", 256), (reading.subject or "-", 512)):
        assert 0 < len(text) <= limit
        assert text.isprintable()
        text.encode()
    assert reading.occurred_at is None or reading.occurred_at.astimezone(UTC).utcoffset() == timedelta(0)


def _encoded(case: Case, value: Any) -> bytes:
    """Return the body that the odd values make, for providers that look at it once more."""
    return json.dumps(value).encode() if case.kind in ("sns", "cloudevents") else case.request.body


def odd_members(value: Any, data: st.DataObject) -> Any:
    """Return the JSON value with some of its parts replaced by anything at all."""
    if data.draw(st.integers(0, 5)) == 0:
        return data.draw(JSON)
    if isinstance(value, dict):
        return {name: odd_members(inner, data) for name, inner in value.items()}
    if isinstance(value, list):
        return [odd_members(inner, data) for inner in value]
    return value
