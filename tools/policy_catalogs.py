#!/usr/bin/env python3
"""Writes what ``skipstone config policy`` knows of rules: ``tools/policy_catalogs.py [SERVICE...]``.

Every release whose toolchain can be built is asked for what its own services register, one process for each
release, a few seconds; what the files hold of one on Python 2.7 is kept. The files under
``src/skipstone/convert/policy/rules`` are made anew; the same releases make the same bytes. With ``--dumps
DIR`` what the services said is kept in DIR, and is not asked again where it is there.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from catalogs import write_catalogs

from skipstone.catalog.release import Release
from skipstone.convert.policy.catalog import RULES, known_services, load_rules
from skipstone.convert.policy.rule import Rule
from skipstone.settings import load_settings
from skipstone.toolchain.building import build
from skipstone.toolchain.program import run
from skipstone.toolchain.virtualenv import VirtualenvToolchain

HERE = Path(__file__).parent
SECONDS = 600


def dump(toolchain: VirtualenvToolchain, files: Mapping[str, Path]) -> None:
    """Write what services of a release register, each into its file."""
    jobs = [f"{service}={path}" for service, path in files.items()]
    program = toolchain.python(next(iter(files)), (str(HERE / "oslo_policies.py"), *jobs))
    run(
        program.argv,
        what=f"the policy rules of {toolchain.release} cannot be had",
        where=str(toolchain.directory),
        timeout=SECONDS,
        changes=program.environment,
    )


def read(said: Iterable[dict[str, Any]]) -> dict[str, Rule]:
    """Return a release's rules by name; of two with one name oslo.policy refuses the second."""
    return {entry.pop("name"): Rule.model_validate(entry) for entry in said}


def asked(release: Release, services: Iterable[str], dumps: Path) -> dict[str, Mapping[str, Rule]]:
    """Return the rules of a release by service; those that have none in code are left out."""
    toolchain = build(release, load_settings())
    files = {name: dumps / f"{release.version}-{name}.json" for name in services if toolchain.version(name)}
    if missing := {name: path for name, path in files.items() if not path.exists()}:
        dump(toolchain, missing)
    said = {name: read(json.loads(path.read_text("utf-8"))) for name, path in files.items()}
    return {name: rules for name, rules in said.items() if rules}


def kept(release: Release, services: Iterable[str]) -> dict[str, Mapping[str, Rule]]:
    """Return what the files hold of a release by service, where they hold anything."""
    known = {name: load_rules(name) for name in services if name in known_services()}
    return {
        name: history.at(str(release)).rules
        for name, history in known.items()
        if str(release) in history.releases
    }


if __name__ == "__main__":
    write_catalogs(__doc__, RULES, asked=asked, kept=kept, key=lambda name: (name,))
