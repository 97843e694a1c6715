"""The target's own APIs on the migrated copies: started, asked for everything, compared with the source."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from skipstone.catalog import Catalog, Release, Service
from skipstone.rehearsal.comparing import Compared, compare, made_on
from skipstone.rehearsal.configuration import write_configurations
from skipstone.rehearsal.databases import LoadedDatabase
from skipstone.rehearsal.facts import ROWS_AT_MOST, Held
from skipstone.rehearsal.identity import Account, known_ids, redirect_endpoints, write_keys
from skipstone.rehearsal.report import Asked
from skipstone.rehearsal.server import PrivateServer
from skipstone.rehearsal.serving import COMMON, Api, ApiServers, free_ports, loopback
from skipstone.rehearsal.watcher import Watcher
from skipstone.toolchain.toolchain import Toolchain

KEYSTONE = "keystone"
SAID = 2000
"""Characters of what an API has said that are kept, from their end."""

GONE = "its databases did not arrive"
NOBODY = "nobody can log in: keystone is not among the dumps, or did not arrive, or does not answer"


@dataclass(frozen=True)
class ApiDone:
    """What became of one API; ``seconds`` are those from its start to its first answer."""

    service: str
    asked: Asked
    seconds: float = 0.0
    compared: tuple[Compared, ...] = ()
    trouble: str = ""


@dataclass(frozen=True)
class Audience:
    """What the APIs are started with, and what is compared with their answers.

    ``arrived`` are the services whose databases have the target's schema, ``passed`` the releases whose code
    has worked on them, ``held`` what the source's databases held; all per service.
    """

    server: PrivateServer
    catalog: Catalog
    release: Release
    toolchain: Toolchain
    databases: tuple[LoadedDatabase, ...]
    arrived: tuple[str, ...]
    passed: Mapping[str, Sequence[Release]]
    held: Mapping[str, Sequence[Held]]
    watcher: Watcher

    def ask(self, prefix: Sequence[str]) -> tuple[ApiDone, ...]:
        """Start the APIs, ask them, end them; one that cannot be asked is in the answer, with the reason."""
        absent = [
            ApiDone(name, Asked.LEFT_OUT, trouble=GONE) for name in self.held if name not in self.arrived
        ]
        if KEYSTONE not in self.arrived:
            return (*absent, *(ApiDone(name, Asked.LEFT_OUT, trouble=NOBODY) for name in self.arrived))
        home = self.server.directory / "apis"
        home.mkdir(mode=0o700)
        account = Account()
        with ApiServers(self.release, self.toolchain, prefix, home / "programs") as servers:
            self._start(servers, account, home)
            own, trouble = self._make_account(servers, account, home / KEYSTONE)
            ready = {api.service.name: api for api in servers.wait(self.watcher.advance) if api.listens}
            answers = _Answers({}, trouble or NOBODY)
            if KEYSTONE in ready and not trouble:
                answers = self._answers(servers, account, ready, home)
            return (*(self._done(api, ready, answers, own, account) for api in servers.apis), *absent)

    def _start(self, servers: ApiServers, account: Account, home: Path) -> None:
        """Let the copies lead to this machine alone, then start every API that can be."""
        services = [service for service in map(self.catalog.service, self.arrived) if service.serving]
        ports = dict(zip((one.name for one in services), free_ports(len(services)), strict=True))
        roots = {name: loopback(port) for name, port in ports.items()}
        redirect_endpoints(self.server, self._own(KEYSTONE)[0].name, services, roots)
        for service in services:
            directory = home / service.name
            directory.mkdir(mode=0o700)
            if service.name == KEYSTONE:
                write_keys(directory)
            servers.start(service, self._configure(service, directory, roots, account), ports[service.name])

    def _configure(
        self, service: Service, directory: Path, roots: Mapping[str, str], account: Account
    ) -> Path:
        serving = service.serving
        assert serving is not None  # noqa: S101 - for the type checker: it is being started
        policy = directory / "policy.yaml"
        policy.write_text(json.dumps(serving.policy))
        options = COMMON | serving.options | {"oslo_policy/policy_file": str(policy)}
        for name, place in {"directory": str(directory), **roots}.items():
            options = {option: value.replace(f"{{{name}}}", place) for option, value in options.items()}
        for section in serving.logins:
            options |= account.options(f"{roots[KEYSTONE]}/v3", section)
        if service.skew and service.skew.workaround.covers(self.release):
            # the copies know the computes of the old release, which the new API would refuse to start with
            rule = service.skew.workaround
            options[f"{rule.section}/{rule.option}"] = rule.value
        return write_configurations(self.server, service, self._own(service.name), directory, options)[0]

    def _own(self, service: str) -> list[LoadedDatabase]:
        return [one for one in self.databases if one.service == service]

    def _make_account(self, servers: ApiServers, account: Account, home: Path) -> tuple[frozenset[str], str]:
        """Make the account; return the ids of what that added, and what was said where it failed."""
        database = self._own(KEYSTONE)[0].name
        before = known_ids(self.server, database)
        keystone = next(api.url for api in servers.apis if api.service.name == KEYSTONE)
        configuration = home / Path(self.catalog.service(KEYSTONE).config_files[0]).name
        command = account.bootstrap(str(configuration), keystone)
        code, said = servers.run(KEYSTONE, command, home, account.variables)
        return known_ids(self.server, database) - before, f"{command[0]} bootstrap: {said}" if code else ""

    def _answers(
        self, servers: ApiServers, account: Account, ready: Mapping[str, Api], home: Path
    ) -> "_Answers":
        question = {
            "auth": account.login(ready[KEYSTONE].url),
            "services": [
                {
                    "service": name,
                    "type": api.serving.type,
                    "url": api.url,
                    "resources": [_question(one) for one in self.held[name] if not _hindrance(one, ready)],
                }
                for name, api in ready.items()
            ],
        }
        code, answer, said = servers.ask(KEYSTONE, json.dumps(question), home)
        return _Answers(json.loads(answer) if code == 0 else {}, said)

    def _done(
        self, api: Api, ready: Mapping[str, Api], answers: "_Answers", own: frozenset[str], account: Account
    ) -> ApiDone:
        name = api.service.name
        if name not in ready or name not in answers.services:
            words = answers.trouble if name in ready else api.last_words
            return ApiDone(name, Asked.SILENT, trouble=account.hidden(words)[-SAID:])
        answer = answers.services[name]
        changes = made_on(api.service.changes, self.passed[name])
        compared = []
        for held in self.held[name]:
            found = answer["resources"].get(held.resource.name, {})
            if why := _hindrance(held, ready):
                compared.append(Compared(replace(held, unread=why)))
            elif "rows" in found:
                compared.append(compare(held, found["rows"], changes, own))
            else:
                compared.append(Compared(held, error=account.hidden(found["error"])))
        return ApiDone(name, Asked.ANSWERED, (answer["first"] or api.began) - api.began, tuple(compared))


@dataclass(frozen=True)
class _Answers:
    """What the asking program said of each service; ``trouble`` is why there is nothing of one."""

    services: Mapping[str, Any]
    trouble: str


def _hindrance(held: Held, ready: Mapping[str, Api]) -> str:
    """Return why a kind cannot be asked for; empty where it can."""
    missing = [name for name in held.resource.needs if name not in ready]
    return held.unread or (f"its answer needs the API of {', '.join(missing)}" if missing else "")


def _question(held: Held) -> dict[str, Any]:
    resource = held.resource
    return {
        "name": resource.name,
        "key": resource.key,
        "fields": list(resource.fields),
        "asked": resource.asked.model_dump(),
        "limit": ROWS_AT_MOST + 1,
    }
