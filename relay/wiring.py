"""Where the parts meet: the one module that knows the concrete things."""

import os
import threading
from functools import cached_property
from typing import TYPE_CHECKING

from relay import config, log, plugins
from relay.domain.database import Database as DatabaseSpec
from relay.errors import InvalidConfiguration
from relay.pipeline.accept import Accept
from relay.pipeline.alarms import Alarms
from relay.pipeline.breakers import Breakers
from relay.pipeline.collect import Collect
from relay.pipeline.fan_out import FanOut
from relay.pipeline.folding import Folding
from relay.pipeline.line import Line
from relay.pipeline.live import Following
from relay.pipeline.people import People
from relay.pipeline.recording import Recorder
from relay.pipeline.replay import Replaying
from relay.pipeline.routes import Routes
from relay.pipeline.sweep import Sweep
from relay.pipeline.targets import Targets
from relay.pipeline.windows import Windows
from relay.queue.shutdown import Stopping
from relay.secrets import Sealer
from relay.store.configuration import ConfigurationStore
from relay.store.database import Database
from relay.store.deliveries import Deliveries
from relay.store.events import Events
from relay.store.folds import Folds
from relay.store.health import HealthStore
from relay.store.outbox import ClosedOutbox, Outbox
from relay.store.people import PeopleStore
from relay.store.reflection import Tables, tables
from relay.store.replays import Replays

if TYPE_CHECKING:
    # What only some commands need is fetched by the part that needs it: looking must not wait for Celery.
    import redis
    from celery import Celery
    from starlette.applications import Starlette

    from relay.outbound.carrier import Carrier
    from relay.outbound.guard import Guard
    from relay.outbound.tokens import Tokens
    from relay.pipeline.configure.apply import Configurator
    from relay.pipeline.deliver import Deliver
    from relay.queue.nudges import Nudges

_CONNECTIONS = 10

# Made before a worker forks, so that its children share it.
_stopping = Stopping()


