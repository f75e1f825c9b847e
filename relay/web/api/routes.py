"""The API's paths."""

from starlette.routing import BaseRoute, Mount, Route

from relay.web.api.explain import explain_event, try_target
from relay.web.api.listings import list_attempts, list_deliveries, list_events, show_one_delivery, show_one_event
from relay.web.api.people import list_people, put_person, remove_person, show_one_person
from relay.web.api.publish import publish
from relay.web.api.replays import cancel_replay, list_replays, show_one_replay, start_replay
from relay.web.api.route_states import list_routes, mute_route, show_one_route, unmute_route
from relay.web.api.targets import list_targets, pause_target, resume_target, show_one_target
from relay.web.auth import signed_in


def routes() -> list[BaseRoute]:
    """Return the API, every part of it behind the token."""
    return [
        Mount(
            "/api/v1",
            routes=[
                Route("/events", signed_in(list_events), methods=["GET"]),
                Route("/events", signed_in(publish), methods=["POST"]),
                Route("/events/{id}", signed_in(show_one_event), methods=["GET"]),
                Route("/deliveries", signed_in(list_deliveries), methods=["GET"]),
                Route("/deliveries/{id}", signed_in(show_one_delivery), methods=["GET"]),
                Route("/deliveries/{id}/attempts", signed_in(list_attempts), methods=["GET"]),
                Route("/replays", signed_in(list_replays), methods=["GET"]),
                Route("/replays", signed_in(start_replay), methods=["POST"]),
                Route("/replays/{id}", signed_in(show_one_replay), methods=["GET"]),
                Route("/replays/{id}", signed_in(cancel_replay), methods=["DELETE"]),
                Route("/routes", signed_in(list_routes), methods=["GET"]),
                Route("/routes/{name}", signed_in(show_one_route), methods=["GET"]),
                Route("/routes/{name}/mute", signed_in(mute_route), methods=["POST"]),
                Route("/routes/{name}/unmute", signed_in(unmute_route), methods=["POST"]),
                Route("/explain", signed_in(explain_event), methods=["POST"]),
                Route("/people", signed_in(list_people), methods=["GET"]),
                Route("/people/{name}", signed_in(show_one_person), methods=["GET"]),
                Route("/people/{name}", signed_in(put_person), methods=["PUT"]),
                Route("/people/{name}", signed_in(remove_person), methods=["DELETE"]),
                Route("/targets", signed_in(list_targets), methods=["GET"]),
                Route("/targets/{name}", signed_in(show_one_target), methods=["GET"]),
                Route("/targets/{name}/test", signed_in(try_target), methods=["POST"]),
                Route("/targets/{name}/pause", signed_in(pause_target), methods=["POST"]),
                Route("/targets/{name}/resume", signed_in(resume_target), methods=["POST"]),
            ],
        )
    ]
