"""The limit of delivery: claim, POST and record with psycopg and libcurl, and nothing else.

Run as `python -m benchmarks.bare DATABASE_URL SINK_URL`; ends when nothing is due.
"""

import sys
from typing import Any

import psycopg
import pycurl

from relay.domain.event import new_id

BATCH = 200
IN_FLIGHT = 64

_CLAIM = """
WITH picked AS (
  SELECT due.id FROM (SELECT DISTINCT name FROM targets) AS lane, LATERAL (
    SELECT id FROM deliveries
    WHERE target = lane.name AND state = 'pending' AND next_attempt_at <= now()
    ORDER BY next_attempt_at, id LIMIT 32 FOR UPDATE SKIP LOCKED) AS due
  LIMIT %s)
UPDATE deliveries SET state = 'sending', lease = %s, lease_until = now() + interval '20 s'
FROM picked WHERE deliveries.id = picked.id
RETURNING deliveries.id, deliveries.event_seq, deliveries.target
"""
_LOAD = "SELECT seq, id, body FROM events WHERE seq = ANY(%s)"
_ATTEMPT = """
INSERT INTO attempts (delivery_id, at, number, ms, outcome, status, response)
SELECT id, now(), 1, 0, 'delivered', 200, 'ok' FROM unnest(%s::uuid[]) AS batch (id) ON CONFLICT DO NOTHING
"""
_RECORD = """
UPDATE deliveries SET state = 'delivered', tries = 1, attempts = 1, next_attempt_at = now(), finished_at = now(),
  last_status = 200
FROM unnest(%s::uuid[]) AS batch (id) WHERE deliveries.id = batch.id AND lease = %s
"""


def main(database: str, sink: str) -> None:
    """Deliver whatever is due."""
    multi = pycurl.CurlMulti()
    handles = [_handle() for _ in range(IN_FLIGHT)]
    with psycopg.connect(database) as connection:
        while True:
            lease = new_id()
            with connection.transaction():
                taken = connection.execute(_CLAIM, (BATCH, lease)).fetchall()
                events = connection.execute(_LOAD, ([row[1] for row in taken],)).fetchall()
            if not taken:
                return
            bodies = {seq: (event_id, bytes(body)) for seq, event_id, body in events}
            _send(multi, handles, [(f"{sink}{target}", target, *bodies[seq]) for _, seq, target in taken])
            with connection.transaction():
                ids = [row[0] for row in taken]
                connection.execute(_ATTEMPT, (ids,))
                connection.execute(_RECORD, (ids, lease))


def _handle() -> pycurl.Curl:
    curl = pycurl.Curl()
    curl.setopt(pycurl.PROXY, "")
    curl.setopt(pycurl.NOSIGNAL, 1)
    curl.setopt(pycurl.WRITEFUNCTION, len)
    return curl


def _send(multi: pycurl.CurlMulti, handles: list[pycurl.Curl], batch: list[tuple[Any, ...]]) -> None:
    """Send all of a batch and wait for all of its replies."""
    idle, left = list(handles), len(batch)
    waiting = iter(batch)
    while left:
        while idle and (one := next(waiting, None)) is not None:
            _load(curl := idle.pop(), *one)
            multi.add_handle(curl)
        multi.perform()
        _, finished, failed = multi.info_read()
        assert not failed, failed
        for curl in finished:
            multi.remove_handle(curl)
            idle.append(curl)
        left -= len(finished)
        if not finished:
            multi.select(1)


def _load(curl: pycurl.Curl, url: str, target: str, event_id: str, body: bytes) -> None:
    curl.setopt(pycurl.URL, url)
    curl.setopt(pycurl.POSTFIELDS, body)
    headers = ["Content-Type: application/json", f"webhook-id: {event_id}_{target}", "webhook-timestamp: 1", "Expect:"]
    curl.setopt(pycurl.HTTPHEADER, headers)


if __name__ == "__main__":
    main(*sys.argv[1:])
