"""Who loses or gains what: made-up rules for each way in which that happens, and what real releases did."""

from collections.abc import Iterable
from typing import Any

import pytest

from skipstone.catalog import load_catalog
from skipstone.convert.option import Name
from skipstone.convert.policy.catalog import ReleaseRules, load_rules
from skipstone.convert.policy.conversion import convert
from skipstone.convert.policy.effective import Effective
from skipstone.convert.policy.effects import Effect, Turn, effects, grouped
from skipstone.convert.policy.enforcement import Enforcement, enforcements
from skipstone.convert.policy.permission import Permissions, Who
from skipstone.convert.policy.persona import PERSONAS, Owner, Persona
from skipstone.convert.policy.rule import Rule

ASKED = {"operations": [("GET", "/things")]}


def stage(
    rules: dict[str, dict[str, Any]],
    said: dict[str, str] | None = None,
    *,
    release: str = "zed",
    new: bool = False,
    scope: bool = False,
) -> Effective:
    found = {name: Rule.model_validate({**ASKED, **rule}) for name, rule in rules.items()}
    enforced = Enforcement(new_defaults=new, scope=scope, file="policy.yaml", repetitions_ignored=False)
    return Effective(ReleaseRules(release, found), said or {}, enforced)


def persona(name: str) -> Persona:
    return next(each for each in PERSONAS if each.name == name)


def names(whom: Iterable[Who]) -> set[str]:
    return {who.persona.name for who in whom}


def only(found: Iterable[Effect]) -> Effect:
    (effect,) = found
    return effect


def test_a_deprecated_default_counts_until_new_ones_are_enforced() -> None:
    old = {"get": {"check": "role:member"}}
    beside = {"get": {"check": "role:manager", "old": ("get", "role:member")}}
    assert effects("thing", [stage(old), stage(beside)]).changed == ()
    effect = only(effects("thing", [stage(old), stage(beside, new=True)]).changed)
    assert names(effect.turns[Turn.LOST]) == {"project member"}
    assert Turn.GAINED not in effect.turns


def test_what_a_file_says_outlives_every_default() -> None:
    said = {"get": "role:member"}
    before, after = {"get": {"check": "role:member"}}, {"get": {"check": "role:admin"}}
    assert effects("thing", [stage(before, said), stage(after, said)]).changed == ()
    assert effects("thing", [stage(before), stage(after)]).changed


def test_scopes_count_where_they_are_enforced() -> None:
    rules = {"get": {"check": "role:admin", "scopes": ["project"]}}
    effect = only(effects("thing", [stage(rules), stage(rules, scope=True)]).changed)
    assert names(effect.turns[Turn.LOST]) == {"system admin", "domain admin"}


def test_objects_are_told_apart_by_their_owner() -> None:
    before = {"get": {"check": "role:reader"}}
    after = {
        "get": {"check": "role:reader and (project_id:%(project_id)s or domain_id:%(target.domain_id)s)"}
    }
    lost = only(effects("thing", [stage(before), stage(after)]).changed).turns[Turn.LOST]
    assert {who.owner for who in lost} == {Owner.OTHERS}
    mine = {"get": {"check": "role:reader and user_id:%(user_id)s"}}
    lost = only(effects("thing", [stage(after), stage(mine)]).changed).turns[Turn.LOST]
    assert {who.owner for who in lost} == {Owner.PROJECT, Owner.DOMAIN}


def test_who_an_administrator_is_is_a_rule_too() -> None:
    rules: dict[str, dict[str, Any]] = {
        "context_is_admin": {"check": "role:admin", "operations": []},
        "get": {"check": "is_admin:True"},
    }
    effect = only(
        effects("thing", [stage(rules), stage(rules, {"context_is_admin": "role:manager"})]).changed
    )
    assert names(effect.turns[Turn.GAINED]) == {"domain manager", "project manager"}


def test_what_another_server_decides_is_not_told() -> None:
    rules = {"get": {"check": "http://authority/check"}, "put": {"check": "role:admin or not http://a/b"}}
    found = effects("thing", [stage(rules), stage({"get": {"check": "@"}, "put": {"check": "role:admin"}})])
    assert found.changed == ()
    assert found.untold == ("get", "put")


