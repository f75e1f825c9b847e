"""How many POSTs can one process send, 64 at a time: ours, requests with 64 threads, and bare libcurl."""

import itertools
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pycurl
import requests
from requests.auth import AuthBase

from benchmarks.report import Row, Spent, medians_of, spent
from relay.outbound.guard import Guard
from relay.outbound.transport import Transport
from tests.support.sink import Sink

IN_FLIGHT = 64
OURS = 20_000
BASELINE = 2_000
BODY = b'{"type":"orders.updated","subject":"orders/42","data":{"before":{"status":"new"},"after":{"status":"paid"}}}'
HEADERS = {"Content-Type": "application/json", "User-Agent": "relay", "webhook-id": "msg_1", "webhook-timestamp": "1"}


class Stamp(AuthBase):
    """Adds a signature's header, so that every way carries the same."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the header."""
        request.headers["webhook-signature"] = "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="
        return request


def ours(url: str, count: int) -> Spent:
    """Send with the relay's transport, from `requests.Request` to `requests.Response`."""
    transport = Transport(Guard(["127.0.0.1"]))
    stamp = Stamp()
    started = done = 0
    with spent() as result:
        while done < count:
            while transport.in_flight < IN_FLIGHT and started < count:
                request = requests.Request("POST", url, data=BODY, headers=HEADERS, auth=stamp)
                transport.send(started, request, 15)
                started += 1
            for reply in transport.poll(1):
                assert reply.response is not None
                assert reply.response.status_code == 200
                done += 1
    transport.close()
    return result


def plain(url: str, count: int) -> Spent:
    """Send with requests, one session for each of 64 threads, connections kept."""
    local = threading.local()
    stamp = Stamp()

    def post(_: int) -> None:
        if not hasattr(local, "session"):
            local.session = requests.Session()
            local.session.trust_env = False
        assert local.session.post(url, data=BODY, headers=HEADERS, auth=stamp, timeout=15).status_code == 200

    with ThreadPoolExecutor(IN_FLIGHT) as pool, spent() as result:
        for _ in pool.map(post, range(count)):
            pass
    return result


def bare(url: str, count: int) -> Spent:
    """Send with libcurl's multi interface alone: no requests, no guard, nothing looked at but the count."""
    multi = pycurl.CurlMulti()
    headers = [f"{name}: {value}" for name, value in HEADERS.items()]
    idle = [_handle(url, headers) for _ in range(IN_FLIGHT)]
    started = itertools.count()
    done = 0
    with spent() as result:
        while done < count:
            while idle and next(started) < count:
                multi.add_handle(idle.pop())
            multi.perform()
            _, finished, failed = multi.info_read()
            assert not failed, failed
            for curl in finished:
                multi.remove_handle(curl)
                idle.append(curl)
            done += len(finished)
            if not finished:
                multi.select(1)
    return result


def _handle(url: str, headers: list[str]) -> pycurl.Curl:
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, url)
    curl.setopt(pycurl.PROXY, "")
    curl.setopt(pycurl.NOSIGNAL, 1)
    curl.setopt(pycurl.POSTFIELDS, BODY)
    curl.setopt(pycurl.HTTPHEADER, [*headers, "Expect:"])
    curl.setopt(pycurl.WRITEFUNCTION, len)
    return curl


def run(scale: float = 1.0) -> list[Row]:
    """Measure all three against one sink, three times in turns."""
    many, few = (max(50, int(number * scale)) for number in (OURS, BASELINE))
    sink = Sink(record=False).start()
    url = sink.url("/hook")
    processor: dict[str, list[float]] = {"ours": [], "plain": [], "bare": []}

    def rate(name: str, count: int, result: Spent) -> float:
        processor[name].append(count / result.processor)
        time.sleep(0.1)
        return count / result.wall

    try:
        rates = medians_of(
            lambda: rate("ours", many, ours(url, many)),
            lambda: rate("plain", few, plain(url, few)),
            lambda: rate("bare", many, bare(url, many)),
        )
    finally:
        sink.stop()
    of_one_processor = [statistics.median(values) for values in processor.values()]
    return [
        Row("POSTs a second from one process, 64 in flight", "POST/s", *rates),
        Row("POSTs for a second of processor time", "POST/s", *of_one_processor),
    ]


if __name__ == "__main__":
    for row in run():
        print(row, f"ratio {row.ratio:.2f}")
