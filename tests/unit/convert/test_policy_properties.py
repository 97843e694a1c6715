"""What must hold for every service, every two releases and every policy: not samples, properties."""

import json
from collections.abc import Mapping
from functools import cache

from hypothesis import example, given, settings
from hypothesis import strategies as st

from skipstone.catalog import load_catalog
from skipstone.convert.policy.carriage import Carriage
from skipstone.convert.policy.catalog import ReleaseRules, RuleHistory, known_services, load_rules
from skipstone.convert.policy.check import Value, parse
from skipstone.convert.policy.conversion import PolicyConversion, convert
from skipstone.convert.policy.document import Entry, read_document
from skipstone.convert.policy.effective import Effective
from skipstone.convert.policy.effects import effects
from skipstone.convert.policy.enforcement import Enforcement, enforcements
from skipstone.convert.policy.permission import EVERYBODY, Allowed, Permissions, Who
from skipstone.convert.remark import Matter

histories = cache(load_rules)


@cache
def enforced(service: str) -> Mapping[str, Enforcement]:
    return enforcements(service, histories(service).releases, {})


Way = tuple[RuleHistory, tuple[ReleaseRules, ...]]
CHECKS = [
    "role:admin",
    "role:operator",
    "",
    "!",
    "rule:context_is_admin",
    "rule:own or role:reader",
    "rule:lost",
]


@st.composite
def ways(draw: st.DrawFn) -> Way:
    history = histories(draw(st.sampled_from(known_services())))
    places = range(len(history.releases))
    start, end = sorted(draw(st.tuples(st.sampled_from(places), st.sampled_from(places))))
    return history, tuple(history.at(release) for release in history.releases[start : end + 1])


@st.composite
def policies(draw: st.DrawFn, way: Way) -> str:
    """Draw a file with rules of the first release, old names, what nobody knows, and copies of defaults."""
    _, releases = way
    known = sorted({*releases[0].rules, *(old for old, _ in releases[0].renamed()), "own", "nobody:knows"})
    names = draw(st.lists(st.sampled_from(known), unique=True, max_size=12))
    checks = {name: rule.check for name, rule in releases[0].rules.items()}
    values = [draw(st.sampled_from([*CHECKS, checks.get(name, "")])) for name in names]
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in zip(names, values, strict=True)]
    return "\n".join(lines) + draw(st.sampled_from(["", "\n", "\n\n# the end\n"]))


def converted(way: Way, text: str) -> PolicyConversion:
    history, releases = way
    return convert({"policy.yaml": text}, history, releases, enforced(history.service))


def permissions(service: str, effective: Effective) -> Mapping[Who, Mapping[str, Allowed]]:
    names = effective.release.rules
    return {who: Permissions(service, effective, who).allowed(names) for who in EVERYBODY}


@settings(max_examples=30, deadline=None)
@given(ways())
def test_every_rule_that_any_release_on_the_way_renamed_is_followed(way: Way) -> None:
    """The releases' own catalogs are the witness: each says which old name it takes for which new one."""
    history, releases = way
    for release in releases[1:]:
        for old, new in release.renamed():
            entry = Entry(old, "role:mine", 1, "policy.yaml")
            ignoring = enforced(history.service)[releases[0].release].repetitions_ignored
            final = Carriage(history, releases, {old: entry}, ignoring).final
            if new in releases[-1].rules:
                assert final.get(new) is entry, f"{old} of {release.release} is not followed to {new}"
            assert all(name in releases[-1].rules or history.last_seen(name, "hibiscus") for name in final)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_converted_policy_is_not_changed_again(data: st.DataObject) -> None:
    way = data.draw(ways())
    once = converted(way, data.draw(policies(way))).files[0].text
    twice = converted(way, once).files[0]
    assert twice.text == once
    here = converted((way[0], way[1][-1:]), once).files[0]
    assert not here.changed


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_comments_and_rules_are_never_lost(data: st.DataObject) -> None:
    way = data.draw(ways())
    text = data.draw(policies(way))
    done = converted(way, text).files[0]
    news = {entry.name for entry in read_document("policy.yaml", done.text).entries}
    for entry in read_document("policy.yaml", text).entries:
        renamed = [each.text for each in done.remarks if each.matter is Matter.RULE_RENAMED]
        assert (
            entry.name in news or f'# "{entry.name}"' in done.text or any("it is" in each for each in renamed)
        )
    assert text.count("# the end") == done.text.count("# the end")


