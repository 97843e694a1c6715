"""The cloud's APIs, asked with the operator's credentials; only GET is ever sent.

openstacksdk finds the credentials (clouds.yaml, environment) and keystoneauth the endpoints. The answers are
read as plain JSON: openstacksdk's resource objects cost ten times the time, and a warning per call.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from skipstone.cloud.credentials import new_session, read_region
from skipstone.cloud.inventory import Inventory
from skipstone.cloud.model import Asked, Problem
from skipstone.errors import SkipstoneError

if TYPE_CHECKING:
    from keystoneauth1.session import Session
    from openstack.config.cloud_region import CloudRegion

TIMEOUT = 30.0
"""Seconds for one request."""

KEYSTONE = "keystone"
"""What a question is called that asks for a token, and nothing else."""

Json = dict[str, Any]

_VERSIONS = {"network": "/v2.0", "image": "/v2", "identity": "/v3"}
"""What follows an endpoint whose URL names no version."""


class ApiSilent(SkipstoneError):  # noqa: N818 - reads as what happened
    """An API did not answer a question; ``where`` names the service."""


class NoSuchService(ApiSilent):
    """The cloud's catalogue has no endpoint for a service."""


class Api:
    """GET requests to every service of one cloud, thread-safe as keystoneauth's session is."""

    def __init__(self, region: "CloudRegion", session: "Session") -> None:
        self._region = region
        self._session = session

    def log_in(self) -> None:
        """Get a token; raise ApiSilent where keystone gives none."""
        asking(KEYSTONE, self._session.get_token)

    def pages(
        self, types: Iterable[str], path: str, key: str, *, headers: Mapping[str, str] | None = None
    ) -> list[Json]:
        """Return all items of a list, page after page.

        ``types`` are the names that the service may have in the catalogue, ``path`` is below its endpoint,
        ``key`` names the list in the answer. Raise ApiSilent where a page does not come, NoSuchService where
        there is no endpoint.
        """
        service, endpoint = self._endpoint(types)
        url, seen = endpoint + path, set[str]()
        items: list[Json] = []
        while url and url not in seen:
            seen.add(url)
            body = asking(service, partial(self._get, url, headers or {}))
            items += body.get(key, [])
            url = _next(url, body, key)
        return items

    def _get(self, url: str, headers: Mapping[str, str]) -> Json:
        body: Json = self._session.get(url, headers=dict(headers), connect_retries=2).json()
        return body

    def _endpoint(self, types: Iterable[str]) -> tuple[str, str]:
        names = list(types)
        for service in names:
            url: str | None = asking(service, partial(self._find, service))
            if url:
                version = "" if re.search(r"/v\d", urlsplit(url).path) else _VERSIONS.get(service, "")
                return service, url.rstrip("/") + version
        raise NoSuchService("the cloud's catalogue has no such service", where=names[0])

    def _find(self, service: str) -> str | None:
        url: str | None = self._session.get_endpoint(
            service_type=service,
            interface=self._region.get_interface(service),
            region_name=self._region.get_region_name(service),
        )
        return url


def open_api(inventory: Inventory) -> Api:
    """Return the API of an inventory's cloud, before anything is sent.

    Raise InventoryError where ``cloud`` or ``clouds_file`` do not lead to credentials. Imports openstacksdk:
    half a second.
    """
    region = read_region(inventory.cloud, inventory.clouds_file, where=str(inventory.path))
    return Api(region, new_session(region, TIMEOUT))


def _next(url: str, body: Json, key: str) -> str:
    """Return the next page's URL, in any of the ways that OpenStack's APIs say it, or nothing."""
    links = body.get(f"{key}_links") or []
    said = next((link["href"] for link in links if link.get("rel") == "next"), None) or body.get("next")
    if not said and isinstance(body.get("links"), dict):
        said = body["links"].get("next")
    return urljoin(url, said) if said else ""


def asking(service: str, question: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever is asked
    """Return an answer; turn every way in which an API can fail into ApiSilent."""
    from keystoneauth1 import exceptions  # noqa: PLC0415 - slow, and not needed by other verbs

    try:
        return question()
    except exceptions.EndpointNotFound:
        return None
    except (exceptions.ClientException, ValueError) as error:
        what, remedy = _meaning(error, service)
        raise ApiSilent(what, where=service, evidence=str(error)[:600], remedy=remedy) from error


def _meaning(error: Exception, service: str) -> tuple[str, str]:
    from keystoneauth1.exceptions import connection, http  # noqa: PLC0415 - as above

    if isinstance(error, http.Unauthorized) and service != KEYSTONE:
        return (
            "it does not accept the token that keystone has just given",
            "see its log: its own user in [keystone_authtoken] may be refused",
        )
    known: tuple[tuple[type[Exception], str, str], ...] = (
        (
            http.Unauthorized,
            "keystone refuses the credentials",
            "correct clouds.yaml: user, password, project",
        ),
        (http.Forbidden, "these credentials may not ask this", "use an account with the admin role"),
        (connection.SSLError, "the API's certificate is not trusted", "set cacert in clouds.yaml"),
        (connection.ConnectTimeout, "the API did not answer in time", "look at the service's load and log"),
        (connection.ConnectFailure, "nothing answers there", "start the service, or correct its endpoint"),
        (
            http.HttpServerError,
            "the API answers with an error",
            "see its log: an active unit can serve nothing",
        ),
    )
    for kind, what, remedy in known:
        if isinstance(error, kind):
            return what, remedy
    return "the API's answer cannot be used", "ask the same with `openstack`, and look at the service's log"


def problem(error: ApiSilent, question: str) -> Problem:
    """Return the problem that an unanswered question is."""
    return Problem(
        asked=Asked.API,
        where=error.where,
        what=f"{question}: {error.what}",
        evidence=error.evidence,
        remedy=error.remedy,
    )
