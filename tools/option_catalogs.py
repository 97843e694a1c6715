#!/usr/bin/env python3
"""Writes what ``skipstone config convert`` knows of options: ``tools/option_catalogs.py [SERVICE...]``.

Every release whose toolchain can be built is asked with its own ``oslo-config-generator``, one process
for each release, half a minute; what the files hold of one on Python 2.7 is kept. The files under
``src/skipstone/convert/options`` are made anew; the same releases make the same bytes. With ``--dumps DIR``
what the generators said is kept in DIR, and is not asked again where it is there.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from catalogs import write_catalogs
from oslo_options import ADDRESSES, NAME, PROCESSORS

from skipstone.catalog.loader import load_catalog
from skipstone.catalog.release import Release
from skipstone.convert.inifile import normal
from skipstone.convert.option import Name, Option
from skipstone.convert.options import OPTIONS, known_services, load_history
from skipstone.settings import load_settings
from skipstone.toolchain.building import build
from skipstone.toolchain.program import run
from skipstone.toolchain.virtualenv import VirtualenvToolchain
from skipstone.validation.validation import namespaces

HERE = Path(__file__).parent
NAMESPACES = namespaces()
SECONDS = 3600

RABBIT = "oslo_messaging_rabbit"
MISPLACED: Mapping[str, tuple[Name, ...]] = {
    "rpc_conn_pool_size": (Name("DEFAULT", "rpc_conn_pool_size"),),
    "conn_pool_min_size": (),
    "conn_pool_ttl": (),
}
"""Options with their older names that oslo.messaging up to 2024.2 lists below [DEFAULT] (opts.py, None:
base_opts), and that its driver registers in its own group (impl_rabbit.py)."""

EXCHANGE = Name("DEFAULT", "control_exchange")
LEVELS = Name("DEFAULT", "default_log_levels")
POLICY = Name("oslo_policy", "policy_file")
STARTED: Mapping[str, Mapping[Name, Mapping[str, str]]] = {
    "glance": {EXCHANGE: {"stein": "glance"}},  # notifier.py
    "heat": {EXCHANGE: {"rocky": "heat"}},  # common/messaging.py
    "neutron": {  # common/config.py, policy.py
        EXCHANGE: {"rocky": "neutron"},
        POLICY: {"rocky": "policy.json", "wallaby": "policy.yaml"},
    },
    "nova": {  # config.py, policy.py
        EXCHANGE: {"stein": "nova"},
        POLICY: {"stein": "policy.json", "victoria": "policy.yaml"},
    },
}
"""What services make of libraries' defaults when they start, by the first release that does: the generator
starts none, and sees it in some releases only, in which a default would then seem to change."""

_FLOWS = ("OFPHandler=INFO", "OfctlService=INFO")
_RYU = ("ryu.base.app_manager=INFO", "ryu.controller.controller=INFO")
_OS_KEN = ("os_ken.base.app_manager=INFO", "os_ken.controller.controller=INFO")
_OVSDB = "ovsdbapp.backend.ovs_idl.vlog=INFO"
STARTED_LEVELS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "keystone": {"rocky": ("dogpile=INFO", "routes=INFO")},  # conf/__init__.py
    "neutron": {  # common/config.py
        "rocky": (*_FLOWS, *_RYU, _OVSDB),
        "stein": (*_FLOWS, *_OS_KEN, _OVSDB),
        "ussuri": (*_FLOWS, *_OS_KEN),
    },
    "nova": {"stein": ("glanceclient=WARN", "oslo.privsep.daemon=INFO")},  # config.py
    "placement": {"stein": ("routes=INFO",)},  # wsgi.py
}
"""The levels that they add to those of oslo.log, likewise."""

Options = dict[Name, Option]


def dump(toolchain: VirtualenvToolchain, files: Mapping[str, Path]) -> None:
    """Write what the generator of a release says of services' options, each into its file."""
    program = toolchain.command(next(iter(files)), ("oslo-config-generator",))
    jobs = [f"{path}={','.join(NAMESPACES[service])}" for service, path in files.items()]
    libraries = f"every={','.join(NAMESPACES['every'])}"
    argv = (*program.argv[:-1], str(HERE / "oslo_options.py"), libraries, *jobs)
    run(
        argv,
        what=f"the options of {toolchain.release} cannot be had",
        where=str(toolchain.directory),
        timeout=SECONDS,
        changes=program.environment,
    )