Step = tuple[Way, str]


@st.composite
def steps(draw: st.DrawFn) -> Step:
    """Draw a release, the next one, and a file of the first."""
    history, releases = draw(ways().filter(lambda way: len(way[1]) > 1))
    way = (history, releases[:2])
    return way, draw(policies(way))


def step(service: str, release: str, name: str, check: str) -> Step:
    """Return a release, the next one, and a file of the first with one rule."""
    history = histories(service)
    at = history.releases.index(release)
    way = (history, tuple(history.at(each) for each in history.releases[at : at + 2]))
    return way, f"{json.dumps({name: check})}\n"


@settings(max_examples=15, deadline=None)
@given(steps())
# Ussuri takes it for ec2_create_credential; Victoria has forgotten this name
@example(step("keystone", "ussuri", "identity:ec2_create_credentials", "role:admin"))
# Stein takes it for list_mappings too; Train, which has it still, does not
@example(step("keystone", "stein", "identity:get_mapping", "role:operator"))
# it repeats the old default: the last release that takes it, and the first that does not
@example(step("placement", "flamingo", "rule:admin_api", "role:admin"))
@example(step("placement", "gazpacho", "rule:admin_api", "role:admin"))
def test_the_next_release_does_the_same_with_the_old_file_and_the_new_one(step: Step) -> None:
    """The next release may read less of the old file than its own did; the new file keeps all that counted.

    So the old file is given with that written out: what its own release took from old names, which the next
    one may have forgotten; rules that others refer to and that are gone; and what the next one would ignore,
    as it repeats the default of a rule by the name that it has lost since.
    """
    way, text = step
    history, releases = way
    done = converted(way, text)
    enforcement = enforced(history.service)
    first, last = (enforcement[release.release] for release in releases)
    said = {entry.name: entry.value for entry in read_document("policy.yaml", text).entries}
    said |= _taken(releases[0], said, ignoring=first.repetitions_ignored)
    lately = set(releases[1].renamed()) - set(releases[0].renamed())
    news = _taken(releases[1], said, ignoring=False)
    said |= {new: news[new] for _, new in lately if new in news}
    was = Effective(releases[0], said, first).checks
    gone = [each.option for each in done.files[0].remarks if each.matter is Matter.RULE_DEFINED]
    said |= {name: str(was[name]) for name in gone}
    assert permissions(history.service, done.stages[-1]) == permissions(
        history.service, Effective(releases[1], said, last)
    )


def _taken(release: ReleaseRules, said: Mapping[str, Value], *, ignoring: bool) -> dict[str, Value]:
    """Return what a release takes from old names, ``ignoring`` what only repeats the old default."""
    return {
        new: said[rule.old.name]
        for new, rule in release.rules.items()
        if rule.old and rule.old.name in said and new not in said and said[rule.old.name] != f"rule:{new}"
        if not (ignoring and parse(said[rule.old.name]) == parse(rule.old.check))
    }


@settings(max_examples=8, deadline=None)
@given(ways())
def test_nobody_gains_or_loses_anything_within_a_release(way: Way) -> None:
    history, releases = way
    stages = converted((history, releases[:1]), "").stages
    assert effects(history.service, [*stages, *stages]).changed == ()


def test_every_check_of_every_release_can_be_read_and_refers_to_what_is_there() -> None:
    for service in known_services():
        history = histories(service)
        for release in history.releases:
            rules = history.at(release)
            for rule in rules.rules.values():
                parse(rule.check)
                if rule.old:
                    parse(rule.old.check)


def test_the_catalogs_know_every_release_that_has_policy_in_code() -> None:
    named = [str(release) for release in load_catalog().releases]
    for service in known_services():
        known = histories(service).releases
        assert list(known) == named[named.index(known[0]) :]