class Relay:
    """Everything one process works with; each part is made when it is first asked for."""

    def __init__(self, settings: config.Settings) -> None:
        self.settings = settings
        self._of_thread = threading.local()

    @cached_property
    def plugins(self) -> plugins.Plugins:
        """The providers and the kinds of targets."""
        return plugins.discover()

    @cached_property
    def database(self) -> Database:
        """The relay's own database."""
        return Database(self.settings.database, pool_size=_CONNECTIONS)

    @cached_property
    def events(self) -> Events:
        """Where events are kept."""
        return Events(self.database)

    @cached_property
    def deliveries(self) -> Deliveries:
        """Where deliveries are kept."""
        return Deliveries(self.database)

    @cached_property
    def folds(self) -> Folds:
        """Where deliveries are kept that one message tells."""
        return Folds(self.database)

    @cached_property
    def configuration(self) -> ConfigurationStore:
        """Where the configuration is kept."""
        return ConfigurationStore(self.database, lambda: Sealer(self.settings.keys), self.plugins)

    @cached_property
    def configurator(self) -> "Configurator":
        """What checks and applies relay.toml."""
        from relay.pipeline.configure.apply import Configurator

        return Configurator(self.configuration, self.plugins)

    @cached_property
    def following(self) -> Following:
        """The configuration in force."""
        return Following(self.configuration, self.plugins, self.settings.pages_url)

    @cached_property
    def celery(self) -> "Celery":
        """The Celery application that nudges are published with."""
        from relay.queue.app import build as build_celery

        return build_celery(self.settings.broker)

    @cached_property
    def redis(self) -> "redis.Redis | None":
        """The client of pacing and wake tokens; `None` where there is no Redis."""
        from relay.queue.nudges import connect

        return connect(self.settings.redis)

    @cached_property
    def nudges(self) -> "Nudges":
        """What tells workers that there is work."""
        from relay.queue.nudges import Nudges

        return Nudges(self.celery, self.redis)

    @cached_property
    def guard(self) -> "Guard":
        """What says which addresses targets may be at."""
        from relay.outbound.guard import Guard

        return Guard(self.settings.egress)

    @cached_property
    def accept(self) -> Accept:
        """The step that stores what comes in."""
        return Accept(self.events, self.nudges)

    @cached_property
    def collect(self) -> Collect:
        """The step that empties outboxes."""
        return Collect(Outbox("relay", self.database), _open_outbox, self.events, self.following)

    @cached_property
    def fan_out(self) -> FanOut:
        """The step that routes."""
        return FanOut(self.events, Windows(self.folds), self.following)

    @cached_property
    def health(self) -> HealthStore:
        """Where the health of targets is kept."""
        return HealthStore(self.database)

    @cached_property
    def breakers(self) -> Breakers:
        """Which targets are left alone."""
        return Breakers(self.health)

    @cached_property
    def recorder(self) -> Recorder:
        """What stores attempts and draws the conclusions."""
        alarms = Alarms(self.events, self.nudges)
        return Recorder(self.deliveries, self.configuration, self.following, self.breakers, alarms)

    @cached_property
    def deliver(self) -> "Deliver":
        """The step that delivers."""
        from relay.outbound.pacing import Pacing
        from relay.pipeline.deliver import Deliver

        return Deliver(
            deliveries=self.deliveries,
            recorder=self.recorder,
            breakers=self.breakers,
            folding=Folding(self.folds, self.following),
            following=self.following,
            transport=self.transport,
            pacer=Pacing(self.redis),
            nudge=self.nudges,
            stopping=_stopping,
        )

    @cached_property
    def line(self) -> Line:
        """The steps in their order."""
        sweep = Sweep(self.collect, self.fan_out, self.deliver, self.deliveries, self.nudges)
        return Line(self.collect, self.fan_out, self.deliver, sweep, self.nudges)

    @cached_property
    def replay(self) -> Replaying:
        """The step that sends again."""
        return Replaying(Replays(self.database), self.nudges)

    @cached_property
    def targets(self) -> Targets:
        """What shows, pauses and resumes targets."""
        return Targets(self.configuration, self.deliveries, self.health, self.nudges)

    @cached_property
    def people(self) -> People:
        """What shows people and gives them places."""
        return People(PeopleStore(self.database, lambda: Sealer(self.settings.keys)), self.targets, self.plugins)

    @cached_property
    def tokens(self) -> "Tokens":
        """The access tokens of this process."""
        from relay.outbound.tokens import Tokens

        return Tokens()

    @cached_property
    def routes(self) -> Routes:
        """What shows and mutes routes."""
        return Routes(self.configuration)

    def transport(self) -> "Carrier":
        """Return this thread's transport; one that a failed drain left requests in is replaced."""
        from relay.outbound.carrier import Carrier
        from relay.outbound.notices import Notices
        from relay.outbound.transport import Transport

        known: Carrier | None = getattr(self._of_thread, "transport", None)
        if known is not None and known.in_flight:
            known.close()
            known = None
        if known is None:
            known = self._of_thread.transport = Carrier(Transport(self.guard), self.tokens, Notices(self.guard))
        return known

    def web(self) -> "Starlette":
        """Return the web application. Raises `InvalidConfiguration`."""
        from relay.outbound.fetch import Fetcher
        from relay.outbound.quota import Quota
        from relay.store import migrate
        from relay.store.intake import Intake
        from relay.web import app as web_app
        from relay.web.sandbox import Sandbox, mounted

        self.settings.require_redis()
        parts = web_app.Parts(
            accept=self.accept,
            intake=Intake(self.database, self.events),
            quota=Quota(self.redis),
            following=self.following,
            events=self.events,
            deliveries=self.deliveries,
            replay=self.replay,
            targets=self.targets,
            people=self.people,
            routes=self.routes,
            schema_pending=lambda: migrate.pending(self.database),
            api_token=self.settings.token,
            documents=Fetcher(self.transport),
            transport=self.transport,
            public_url=self.settings.public_url,
        )
        if not self.settings.sandbox:
            return web_app.build(parts)
        demo = (
            f"curl {self.settings.base_url}/in/demo -H 'content-type: application/json' -d '{{\"hello\": \"world\"}}'"
        )
        # Another configuration than the demo's need not have its source: then the page says how to write to a space.
        hint = "" if self.settings.config_file else demo
        return web_app.build(parts, mounted(Sandbox(hint=hint)), home="/sandbox")

    def worker(self) -> "Celery":
        """Return the Celery application with its tasks, for a worker or beat to run. Raises `InvalidConfiguration`."""
        # Before it forks: its children share what all of them need.
        from relay.outbound import carrier, notices, pacing, transport  # noqa: F401
        from relay.pipeline import deliver  # noqa: F401
        from relay.queue import forking, tasks

        self.settings.require_redis()
        tasks.register(self.celery, lambda: current().line)
        # Made now: a mistake in what it may reach is told at the start, not by each delivery.
        self.guard.permits("127.0.0.1", 0, "localhost")
        _stopping.follow()
        forking.keep_shared()
        return self.celery


_current: tuple[int, Relay] | None = None
_lock = threading.Lock()


def current() -> Relay:
    """Return the parts of this process; a forked child gets its own."""
    global _current
    with _lock:
        if _current is None or _current[0] != os.getpid():
            settings = config.load()
            log.configure(settings.log_format)
            _current = (os.getpid(), Relay(settings))
        return _current[1]


def tables_of(database: DatabaseSpec) -> Tables:
    """Return the tables of an application's database. Raises `StoreUnavailable` and `InvalidConfiguration`."""
    opened = Database(database.url.get_secret_value(), pool_size=1, foreign=True)
    try:
        return tables(opened)
    finally:
        opened.dispose()


def _open_outbox(database: DatabaseSpec) -> Outbox | ClosedOutbox:
    try:
        return Outbox(database.name, Database(database.url.get_secret_value(), pool_size=1, foreign=True))
    except InvalidConfiguration as error:
        # One database must not keep the others from being read.
        return ClosedOutbox(database.name, str(error))
