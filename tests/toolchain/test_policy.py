"""What Skipstone says of a policy, judged by the releases' own enforcers: every rule, every persona.

Needs the toolchains (the package index, or a warm uv cache). ``--releases all --routes all`` asks all of
them.
"""

import json
import random
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from skipstone.catalog import load_catalog
from skipstone.convert.policy.catalog import ReleaseRules, known_services, load_rules
from skipstone.convert.policy.conversion import PolicyConversion, convert
from skipstone.convert.policy.document import read_document
from skipstone.convert.policy.effective import Effective
from skipstone.convert.policy.enforcement import enforcements
from skipstone.convert.policy.permission import EVERYBODY, Allowed, Permissions, Who
from skipstone.convert.policy.persona import Target
from skipstone.settings import load_settings
from skipstone.toolchain.building import build
from skipstone.toolchain.lock import locks_of
from skipstone.toolchain.program import run
from skipstone.toolchain.virtualenv import VirtualenvToolchain

pytestmark = [pytest.mark.real, pytest.mark.network, pytest.mark.timeout(1800)]

ASKING = Path(__file__).parent / "content" / "ask_policy.py"
CHECKS = (
    "role:admin",
    "role:reader or role:service",
    "project_id:%(project_id)s and not role:reader",
    "rule:operators",
    "@",
    "!",
    "(role:manager and domain_id:%(domain_id)s) or user_id:%(user_id)s",
    "True:%(nothing)s or system_scope:all",
)


def overriding(rules: ReleaseRules, seed: str) -> str:
    """Return a policy that sets a third of the rules, some by old names, some to what is the default."""
    dice = random.Random(seed)  # noqa: S311 - no secret, and the same every time
    old_names = [old for old, _ in rules.renamed() if not old.startswith("rule:")]
    defaults = {name: rule.check for name, rule in rules.rules.items()}
    names = dice.sample(sorted({*defaults, *old_names}), k=len(defaults) // 3)
    lines = [
        f"{json.dumps(name)}: {json.dumps(dice.choice([*CHECKS, defaults.get(name, '@')]))}" for name in names
    ]
    return "\n".join(['"operators": "role:manager"', *lines]) + "\n"


def keys(rules: ReleaseRules, text: str) -> set[str]:
    checks = [rule.check for rule in rules.rules.values()]
    checks += [rule.old.check for rule in rules.rules.values() if rule.old]
    return {key for check in [*checks, text] for key in re.findall(r"%\(([^)]*)\)s", check)}


def ask(
    toolchain: VirtualenvToolchain, rules: ReleaseRules, service: str, text: str, directory: Path
) -> Mapping[str, Any]:
    """Return what a service's own enforcer says."""
    file, question, answer = directory / "policy.yaml", directory / "question", directory / "answer"
    file.write_text(text, encoding="utf-8")
    askers = [
        {
            "target": {key: Target(who.owner)[key] for key in keys(rules, text)},
            "credentials": who.persona.credentials(admin=False),
        }
        for who in EVERYBODY
    ]
    asked = {"file": str(file) if text else "", "askers": askers}
    question.write_text(json.dumps(asked), encoding="utf-8")
    program = toolchain.python(service, (str(ASKING), service, str(question), str(answer)))
    run(program.argv, what="it does not answer", where=service, timeout=600, changes=program.environment)
    said: Mapping[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
    return said


def differences(
    service: str, effective: Effective, said: Mapping[str, Any]
) -> Iterable[tuple[Who, str, Allowed]]:
    names = set(effective.release.rules)
    for who, theirs in zip(EVERYBODY, said["answers"], strict=True):
        assert set(theirs) == names
        # neutron asks no enforcer for administrators while new defaults are not enforced
        if service == "neutron" and not effective.enforcement.new_defaults and theirs["context_is_admin"]:
            continue
        ours = Permissions(service, effective, who).allowed(names)
        yield from ((who, name, theirs[name]) for name in sorted(names) if ours[name] != theirs[name])


def said_of(service: str, release: str) -> tuple[VirtualenvToolchain, ReleaseRules]:
    if locks_of(load_catalog().release(release))[0].python.startswith("2."):
        pytest.skip(f"{release} has another Python than what asks")
    toolchain = build(load_catalog().release(release), load_settings())
    if not toolchain.version(service) or str(toolchain.release) not in load_rules(service).releases:
        pytest.skip(f"{release} has no rules of {service} in its code")
    return toolchain, load_rules(service).at(str(toolchain.release))


@pytest.mark.parametrize("service", known_services())
@pytest.mark.parametrize("seed", ["", "some"])
def test_every_persona_passes_what_the_service_itself_lets_it_pass(
    service: str, seed: str, release: Any, tmp_path: Path
) -> None:
    toolchain, rules = said_of(service, str(release))
    text = overriding(rules, seed) if seed else ""
    said = ask(toolchain, rules, service, text, tmp_path)
    enforced = enforcements(service, [rules.release], {})[rules.release]
    assert (enforced.new_defaults, enforced.scope) == (said["new_defaults"], said["scope"])
    entries = read_document("policy.yaml", text).entries
    effective = Effective(rules, {entry.name: entry.value for entry in entries}, enforced)
    assert list(differences(service, effective, said)) == []


def converted(service: str, pair: str, *, seed: str) -> PolicyConversion:
    source, target = (load_catalog().release(name) for name in pair.split("-", 1))
    history = load_rules(service)
    way = history.between(source, target)
    text = overriding(way[0], seed)
    enforced = enforcements(service, [each.release for each in way], {})
    return convert({"policy.yaml": text}, history, way, enforced)


@pytest.mark.parametrize("service", known_services())
def test_a_converted_file_does_in_the_target_what_effects_are_told_of(
    service: str, pair: str, tmp_path: Path
) -> None:
    said_of(service, pair.split("-", 1)[0])
    toolchain, rules = said_of(service, pair.split("-", 1)[1])
    done = converted(service, pair, seed="carried")
    (file,) = done.files
    said = ask(toolchain, rules, service, file.text, tmp_path)
    assert list(differences(service, done.stages[-1], said)) == []


@pytest.mark.parametrize("service", known_services())
def test_conversion_changes_nothing_that_the_next_release_would_do_with_the_old_file(
    service: str, pair: str, tmp_path: Path
) -> None:
    """oslo.policy of one release reads the names of the one before: both files must mean the same there."""
    releases = load_rules(service).releases
    source = str(load_catalog().release(pair.split("-", 1)[0]))
    if source not in releases:
        pytest.skip(f"{source} has no rules of {service} in its code")
    following = releases[releases.index(source) + 1]
    toolchain, rules = said_of(service, following)
    done = converted(service, f"{source}-{following}", seed="next")
    (file,) = done.files
    before = "".join(line.text for line in file.before)
    assert ask(toolchain, rules, service, before, tmp_path) == ask(
        toolchain, rules, service, file.text, tmp_path
    )
