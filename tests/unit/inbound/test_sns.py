"""Amazon SNS: where certificates come from, and whose topics count."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from relay.domain.inbound import Inbound
from relay.errors import BadSignature
from relay.inbound.sns import CONFIRMATION, Sns

FIXTURE = json.loads((Path(__file__).parents[2] / "fixtures" / "inbound" / "sns" / "notification.json").read_text())
NAME = "SimpleNotificationService-9c6465fa7f48f5cacd23014631ec1136.pem"


def provider(topics: Any = FIXTURE["options"]["topics"]) -> Sns:
    """Return a provider of these topics."""
    return Sns(Sns.Options.model_validate({"name": "sns", "verify": "sns", "topics": topics}))


def request(**members: Any) -> Inbound:
    """Return the genuine request with some members set otherwise."""
    body = json.dumps(json.loads(FIXTURE["request"]["body"]) | members).encode()
    documents = {url: text.encode() for url, text in FIXTURE["documents"].items()}
    return Inbound("POST", "https://relay.example/in/sns", {}, body, documents)


@pytest.mark.parametrize(
    "url",
    [
        f"http://sns.eu-west-1.amazonaws.com/{NAME}",
        f"https://sns.eu-west-1.amazonaws.com.example.com/{NAME}",
        f"https://example.com/sns.eu-west-1.amazonaws.com/{NAME}",
        f"https://sns.eu-west-1.amazonaws.com@example.com/{NAME}",
        f"https://sns.eu-west-1.amazonaws.com:8443/{NAME}",
        f"https://sns.eu-west-1.amazonaws.com/../{NAME}",
        f"https://sns.eu-west-1.amazonaws.com/{NAME}?x",
        f"https://sns.eu-west-1.amazonaws.com/{NAME}\n",
        f"https://s3.eu-west-1.amazonaws.com/{NAME}",
        f"https://sns.amazonaws.com/{NAME}",
        f"https://my-bucket.sns.eu-west-1.amazonaws.com/{NAME}",
        "file:///etc/passwd",
        "",
    ],
)
def test_certificates_are_amazons(url: str) -> None:
    """Nothing but a certificate at Amazon's own host is ever asked for."""
    with pytest.raises(BadSignature):
        provider().needs(request(SigningCertURL=url))


@pytest.mark.parametrize(
    "url",
    ["https://sns.us-gov-west-1.amazonaws.com/", "https://sns.cn-north-1.amazonaws.com.cn/"],
)
def test_regions_of_all_kinds_are_known(url: str) -> None:
    """Amazon's regions have names of several parts, and in China a host of another ending."""
    need = provider().needs(request(SigningCertURL=url + NAME))
    assert need.url == url + NAME


@pytest.mark.parametrize(
    "url",
    [
        "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=1#x",
        "https://example.com/?Action=ConfirmSubscription",
        "https://sns.eu-west-1.amazonaws.com/x?Action=ConfirmSubscription",
        "https://sns.eu-west-1.amazonaws.com/?a\r\nb",
    ],
)
def test_confirmations_stay_at_amazon(url: str) -> None:
    """A subscription is confirmed at Amazon's own host alone."""
    assert CONFIRMATION.fullmatch("https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=1")
    assert not CONFIRMATION.fullmatch(url)


def test_other_peoples_topics_are_not_ours() -> None:
    """Amazon signs everybody's messages alike: those of topics that were not named are forgeries here."""
    at = datetime.fromisoformat(FIXTURE["at"])
    provider([FIXTURE["options"]["topics"], "arn:aws:sns:eu-west-1:123456789012:more"]).verify(request(), at)
    with pytest.raises(BadSignature, match="topic"):
        provider("arn:aws:sns:eu-west-1:123456789012:another").verify(request(), at)
    with pytest.raises(ValueError, match="topics"):
        provider([])


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"Type": "Notification"}', b'{"Type": []}', b"\xff", b"[" * 9999]
)
def test_what_is_no_message(body: bytes) -> None:
    """A body that is nothing of the kind is a bad signature, never an accident."""
    with pytest.raises(BadSignature):
        provider().needs(Inbound("POST", "", {}, body))
