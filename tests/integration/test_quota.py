"""Quotas of sources: one for all web processes, and one for each while Redis is away."""

import redis

from relay.outbound.quota import Quota
from tests.support.valkey import Valkey


def test_processes_share_a_quota(valkey: Valkey) -> None:
    """What two processes let in together is no more than the rate, and each says how long until there is room."""
    client = redis.Redis.from_url(valkey.start().url)
    client.delete("relay:quota:shared", "relay:quota:other")
    one, two = Quota(client), Quota(client)
    waits = [(one, two)[number % 2].wait("shared", 5 / 3600) for number in range(3)]
    assert waits[0] == 0.0
    assert all(719 < wait <= 720 for wait in waits[1:])
    burst = [(one, two)[number % 2].wait("other", 500) for number in range(400)]
    assert burst == [0.0] * 400


def test_without_redis_each_counts_alone() -> None:
    """A Redis that does not answer stops nobody: each process keeps to the rate by itself."""
    now = [100.0]
    quota = Quota(redis.Redis(port=1, socket_connect_timeout=1), lambda: now[0])
    for known in (quota, Quota(None, lambda: now[0])):
        assert known.wait("paced", 0.5) == 0.0
        assert known.wait("paced", 0.5) == 2.0
        assert known.wait("another", 0.5) == 0.0
    now[0] += 2
    assert quota.wait("paced", 0.5) == 0.0
