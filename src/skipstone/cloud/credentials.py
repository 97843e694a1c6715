"""The operator's credentials for the cloud's APIs: an entry of clouds.yaml, and sessions made with it."""

import logging
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skipstone.errors import InventoryError

if TYPE_CHECKING:
    from keystoneauth1.plugin import BaseAuthPlugin
    from keystoneauth1.session import Session
    from openstack.config.cloud_region import CloudRegion


def read_region(cloud: str | None, clouds_file: Path | None, *, where: str = "clouds.yaml") -> "CloudRegion":
    """Return an entry as openstacksdk reads it (``secure.yaml``, environment and all); nothing is sent.

    ``cloud`` names the entry, else OS_CLOUD does. Raise InventoryError, which names ``where``, when there are
    no usable credentials. Imports openstacksdk: half a second.
    """
    from openstack.config import OpenStackConfig  # noqa: PLC0415 - slow, and not needed by other verbs

    # keystoneauth also logs what it raises; without a handler, Python would print that on stderr
    logging.getLogger("keystoneauth").addHandler(logging.NullHandler())
    files = [str(clouds_file)] if clouds_file else None
    try:
        with warnings.catch_warnings():
            # openstacksdk 4.22 warns of its own InfluxDB support even where none is configured
            warnings.simplefilter("ignore")
            # OS_CLIENT_CONFIG_FILE would go before a file that was named
            config = OpenStackConfig(config_files=files, load_envvars=files is None)
            region = config.get_one(cloud=cloud or os.environ.get("OS_CLOUD"))
            region.get_auth()
    except _faults() as error:
        raise InventoryError(
            "there are no usable credentials for the cloud's API",
            where=where,
            evidence=str(error),
            remedy="name an entry of clouds.yaml with `cloud:` (and `clouds_file:`), or set OS_CLOUD",
        ) from error
    return region


@dataclass(frozen=True)
class Login:
    """One entry of clouds.yaml, read and merged: all that keystoneauth needs, and no openstacksdk (21 MB).

    ``auth`` are the options of keystoneauth's plugin ``auth_type``; ``verify`` and ``cert`` as in requests.
    """

    auth_type: str
    auth: Mapping[str, Any] = field(repr=False)
    verify: bool | str | None
    cert: str | tuple[str, str] | None
    region_name: str | None

    @property
    def url(self) -> str:
        """Where keystone is."""
        return str(self.auth.get("auth_url", ""))

    def new_session(self, timeout: float) -> "Session":
        """Return a session of its own, with a plugin of its own; ``timeout`` seconds for one request."""
        from keystoneauth1.loading import get_plugin_loader  # noqa: PLC0415 - slow
        from keystoneauth1.session import Session  # noqa: PLC0415 - slow

        auth: BaseAuthPlugin = get_plugin_loader(self.auth_type).load_from_options(**self.auth)
        return Session(auth=auth, verify=self.verify, cert=self.cert, timeout=timeout)


def read_login(cloud: str | None, clouds_file: Path | None) -> Login:
    """Return what an entry of clouds.yaml says; as ``read_region``, but free of openstacksdk's classes."""
    region = read_region(cloud, clouds_file, where=str(clouds_file or "clouds.yaml"))
    verify, cert = region.get_requests_verify_args()
    return Login(
        region.config["auth_type"], region.config["auth"], verify, cert, region.get_region_name() or None
    )


def new_session(region: "CloudRegion", timeout: float) -> "Session":
    """Return a session of its own, with ``timeout`` seconds for one request."""
    from keystoneauth1.session import Session  # noqa: PLC0415 - as above

    verify, cert = region.get_requests_verify_args()
    return Session(auth=region.get_auth(), verify=verify, cert=cert, timeout=timeout)


def _faults() -> tuple[type[Exception], ...]:
    from keystoneauth1.exceptions import ClientException  # noqa: PLC0415 - as above
    from openstack.exceptions import SDKException  # noqa: PLC0415 - as above

    return (SDKException, ClientException, OSError, ValueError)
