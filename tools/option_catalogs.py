#!/usr/bin/env python3
"""Writes what ``skipstone config convert`` knows of options: ``tools/option_catalogs.py [SERVICE...]``.

Every release whose toolchain can be built is asked with its own ``oslo-config-generator``, one process
for each release, half a minute. The files under ``src/skipstone/convert/options`` are made anew;
the same releases make the same bytes. With ``--dumps DIR`` what the generators said is kept in DIR, and is
not asked again where it is there.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from oslo_options import ADDRESSES, NAME, PROCESSORS

from skipstone.catalog import load_catalog
from skipstone.catalog.release import Release
from skipstone.convert.inifile import normal
from skipstone.convert.option import Name, Option
from skipstone.convert.options import OPTIONS
from skipstone.settings import load_settings
from skipstone.toolchain.building import build
from skipstone.toolchain.lock import has_lock
from skipstone.toolchain.program import run
from skipstone.toolchain.virtualenv import VirtualenvToolchain

HERE = Path(__file__).parent
NAMESPACES: Mapping[str, list[str]] = yaml.safe_load((HERE / "option_catalogs.yaml").read_text("utf-8"))
# cannot be asked: the Python of its toolchain does not read glance.async
SILENT = {("glance", "rocky")}

SECONDS = 3600

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


def histories(by_release: Mapping[str, Options]) -> Iterable[str]:
    """Yield a line per option: its definitions, each under the first release that has it; null: gone."""
    yield json.dumps({"releases": list(by_release)})
    for name in sorted({name for options in by_release.values() for name in options}):
        history: dict[str, Any] = {}
        last: Option | None = None
        for release, options in by_release.items():
            now = options.get(name)
            if now != last:
                history[release] = now and now.model_dump(mode="json", exclude_defaults=True)
            last = now
        yield json.dumps([*name, history], separators=(",", ":"), ensure_ascii=False)


def asked(release: Release, services: Iterable[str], dumps: Path) -> dict[str, Options]:
    """Return the options of a release by service; those that its toolchain has not are left out."""
    toolchain = build(release, load_settings())
    present = [name for name in services if toolchain.version(name) and (name, str(release)) not in SILENT]
    files = {name: dumps / f"{release.version}-{name}.json" for name in present}
    if missing := {name: path for name, path in files.items() if not path.exists()}:
        dump(toolchain, missing)
    return {
        name: read(json.loads(path.read_text("utf-8")), toolchain.directory) for name, path in files.items()
    }


def main() -> None:
    """Write the files of the services that are named, or of all."""
    catalog = load_catalog()
    names = [service.name for service in catalog.services]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("services", nargs="*", metavar="SERVICE")
    parser.add_argument("--dumps", type=Path, help="keep what the generators say in this directory")
    arguments = parser.parse_args()
    with TemporaryDirectory() as scratch:
        dumps = arguments.dumps or Path(scratch)
        dumps.mkdir(parents=True, exist_ok=True)
        wanted = arguments.services or names
        found = {
            str(release): asked(release, wanted, dumps) for release in catalog.releases if has_lock(release)
        }
    for name in wanted:
        by_release = {release: options[name] for release, options in found.items() if name in options}
        path = OPTIONS / f"{name}.jsonl"
        path.write_text("\n".join(histories(by_release)) + "\n", "utf-8")
        print(f"{name}: {len(by_release)} releases, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
