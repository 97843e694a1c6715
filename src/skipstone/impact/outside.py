"""Reading a cloud's public APIs once, as a user with the operator's credentials."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from skipstone.catalog import Catalog, Service
from skipstone.impact.credentials import CloudAccess, Token
from skipstone.impact.spec import root_of
from skipstone.impact.wire import Unserved, exchange, new_http

_TIMEOUT = 60.0
_AT_ONCE = 8
_OK = 200


class NoService(Unserved):
    """The cloud's catalogue has no public endpoint for a service."""


class Outside:
    """The cloud's APIs; at most eight requests are under way at once."""

    def __init__(self, http: aiohttp.ClientSession, token: Token, catalog: Catalog) -> None:
        self._http = http
        self._token = token
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self.project = token.names["project"]
        self.roots = {
            service.name: root_of(url) for service in catalog.services if (url := self._url(service))
        }

    def _url(self, service: Service) -> str | None:
        return next(
            (self._token.endpoints[kind] for kind in service.types if kind in self._token.endpoints), None
        )

    async def version(self, service: Service) -> tuple[int, str | None]:
        """Return the status and newest version of a service's version document, asked without a token.

        Raise Unserved where there is no reply.
        """
        url = self.roots[service.name] + service.api.path
        async with self._turns:
            status, content = await exchange(self._http, "GET", url, timeout=_TIMEOUT)
        try:
            return status, service.api.newest(json.loads(content))
        except (ValueError, AttributeError, TypeError):
            return status, None

    async def get(self, service: str, path: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Return the JSON object at a path below the service's root; raise Unserved where there is none.

        Raise NoService where the cloud does not have the service.
        """
        if service not in self.roots:
            raise NoService(f"{service} has no public endpoint")
        return await self._get(self.roots[service] + path, headers)

    async def pages(
        self, service: str, path: str, key: str, headers: Mapping[str, str] | None = None
    ) -> list[Any]:
        """Return a whole list, however many pages it has; raise Unserved where a page is missing."""
        found = await self.get(service, path, headers)
        items = list(found[key])
        while link := next((link for link in found.get(f"{key}_links", ()) if link["rel"] == "next"), None):
            found = await self._get(link["href"], headers)
            items += found[key]
        return items

    async def _get(self, url: str, headers: Mapping[str, str] | None) -> dict[str, Any]:
        sent = {"X-Auth-Token": self._token.value, "Accept": "application/json", **(headers or {})}
        async with self._turns:
            status, content = await exchange(self._http, "GET", url, timeout=_TIMEOUT, headers=sent)
        if status != _OK:
            raise Unserved(f"HTTP {status}", status=status)
        reply = json.loads(content)
        if not isinstance(reply, dict):
            raise Unserved("not a JSON object")
        return reply


@asynccontextmanager
async def outside(access: CloudAccess, catalog: Catalog) -> AsyncIterator[Outside]:
    """Log in and give the cloud's APIs; raise SkipstoneError where keystone gives no token."""
    token = await asyncio.to_thread(access.fetch)
    async with new_http(access.tls()) as http:
        yield Outside(http, token, catalog)
