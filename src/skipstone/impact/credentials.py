"""The probes' own token: fetched once, renewed long before it expires, or when a service rejects it.

While keystone is out the old token is kept: other services often still accept it, and what they answer is
their own impact. A probe without any valid token has nothing to ask with, which is not an outage.
"""

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skipstone.apart import apart
from skipstone.cloud.credentials import Login, read_login
from skipstone.errors import InputError, SkipstoneError

_TIMEOUT = 5.0
_PAUSE = 5.0
"""Seconds between two logins at least: each costs keystone a password hash."""
_HURRY = 1.0
"""The same where there is no token at all: nothing can be asked until there is one."""


@dataclass(frozen=True)
class Token:
    """One token: when it was fetched and expires (seconds since the epoch), and whose it is.

    ``names`` are ``project``, ``user`` and ``domain`` (of the project), as ids; ``endpoints`` maps
    keystone's service types to the public URLs of the entry's region.
    """

    value: str
    fetched: float
    expires: float
    names: Mapping[str, str]
    endpoints: Mapping[str, str] = field(default_factory=dict)

    @property
    def valid(self) -> bool:
        """Whether it has not expired, by this machine's clock."""
        return time.time() < self.expires

    @property
    def old(self) -> bool:
        """Whether half of its life is over."""
        return time.time() > (self.fetched + self.expires) / 2

    def __repr__(self) -> str:
        return f"Token(expires={self.expires})"


class Credentials:
    """Keeps a token; ``fetch`` blocks, raises SkipstoneError, and runs in a thread.

    ``pause`` is the least time in seconds between two logins that were not asked for by hand.
    """

    def __init__(self, fetch: Callable[[], Token], *, pause: float = _PAUSE) -> None:
        self._fetch = fetch
        self._pause = pause
        self._wanted = asyncio.Event()
        self._tried = float("-inf")
        self._trying = False
        self._token: Token | None = None

    @property
    def valid(self) -> Token | None:
        """The token as long as it has not expired, or None; never waits."""
        return self._token if self._token and self._token.valid else None

    async def login(self) -> Token:
        """Fetch a token; raise SkipstoneError where keystone does not give one."""
        self._trying = True
        try:
            self._token = await asyncio.to_thread(self._fetch)
        finally:
            self._trying = False
            self._tried = time.monotonic()
        return self._token

    def doubt(self, token: Token) -> bool:
        """Say that a service rejected a token; return whether another one may come.

        It may not where the token just came from keystone, or keystone just gave none: then the service is
        to blame, as its users would find.
        """
        if token is not self._token or self._trying:
            return True
        if time.monotonic() - self._tried < self._pause:
            return False
        self._wanted.set()
        return True

    async def keep(self) -> None:
        """Renew the token in time, or when it was doubted; runs until it is cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause if self.valid else min(self._pause, _HURRY)):
                    await self._wanted.wait()
            if self._wanted.is_set() or self._token is None or self._token.old:
                self._wanted.clear()
                with suppress(SkipstoneError):
                    await self.login()


@dataclass(frozen=True)
class CloudAccess:
    """The cloud as one entry of ``clouds.yaml`` opens it."""

    _login: Login

    @classmethod
    def load(cls, cloud: str | None, clouds_file: Path | None) -> "CloudAccess":
        """Read the entry; raise InputError where there is none."""
        return cls(read_login(cloud, clouds_file))

    @classmethod
    def load_apart(cls, cloud: str | None, clouds_file: Path | None) -> "CloudAccess":
        """Do the same without openstacksdk in this process, for one that lasts as long as an upgrade."""
        return cls(apart(read_login, cloud, clouds_file))

    def fetch(self) -> Token:
        """Log in; raise SkipstoneError where keystone refuses or does not answer."""
        from keystoneauth1.exceptions import ClientException  # noqa: PLC0415

        session = self._login.new_session(_TIMEOUT)
        auth: Any = session.auth  # keystone's plugins have more than their base class says
        try:
            access = auth.get_access(session)
        except ClientException as fault:
            raise SkipstoneError(
                "keystone gives no token",
                where=self._login.url,
                evidence=f"{type(fault).__name__}: {fault}",
                remedy="check the entry of clouds.yaml with: openstack token issue",
            ) from fault
        if not access.project_id:
            raise InputError(
                "the credentials are not for a project", remedy="set project_name in clouds.yaml"
            )
        found = access.service_catalog.get_endpoints(interface="public", region_name=self._login.region_name)
        return Token(
            access.auth_token,
            time.time(),
            access.expires.timestamp(),
            {"project": access.project_id, "user": access.user_id, "domain": access.project_domain_id},
            {kind: points[0]["url"] for kind, points in found.items() if points},
        )

    def tls(self) -> ssl.SSLContext | bool:
        """Return what aiohttp wants as ``ssl``, with the authorities and certificate of clouds.yaml."""
        verify, cert = self._login.verify, self._login.cert
        if not verify:
            return False
        context = ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
        if cert:
            context.load_cert_chain(*([cert] if isinstance(cert, str) else cert))
        return context