def test_a_rule_that_leads_to_itself_is_not_followed_for_ever() -> None:
    rules = {"get": {"check": "rule:a"}, "a": {"check": "rule:b"}, "b": {"check": "rule:a or role:admin"}}
    who = Who(persona("project admin"), Owner.SELF)
    assert Permissions("thing", stage(rules), who).allowed(["get"]) == {"get": True}
    who = Who(persona("project reader"), Owner.SELF)
    assert Permissions("thing", stage(rules), who).allowed(["get"]) == {"get": None}


def test_an_effect_has_the_release_that_made_it_and_the_old_name() -> None:
    stages = [
        stage({"old": {"check": "role:member"}}, release="xena"),
        stage({"new": {"check": "role:admin", "old": ("old", "role:member")}}, release="yoga"),
        stage({"new": {"check": "role:admin", "old": ("old", "role:member")}}, release="zed", new=True),
        stage({"new": {"check": "role:admin"}}, release="antelope", new=True),
    ]
    effect = only(effects("thing", stages).changed)
    assert (effect.name, effect.old, effect.since) == ("new", "old", "zed")
    assert (
        effects("thing", [stages[0], stages[-1]]).changed == ()
    )  # without the release that knows both names


def between(service: str, source: str, target: str, text: str = "", **settings: str) -> dict[str, Effect]:
    catalog, history = load_catalog(), load_rules(service)
    way = history.between(catalog.release(source), catalog.release(target))
    own = {Name("oslo_policy", name): value for name, value in settings.items()}
    enforced = enforcements(service, [each.release for each in way], own)
    done = convert({"policy.yaml": text}, history, way, enforced)
    return {effect.name: effect for effect in effects(service, done.stages).changed}


@pytest.mark.parametrize(
    ("service", "release"),
    [
        ("nova", "antelope"),
        ("glance", "antelope"),
        ("neutron", "bobcat"),
        ("heat", "caracal"),
        ("keystone", "dalmatian"),
        ("placement", "dalmatian"),
        ("cinder", "hibiscus"),
    ],
)
def test_new_defaults_are_enforced_from_the_release_that_its_notes_name(service: str, release: str) -> None:
    releases = load_rules(service).releases
    enforced = enforcements(service, releases, {})
    assert [name for name in releases if enforced[name].new_defaults] == list(
        releases[releases.index(release) :]
    )
    assert {enforced[name].scope for name in releases[releases.index(release) :]} == {True}


def test_nova_from_zed_to_2025_1() -> None:
    """docs.openstack.org/nova: a reader may look, no longer change; tokens for the system are refused."""
    found = between("nova", "zed", "2025.1")
    stop = found["os_compute_api:servers:stop"]
    assert stop.since == "antelope"
    assert {"project reader", "another role", "system admin"} <= names(stop.turns[Turn.LOST])
    assert not names(stop.turns[Turn.LOST]) & {"project admin", "project manager", "project member"}
    assert "project reader" not in names(found["os_compute_api:servers:show"].turns[Turn.LOST])
    kept = between("nova", "zed", "2025.1", enforce_new_defaults="false", enforce_scope="false")
    assert "os_compute_api:servers:stop" not in kept
    pinned = between("nova", "zed", "2025.1", '"os_compute_api:servers:stop": "rule:admin_or_owner"\n')
    assert names(pinned["os_compute_api:servers:stop"].turns[Turn.LOST]) == {"system admin", "domain admin"}


def test_neutron_takes_the_binding_profile_from_administrators() -> None:
    """Since 2024.1 it is the service role's alone; before, administrators were not even asked for."""
    found = between("neutron", "zed", "2025.1")["update_port:binding:profile"]
    assert "project admin" in names(found.turns[Turn.LOST])
    assert "service" in names(found.turns[Turn.GAINED])
    assert found.since == "caracal"


def test_the_same_changes_stand_together() -> None:
    found = list(grouped(between("placement", "zed", "2026.2").values()))
    assert found
    assert len({(turn, whom) for turn, whom, _ in found}) == len(found)