def of_machine(default: Any, directory: Path) -> bool:  # noqa: ANN401 - whatever JSON holds
    """Whether a default tells of the machine that the generator ran on."""
    traces = (NAME, *ADDRESSES, str(directory), str(Path.home()), "<not serializable")
    if isinstance(default, str):
        return any(trace in default for trace in traces)
    return default in (PROCESSORS, PROCESSORS // 2, PROCESSORS - 1, PROCESSORS + 1, PROCESSORS * 2)


def read(said: Mapping[str, Any], directory: Path) -> Options:
    """Return a release's options from what its generator said."""
    entries: dict[Name, list[tuple[str, Option]]] = defaultdict(list)
    for group, listed in said["options"].items():
        for entry in listed["opts"]:
            name = Name(normal(group), entry["dest"])
            entries[name].append((entry["namespace"], option(entry, name, directory)))
    return {name: merged([found for _, found in sorted(all_, key=str)]) for name, all_ in entries.items()}


def placed(options: Options) -> Options:
    """Return a release's options where they are read, not where a library lists them."""
    found = dict(options)
    for name, aliases in MISPLACED.items():
        listed = found.pop(Name("DEFAULT", name), None)
        if listed:
            found.setdefault(Name(RABBIT, name), listed.model_copy(update={"aliases": aliases}))
    return found


def started(service: str, release: Release, options: Options) -> Options:
    """Return a service's options with the defaults that it has once it has started."""
    defaults: dict[Name, Any] = {
        name: newest(values, release) for name, values in STARTED.get(service, {}).items()
    }
    if more := newest(STARTED_LEVELS.get(service, {}), release):
        listed = options[LEVELS].default
        defaults[LEVELS] = list(dict.fromkeys([*listed, *more])) if isinstance(listed, list) else listed
    changed = {name: options[name].model_copy(update={"default": value}) for name, value in defaults.items()}
    return {**options, **changed}


def newest(values: Mapping[str, Any], release: Release) -> Any:  # noqa: ANN401 - whatever is a default
    """Return the value of the newest release up to this one, or None."""
    known = (
        value for since, value in reversed([*values.items()]) if load_catalog().release(since) <= release
    )
    return next(known, None)


def option(entry: Mapping[str, Any], name: Name, directory: Path) -> Option:
    """Return one option from the generator's entry."""
    varies = of_machine(entry["default"], directory)
    aliases = (
        Name(normal(old["group"] or "DEFAULT"), old["name"].replace("-", "_"))
        for old in entry["deprecated_opts"]
    )
    return Option(
        type=entry["type"],
        default=None if varies else entry["default"],
        varies=varies,
        choices=tuple(value for value, _ in entry["choices"]),
        min=entry["min"],
        max=None if of_machine(entry["max"], directory) else entry["max"],
        many=entry.get("many", False),
        secret=entry["secret"],
        deprecated=entry["deprecated_for_removal"],
        since=entry["deprecated_since"] or "",
        reason=" ".join((entry["deprecated_reason"] or "").split()),
        aliases=tuple(dict.fromkeys(alias for alias in aliases if alias != name)),
    )


def merged(same: list[Option]) -> Option:
    """Return one option for those that several namespaces define under one name (neutron's agents)."""
    first = same[0]
    aliases = tuple(dict.fromkeys(alias for each in same for alias in each.aliases))
    differ = any(not first.same_default(other) for other in same)
    changes: dict[str, Any] = {"aliases": aliases}
    if differ:
        changes |= {"varies": True, "default": None}
    if len({each.choices for each in same}) > 1:
        changes["choices"] = ()
    if len({(each.min, each.max) for each in same}) > 1:
        changes |= {"min": None, "max": None}
    return first.model_copy(update=changes)


def asked(release: Release, services: Iterable[str], dumps: Path) -> dict[str, Options]:
    """Return the options of a release by service; those that its toolchain has not are left out."""
    toolchain = build(release, load_settings())
    present = [name for name in services if toolchain.version(name)]
    files = {name: dumps / f"{release.version}-{name}.json" for name in present}
    if missing := {name: path for name, path in files.items() if not path.exists()}:
        dump(toolchain, missing)
    return {
        name: started(name, release, placed(read(json.loads(path.read_text("utf-8")), toolchain.directory)))
        for name, path in files.items()
    }


def kept(release: Release, services: Iterable[str]) -> dict[str, Options]:
    """Return what the files hold of a release by service, where they hold anything."""
    known = {name: load_history(name) for name in services if name in known_services()}
    return {
        name: started(name, release, dict(history.at(str(release)).options))
        for name, history in known.items()
        if str(release) in history.releases
    }


if __name__ == "__main__":
    write_catalogs(__doc__, OPTIONS, asked=asked, kept=kept, key=tuple)
