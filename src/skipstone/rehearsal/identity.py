"""An account of the rehearsal's own in the copy of keystone, and what it added there."""

import base64
import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from skipstone.catalog import Service
from skipstone.rehearsal.server import PrivateServer

NOWHERE = "http://127.0.0.1:9/"
"""The discard port: where addresses of services lead that are not here."""

TABLES = ("project", "user", "role", "service", "endpoint", "region")
KEYS = ("fernet-keys", "credential-keys")
DOMAIN = "default"


@dataclass(frozen=True)
class Account:
    """An administrator with a project, known to nobody else."""

    name: str = field(default_factory=lambda: f"skipstone-rehearsal-{secrets.token_hex(4)}")
    password: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)

    def login(self, keystone: str) -> dict[str, str]:
        """Return what keystoneauth logs in with; ``keystone`` is its address."""
        return {
            "auth_url": keystone,
            "username": self.name,
            "password": self.password,
            "project_name": self.name,
            "user_domain_id": DOMAIN,
            "project_domain_id": DOMAIN,
        }

    def options(self, keystone: str, section: str) -> dict[str, str]:
        """Return the options, ``section/option``, with which a service checks its users' tokens."""
        values = self.login(keystone) | {"auth_type": "password", "region_name": self.name}
        return {f"{section}/{option}": value for option, value in values.items()}

    def bootstrap(self, configuration: str, keystone: str) -> tuple[str, ...]:
        """Return the command line that makes the account; its password is in the variables."""
        urls = (f"--bootstrap-{name}-url={keystone}" for name in ("public", "internal", "admin"))
        return (
            "keystone-manage", "--config-file", configuration, "bootstrap",
            f"--bootstrap-username={self.name}", f"--bootstrap-project-name={self.name}",
            "--bootstrap-role-name=admin", "--bootstrap-service-name=keystone",
            f"--bootstrap-region-id={self.name}", *urls,
        )  # fmt: skip

    def hidden(self, text: str) -> str:
        """Return a text without the password."""
        return text.replace(self.password, "***")

    @property
    def variables(self) -> Mapping[str, str]:
        """What the bootstrap is told that no list of processes may show."""
        return {"OS_BOOTSTRAP_PASSWORD": self.password}


def write_keys(directory: Path) -> None:
    """Write keys for tokens and credentials: what ``fernet_setup`` makes, without its five seconds."""
    for name in KEYS:
        (directory / name).mkdir(mode=0o700)
        for number in ("0", "1"):
            path = directory / name / number
            path.touch(mode=0o600)
            path.write_bytes(base64.urlsafe_b64encode(os.urandom(32)))


def with_keys(service: Service, directory: Path) -> Mapping[str, str]:
    """Write a service's keys into its new directory, and return the options that lead to them.

    keystone's commands look for them too: without, ``trust_flush`` does nothing but say so.
    """
    directory.mkdir(parents=True)
    options = service.serving.options if service.serving else {}
    named = {option: value for option, value in options.items() if option.endswith("/key_repository")}
    if named:
        write_keys(directory)
    return {option: value.replace("{directory}", str(directory)) for option, value in named.items()}


def known_ids(server: PrivateServer, database: str) -> frozenset[str]:
    """Return the ids of everything that a bootstrap may add to."""
    asked = "; ".join(f"SELECT id FROM `{database}`.`{table}`" for table in TABLES)
    return frozenset(row[0] for row in server.query(asked))


def redirect_endpoints(
    server: PrivateServer, database: str, services: Iterable[Service], roots: Mapping[str, str]
) -> None:
    """Let every endpoint of the copy lead to this machine: to the API that is started, or to nothing.

    ``roots`` are the APIs' addresses.
    """
    statements = [f"UPDATE endpoint SET url = '{NOWHERE}'"]
    for service in services:
        address = roots[service.name] + (service.serving.endpoint if service.serving else "")
        types = ", ".join(f"'{name}'" for name in service.types)
        statements.append(
            f"UPDATE endpoint AS e JOIN service AS s ON s.id = e.service_id SET e.url = '{address}'"
            f" WHERE s.type IN ({types})"
        )
    server.query(f"USE `{database}`; {'; '.join(statements)}")
