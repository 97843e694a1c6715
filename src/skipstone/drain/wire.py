"""Requests to a cloud's APIs that also change something, with microversions.

A request that changes something and gets no answer may have been carried out all the same: that is
``ApiSilent``, and who sent it must look, not send again. A refusal is an answer.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from skipstone.cloud.api import Api, ApiSilent, Json, asking
from skipstone.cloud.credentials import new_session, read_region
from skipstone.cloud.inventory import Inventory

TIMEOUT = 60.0
"""Seconds for one request: nova's API waits as long for its conductor."""

_UNAUTHORIZED, _NOT_FOUND, _SERVER_FAULT = 401, 404, 500
_REFUSED = 400


@dataclass(frozen=True)
class Reply:
    """One answer of an API."""

    status: int
    body: Json

    @property
    def refused(self) -> str:
        """The API's own sentence where it said no, else nothing."""
        if self.status < _REFUSED:
            return ""
        inner: Any = next(iter(self.body.values()), {})
        said = inner.get("message", "") if isinstance(inner, dict) else str(inner)
        return f"{self.status}: {said or 'no reason given'}"


class Wire(Api):
    """Every method of HTTP to one service, named as in ``Api``; thread-safe as that is."""

    def send(
        self,
        method: str,
        types: Iterable[str],
        path: str,
        *,
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send one request; raise ApiSilent where no answer came, or one that says nothing (5xx, 401)."""
        service, endpoint = self._endpoint(types)
        request = partial(
            self._session.request,
            endpoint + path,
            method,
            json=None if body is None else dict(body),
            headers={"Accept": "application/json", **(headers or {})},
            raise_exc=False,
            connect_retries=2 if method == "GET" else 0,
        )
        answer = asking(service, request)
        if answer.status_code >= _SERVER_FAULT or answer.status_code == _UNAUTHORIZED:
            raise ApiSilent(
                f"the API answers with {answer.status_code}",
                where=service,
                evidence=answer.text[:600],
                remedy="see the service's log, then repeat the command: it goes on where it was",
            )
        return Reply(answer.status_code, _json(answer))

    def ask(self, types: Iterable[str], path: str, headers: Mapping[str, str] | None = None) -> Json | None:
        """GET one thing; None where there is no such. Raise ApiSilent where it is not given."""
        names = list(types)
        reply = self.send("GET", names, path, headers=headers)
        if reply.status == _NOT_FOUND:
            return None
        if reply.refused:
            raise ApiSilent(
                "the API does not answer this question",
                where=names[0],
                evidence=f"GET {path}: {reply.refused}",
                remedy="use an account with the admin role",
            )
        return reply.body


def _json(answer: Any) -> Json:  # noqa: ANN401 - requests' Response, which mypy is not told of
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {"": body}


def open_wire(inventory: Inventory) -> Wire:
    """Return the wire to an inventory's cloud, before anything is sent; raise as ``open_api``."""
    region = read_region(inventory.cloud, inventory.clouds_file, where=str(inventory.path))
    return Wire(region, new_session(region, TIMEOUT))
