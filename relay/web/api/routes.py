"""The API's paths."""

from starlette.routing import BaseRoute, Mount

from relay.web.api.explain import explain_event, try_target
from relay.web.api.listings import list_attempts, list_deliveries, list_events, show_one_delivery, show_one_event
from relay.web.api.people import list_people, put_person, remove_person, show_one_person
from relay.web.api.publish import publish
from relay.web.api.replays import cancel_replay, list_replays, show_one_replay, start_replay
from relay.web.api.route_states import list_routes, mute_route, show_one_route, unmute_route
from relay.web.api.targets import list_targets, pause_target, resume_target, show_one_target
from relay.web.auth import Endpoint, signed_in
from relay.web.resource import resource


def routes() -> list[BaseRoute]:
    """Return the API, every part of it behind the token."""
    return [
        Mount(
            "/api/v1",
            routes=[
                _resource("/events", GET=list_events, POST=publish),
                _resource("/events/{id}", GET=show_one_event),
                _resource("/deliveries", GET=list_deliveries),
                _resource("/deliveries/{id}", GET=show_one_delivery),
                _resource("/deliveries/{id}/attempts", GET=list_attempts),
                _resource("/replays", GET=list_replays, POST=start_replay),
                _resource("/replays/{id}", GET=show_one_replay, DELETE=cancel_replay),
                _resource("/routes", GET=list_routes),
                _resource("/routes/{name}", GET=show_one_route),
                _resource("/routes/{name}/mute", POST=mute_route),
                _resource("/routes/{name}/unmute", POST=unmute_route),
                _resource("/explain", POST=explain_event),
                _resource("/people", GET=list_people),
                _resource("/people/{name}", GET=show_one_person, PUT=put_person, DELETE=remove_person),
                _resource("/targets", GET=list_targets),
                _resource("/targets/{name}", GET=show_one_target),
                _resource("/targets/{name}/test", POST=try_target),
                _resource("/targets/{name}/pause", POST=pause_target),
                _resource("/targets/{name}/resume", POST=resume_target),
            ],
        )
    ]


def _resource(path: str, **endpoints: Endpoint) -> BaseRoute:
    return resource(path, **{method: signed_in(endpoint) for method, endpoint in endpoints.items()})
