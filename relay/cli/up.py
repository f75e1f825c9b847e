"""`relay up`: everything in one command."""

import fcntl
import os
import secrets
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relay import config, log
from relay.cli.parts import current
from relay.cli.supervisor import Child, Supervisor
from relay.errors import RelayError

if TYPE_CHECKING:
    from relay.wiring import Relay

READY_SECONDS = 60.0
WORKER_GRACE = 40.0
"""Longer than requests under way are given."""

_RELAY = (sys.executable, "-m", "relay")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(up)


def up(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on.", min=1, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(help="How many processes deliver.", min=1, max=256)] = 2,
    demo: Annotated[bool, typer.Option("--demo", help="Add a small shop, a source and a sandbox space.")] = False,
) -> None:
    """Run everything: migrations, web, workers and beat, on SQLite and an embedded Valkey unless told otherwise."""
    from relay import wiring

    settings = config.load()
    settings.require_redis()
    log.configure(settings.log_format)
    data_dir = settings.data_dir.absolute()
    # Whatever this command and its children write is for its owner alone.
    os.umask(0o077)
    config.make_private(data_dir)
    with _only_one(data_dir):
        _check_free(host, port)
        if settings.config_file is not None:
            wiring.Relay(settings).configurator.check(settings.config_file)
        _prepare_environment(settings, data_dir, host, port, demo=demo)
        fresh = _make_token(settings, data_dir)
        supervisor = Supervisor()
        supervisor.follow_signals()
        try:
            source = _start(supervisor, data_dir, host, port, workers, demo=demo)
            if supervisor.wait_for(lambda: _is_ready(host, port), READY_SECONDS):
                _greet(settings, data_dir, fresh, source, demo=demo)
            supervisor.run()
        finally:
            supervisor.stop()


@contextmanager
def _only_one(data_dir: Path) -> Iterator[None]:
    with (data_dir / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RelayError(
                f"another `relay up` uses {data_dir}", hint="stop it, or set RELAY_DATA_DIR to another place"
            ) from None
        yield


def _check_free(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise RelayError(
                f"cannot listen on {host}:{port}: {error.strerror}", hint="choose another --port"
            ) from None


def _prepare_environment(settings: config.Settings, data_dir: Path, host: str, port: int, *, demo: bool) -> None:
    """Say to the children, by their environment, what this command decided."""
    os.environ["RELAY_DATA_DIR"] = str(data_dir)
    here = f"{_reachable(host)}:{port}"
    os.environ.setdefault("RELAY_BASE_URL", f"http://{here}")
    if demo:
        os.environ["RELAY_SANDBOX"] = "true"
    # Kept, so that commands in another terminal may reach the sandbox as well.
    config.keep(data_dir, "egress-allow", here if demo else "")
    if not settings.secret_keys and not (data_dir / "secret-keys").exists():
        from relay.secrets import Sealer

        config.keep(data_dir, "secret-keys", Sealer.new_key())


def _reachable(host: str) -> str:
    """Return a listening address as a URL names it."""
    if host == "0.0.0.0":  # noqa: S104  compared, not bound
        return "127.0.0.1"
    if host == "::":
        return "[::1]"
    return f"[{host}]" if ":" in host else host


def _make_token(settings: config.Settings, data_dir: Path) -> str | None:
    """Make the first API token if there is none yet, and return it."""
    if settings.token:
        return None
    token = "relay_" + secrets.token_urlsafe(32)
    config.keep(data_dir, "api-token", token)
    return token


def _start(supervisor: Supervisor, data_dir: Path, host: str, port: int, workers: int, *, demo: bool) -> str:
    """Start every role; return the name of a source that takes anything, `SOURCE` where there is none."""
    if config.load().broker_url is None:
        from relay.cli import valkey

        server, url = valkey.child(data_dir)
        supervisor.start(server)
        if not supervisor.wait_for(lambda: valkey.answers(url), READY_SECONDS):
            raise RelayError("the embedded Valkey does not answer", hint="its log above says why")
    from relay.store.migrate import migrate

    relay = current()
    migrate(relay.database)
    _configure(relay, data_dir, demo=demo)
    sources = relay.configuration.load().configuration.sources
    relay.database.dispose()
    supervisor.start(Child("worker", (*_RELAY, "worker", f"--workers={workers}"), grace=WORKER_GRACE))
    supervisor.start(Child("beat", (*_RELAY, "beat")))
    supervisor.start(Child("web", (*_RELAY, "web", f"--host={host}", f"--port={port}"), grace=WORKER_GRACE))
    if demo:
        shop = (sys.executable, "-m", "relay.demo", _shop_url(data_dir))
        supervisor.start(Child("shop", shop, env={"RELAY_BROKER_URL": relay.settings.broker}))
    return next((source.name for source in sources if source.verify == "none"), "SOURCE")


def _configure(relay: "Relay", data_dir: Path, *, demo: bool) -> None:
    path = relay.settings.config_file
    if path is not None:
        relay.configurator.apply(path)
    elif demo:
        from relay.demo.configuration import configuration as demo_configuration

        text = demo_configuration(relay.settings.base_url, _shop_url(data_dir))
        config.keep(data_dir, "demo.toml", text)
        relay.configurator.apply_text(text, "demo.toml")


def _shop_url(data_dir: Path) -> str:
    return f"sqlite:///{data_dir / 'shop.sqlite3'}"


def _is_ready(host: str, port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{_reachable(host)}:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _greet(settings: config.Settings, data_dir: Path, fresh: str | None, source: str, *, demo: bool) -> None:
    base = os.environ["RELAY_BASE_URL"]
    token = fresh or f"in {data_dir / 'api-token'}, or what RELAY_API_TOKEN says"
    lines = [f"Relay is up:   {base}"]
    if demo:
        lines.append(f"Sandbox space: {base}/sandbox")
    if settings.config_file is not None:
        lines.append(f"Configuration: {settings.config_file.absolute()}")
    elif demo:
        lines.append(f"Configuration: {data_dir / 'demo.toml'} (copy it to relay.toml)")
    lines.append(f"API token:     {token}")
    body = """-H 'content-type: application/json' -d '{"hello": "world"}'"""
    lines.append(f"Send an event: curl {base}/in/{source} {body}")
    print("\n" + "\n".join(lines) + "\n", flush=True)
