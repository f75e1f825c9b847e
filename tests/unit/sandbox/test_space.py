"""Spaces: quota, threads, repeats and what they remember."""

from typing import Any

import pytest

from relay.web.sandbox.space import FALLBACK, KEEP, MAX_SPACES, OR_FAIL, REPLY_OPTIONS, Sandbox
from relay.web.sandbox.status import Refusal

NEW_THREAD = REPLY_OPTIONS[0]


class Clock:
    """A monotonic clock that moves when told."""

    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.time


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def sandbox(clock: Clock) -> Sandbox:
    """A sandbox on that clock."""
    return Sandbox(clock=clock)


def post(sandbox: Sandbox, clock: Clock, message: Any, option: str = FALLBACK, **given: Any) -> Any:
    """Post at a pace that the quota allows."""
    clock.time += 1
    return sandbox.post("demo", message, option=option, **({"webhook": "a", "request_id": None} | given))


def test_quota_is_of_the_space(sandbox: Sandbox, clock: Clock) -> None:
    """A second message within a second is refused, whichever webhook sends it; another space is not concerned."""
    post(sandbox, clock, {"text": "first"})
    with pytest.raises(Refusal) as refused:
        sandbox.post("demo", {"text": "second"}, webhook="b", option=NEW_THREAD, request_id=None)
    assert (refused.value.code, refused.value.status) == (429, "RESOURCE_EXHAUSTED")
    sandbox.post("other", {"text": "third"}, webhook="b", option=NEW_THREAD, request_id=None)
    assert [entry.message["text"] for entry in sandbox.entries("demo")] == ["first"]


def test_slack_adds_nothing(sandbox: Sandbox, clock: Clock) -> None:
    """Messages a little early are taken, but in the long run there is one a second."""
    taken = 0
    for _ in range(100):
        clock.time += 0.9
        try:
            sandbox.post("demo", {"text": "a"}, webhook="a", option=NEW_THREAD, request_id=None)
        except Refusal:
            continue
        taken += 1
    assert taken <= 91


def test_thread_keys_need_the_option(sandbox: Sandbox, clock: Clock) -> None:
    """With the option a key gathers messages in a thread; without it the key is ignored."""
    keyed = {"text": "a", "thread": {"threadKey": "orders/1"}}
    first, reply = (post(sandbox, clock, keyed) for _ in range(2))
    stray, other = (post(sandbox, clock, keyed, NEW_THREAD) for _ in range(2))
    assert first["thread"] == reply["thread"]
    assert first["thread"]["threadKey"] == "orders/1"
    assert len({each["thread"]["name"] for each in (first, stray, other)}) == 3
    assert "threadKey" not in stray["thread"]


def test_replies_by_name(sandbox: Sandbox, clock: Clock) -> None:
    """A thread can be named; one that is not there is a new thread or 404, as the option says."""
    first = post(sandbox, clock, {"text": "a"})
    reply = post(sandbox, clock, {"text": "b", "thread": {"name": first["thread"]["name"]}}, OR_FAIL)
    assert reply["thread"]["name"] == first["thread"]["name"]
    lost = {"text": "c", "thread": {"name": "spaces/demo/threads/none"}}
    assert post(sandbox, clock, lost)["thread"]["name"] != first["thread"]["name"]
    with pytest.raises(Refusal) as refused:
        post(sandbox, clock, lost, OR_FAIL)
    assert (refused.value.code, refused.value.status) == (404, "NOT_FOUND")


def test_repeats_make_nothing_new(sandbox: Sandbox, clock: Clock) -> None:
    """A request id that was seen returns its first message, even over the quota."""
    first = post(sandbox, clock, {"text": "a"}, request_id="r-1")
    repeat = sandbox.post("demo", {"text": "b"}, webhook="a", option=FALLBACK, request_id="r-1")
    assert repeat == first
    assert len(sandbox.entries("demo")) == 1


def test_resource(sandbox: Sandbox, clock: Clock) -> None:
    """The message that comes back is named under its space and thread, and has a sender and a time."""
    message = post(sandbox, clock, {"text": "a"})
    thread = message["thread"]["name"].removeprefix("spaces/demo/threads/")
    assert message["name"].startswith(f"spaces/demo/messages/{thread}.")
    assert message["space"] == {"name": "spaces/demo"}
    assert message["sender"]["type"] == "BOT"
    assert message["createTime"].endswith("Z")


def test_memory_is_bounded(sandbox: Sandbox, clock: Clock) -> None:
    """A space forgets its oldest messages, the sandbox its quietest space."""
    for _ in range(KEEP + 5):
        post(sandbox, clock, {"text": "a"})
    entries = sandbox.entries("demo")
    assert (len(entries), entries[0].seq) == (KEEP, 6)
    assert [entry.seq for entry in sandbox.entries("demo", after=KEEP + 3)] == [KEEP + 4, KEEP + 5]
    for number in range(MAX_SPACES):
        sandbox.post(f"space-{number}", {"text": "a"}, webhook="a", option=FALLBACK, request_id=None)
    assert len(sandbox.spaces) == MAX_SPACES
    assert sandbox.entries("demo") == []
