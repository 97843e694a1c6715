"""Routes: against recorded paths, against the table of floors, and against brute force."""

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skipstone.catalog.limits import Rule, Verdict, is_supported, refusals, tolerance
from skipstone.catalog.loader import load_catalog
from skipstone.catalog.release import Release
from skipstone.catalog.route import Route, find_route
from skipstone.errors import InputError, UnknownRelease

CATALOG = load_catalog()
NAMES = [service.name for service in CATALOG.services]


def route(source: str, target: str, *services: str, every_release: bool = False) -> Route:
    one, other = CATALOG.release(source), CATALOG.release(target)
    return find_route(CATALOG, one, other, services, every_release=every_release)


def codenames(releases: Iterable[Release]) -> list[str]:
    return [release.codename for release in releases]


# Found by another program from the same floors and blockers, for all seven services together, and recorded.
@pytest.mark.parametrize(
    "path",
    [
        "victoria zed",
        "zed epoxy",
        "epoxy gazpacho",
        "ocata rocky train victoria",
        "juno kilo liberty",
        "mitaka newton ocata",
        "newton ocata queens",
        "queens rocky train victoria",
        "train victoria antelope",
        "victoria antelope epoxy",
        "victoria antelope gazpacho",
        "train victoria antelope epoxy",
        "rocky train victoria antelope epoxy",
        "xena antelope caracal",
        "ussuri antelope bobcat",
        "antelope epoxy",
        "juno kilo mitaka newton ocata rocky train victoria antelope gazpacho",
        "juno kilo mitaka newton ocata rocky train victoria antelope hibiscus",
    ],
)
def test_known_path(path: str) -> None:
    expected = path.split()
    assert codenames(route(expected[0], expected[-1]).releases) == expected


# Why the direct way is refused, as recorded with the paths above: service, and a word of the reason.
@pytest.mark.parametrize(
    ("source", "target", "reasons"),
    [
        ("zed", "epoxy", []),
        (
            "ocata",
            "victoria",
            ["cinder Rocky", "cinder UUIDs", "cinder attachments", "cinder type", "nova UUID"],
        ),
        ("juno", "liberty", ["nova flavor"]),
        ("mitaka", "ocata", ["nova API database", "nova cell0"]),
        ("newton", "queens", ["glance visibility", "cinder Ocata", "cinder consistency"]),
        ("pike", "stein", ["cinder UUIDs", "cinder attachments"]),
        ("train", "antelope", ["keystone Ussuri", "cinder Ussuri"]),
        ("victoria", "epoxy", ["keystone Yoga", "cinder Xena", "cinder use_quota", "nova Xena"]),
        ("xena", "caracal", ["keystone Yoga"]),
        ("ussuri", "bobcat", ["keystone Yoga", "cinder Xena", "nova Xena"]),
    ],
)
def test_direct_way_is_refused_for_these_reasons(source: str, target: str, reasons: list[str]) -> None:
    found = [
        refusal
        for service in CATALOG.services
        for refusal in refusals(CATALOG, service, CATALOG.release(source), CATALOG.release(target))
    ]
    assert len(found) == len(reasons), [refusal.text for refusal in found]
    for refusal, reason in zip(found, reasons, strict=True):
        service, word = reason.split(" ", 1)
        assert refusal.service == service
        assert word in refusal.text
        assert refusal.evidence


def test_stops_of_a_service_that_the_cloud_does_not_run_are_dropped() -> None:
    without_cinder = [name for name in NAMES if name != "cinder"]
    assert len(route("ocata", "victoria").stops) == 2
    (stop,) = route("ocata", "victoria", *without_cinder).stops
    assert CATALOG.release("pike") <= stop <= CATALOG.release("stein")


def test_by_service_has_only_the_stops_that_the_service_needs() -> None:
    found = {own.service: codenames(own.releases) for own in route("victoria", "epoxy").by_service}
    assert found["nova"] == found["keystone"] == found["cinder"] == ["victoria", "antelope", "epoxy"]
    assert found["placement"] == found["glance"] == found["neutron"] == found["heat"] == ["victoria", "epoxy"]
    hop = route("victoria", "epoxy").hops[0]
    assert hop.services == ("keystone", "cinder", "nova")
    assert {reason.service for reason in hop.reasons} == set(hop.services)


def test_every_release_stops_everywhere_and_keeps_the_real_reasons() -> None:
    found = route("victoria", "zed", every_release=True)
    assert codenames(found.releases) == ["victoria", "wallaby", "xena", "yoga", "zed"]
    assert all(hop.supported for hop in found.hops)
    assert {reason.rule for hop in found.hops for reason in hop.reasons} == {Rule.ASKED}


@pytest.mark.parametrize(("source", "target"), [("epoxy", "zed"), ("zed", "zed")])
def test_backward_is_refused(source: str, target: str) -> None:
    with pytest.raises(UnknownRelease, match="is not newer than"):
        route(source, target)


def test_unknown_service_is_refused() -> None:
    with pytest.raises(InputError, match="'swift'"):
        route("zed", "epoxy", "nova", "swift")


def test_conditions_of_a_hop_name_the_code_that_makes_them_true() -> None:
    (hop,) = route("zed", "epoxy").hops
    due = {condition.blocker: condition.made_with.codename for condition in hop.conditions}
    assert due == {
        "cinder-null-use-quota": "zed",
        "neutron-duplicate-ha-networks": "zed",
        "neutron-mixed-collations": "zed",
        "heat-legacy-below-86": "zed",
    }
    (old,) = route("rocky", "train", "placement", "nova").hops
    made_with = {condition.blocker: condition.made_with.codename for condition in old.conditions}
    assert made_with["placement-extraction"] == "train"
    assert made_with["nova-request-specs"] == "rocky"


@pytest.mark.parametrize(
    ("source", "target", "chain"),
    [
        ("zed", "epoxy", "zed antelope caracal epoxy"),
        ("antelope", "gazpacho", "antelope caracal epoxy gazpacho"),
        ("antelope", "dalmatian", "antelope caracal dalmatian"),
        ("bobcat", "epoxy", "bobcat caracal epoxy"),
        ("epoxy", "gazpacho", "epoxy gazpacho"),
        ("train", "wallaby", "train ussuri victoria wallaby"),
    ],
)
def test_supported_chain(source: str, target: str, chain: str) -> None:
    assert codenames(route(source, target).supported) == chain.split()


@pytest.mark.parametrize(
    ("source", "target", "supported"),
    [
        ("yoga", "zed", True),
        ("yoga", "antelope", False),  # a rehearsal, without guarantee
        ("antelope", "caracal", True),
        ("antelope", "epoxy", False),
        ("bobcat", "dalmatian", False),
    ],
)
def test_supported_hops(source: str, target: str, supported: bool) -> None:
    assert is_supported(CATALOG, CATALOG.release(source), CATALOG.release(target)) is supported


@pytest.mark.parametrize(
    ("control", "computes", "verdict", "oldest"),
    [
        ("epoxy", "zed", Verdict.WORKAROUND, "antelope"),
        ("epoxy", "antelope", Verdict.ACCEPTED, "antelope"),
        ("dalmatian", "caracal", Verdict.ACCEPTED, "antelope"),
        ("zed", "victoria", Verdict.WORKAROUND, "yoga"),
        ("antelope", "yoga", Verdict.ACCEPTED, "yoga"),
        ("flamingo", "caracal", Verdict.WORKAROUND, "epoxy"),
        ("wallaby", "victoria", Verdict.ACCEPTED, "victoria"),
        ("victoria", "train", Verdict.NOT_CHECKED, None),
    ],
)
def test_tolerance(control: str, computes: str, verdict: Verdict, oldest: str | None) -> None:
    found = tolerance(CATALOG, CATALOG.release(control), CATALOG.release(computes))
    assert found is not None
    assert found.verdict is verdict
    assert (found.oldest.codename if found.oldest else None) == oldest
    assert (found.workaround is not None) == (verdict is Verdict.WORKAROUND)


def test_tolerance_needs_nova() -> None:
    assert route("zed", "epoxy", "keystone").tolerance is None
    found = route("zed", "epoxy").tolerance
    assert found is not None
    assert str(found.workaround) == "[workarounds] disable_compute_service_check_for_ffu = true"
    assert (found.level, found.accepts, found.libvirt, found.qemu) == (64, 66, "8.0.0", "6.2.0")


# The oldest source that a target reads, from the table of the code (not of the release notes, which promise
# one release more for cinder): target from this release on -> floor.
FLOORS = {
    "keystone": {"mitaka": "kilo", "yoga": "ussuri", "bobcat": "yoga"},
    "glance": {"ocata": "liberty", "xena": "ocata"},
    "cinder": {
        "newton": "liberty",
        "ocata": "mitaka",
        "pike": "newton",
        "queens": "ocata",
        "stein": "pike",
        "train": "rocky",
        "xena": "ussuri",
        "bobcat": "xena",
    },
    "neutron": {"mitaka": "kilo"},
    "nova": {"wallaby": "train", "bobcat": "xena"},
    "heat": {"newton": "kilo", "ocata": "liberty", "pike": "mitaka", "ussuri": "newton", "bobcat": "rocky"},
    "placement": {"stein": "stein"},
}
# Data that only some code can convert: (first, last target that needs it), (first, last that converts).
CONVERTED = {
    "nova": [
        ("liberty", "victoria", "kilo", "kilo"),
        ("newton", "victoria", "mitaka", "mitaka"),
        ("ocata", "victoria", "newton", "newton"),
        ("train", "victoria", "pike", "stein"),
        ("stein", "hibiscus", "newton", "rocky"),
    ],
    "cinder": [
        ("pike", "rocky", "ocata", "ocata"),
        ("train", "hibiscus", "queens", "stein"),
        ("ussuri", "antelope", "train", "train"),
        ("caracal", "hibiscus", "xena", "bobcat"),
    ],
    "glance": [("queens", "hibiscus", "ocata", "pike")],
}


def readable(service: str, source: Release, target: Release) -> bool:
    """Say from the tables above whether one service can go in one hop."""
    if service == "placement" and source < CATALOG.release("stein"):
        return True
    floors = [floor for since, floor in FLOORS[service].items() if CATALOG.release(since) <= target]
    if floors and source < CATALOG.release(floors[-1]):
        return False
    for first, last, able, unable in CONVERTED.get(service, []):
        asks = CATALOG.release(first) <= target <= CATALOG.release(last)
        converts = CATALOG.release(able) <= target <= CATALOG.release(unable)
        if asks and not converts and source < CATALOG.release(able):
            return False
    return True


pairs = (
    st.tuples(st.sampled_from(CATALOG.releases), st.sampled_from(CATALOG.releases))
    .map(sorted)
    .filter(lambda pair: pair[0] != pair[1])
)
some_services = st.sets(st.sampled_from(NAMES), min_size=1)


@settings(deadline=None)
@given(pairs, some_services)
def test_every_hop_respects_the_floors(pair: list[Release], services: set[str]) -> None:
    found = find_route(CATALOG, pair[0], pair[1], services)
    assert found.releases[0] == pair[0]
    assert found.releases[-1] == pair[1]
    for hop in found.hops:
        assert hop.source < hop.target
        for service in services:
            assert readable(service, hop.source, hop.target)
    for own in found.by_service:
        assert set(own.releases) <= set(found.releases)
        assert all(readable(own.service, *hop) for hop in pairwise(own.releases))


@settings(deadline=None)
@given(pairs, some_services)
def test_every_stop_has_a_reason(pair: list[Release], services: set[str]) -> None:
    found = find_route(CATALOG, pair[0], pair[1], services)
    for hop in found.hops[:-1]:
        assert hop.reasons
        assert {reason.service for reason in hop.reasons} == set(hop.services)
    assert not found.hops[-1].reasons
    assert set(found.hops[-1].services) == services


def needs_a_stop(service: str, source: Release, target: Release) -> bool:
    """Say whether a release in between alone can make data ready for the target."""
    found = refusals(CATALOG, CATALOG.service(service), source, target)
    return any(refusal.rule is Rule.DATA for refusal in found)


@settings(deadline=None)
@given(pairs, some_services)
def test_no_shorter_chain_exists(pair: list[Release], services: set[str]) -> None:
    """Walk all chains at once, one hop a round, by the tables and what data need."""
    source, target = pair
    between = CATALOG.between(source, target)
    reached, rounds = {source}, 0
    while target not in reached:
        rounds += 1
        reached |= {
            after
            for before in reached
            for after in between
            if before < after
            and all(readable(service, before, after) for service in services)
            and not any(needs_a_stop(service, before, after) for service in services)
        }
    assert len(find_route(CATALOG, source, target, services).hops) == rounds


@settings(deadline=None)
@given(pairs)
def test_2023_1_is_preferred_where_it_serves(pair: list[Release]) -> None:
    """No chain of equal length through 2023.1 may be passed over."""
    bridge = CATALOG.release("antelope")
    found = find_route(CATALOG, pair[0], pair[1])
    if bridge in found.releases or not pair[0] < bridge < pair[1]:
        return
    through = len(find_route(CATALOG, pair[0], bridge).hops) + len(find_route(CATALOG, bridge, pair[1]).hops)
    assert through > len(found.hops)


def test_route_is_written_as_codenames() -> None:
    written = route("victoria", "epoxy").model_dump(mode="json")
    assert written["releases"] == ["victoria", "antelope", "epoxy"]
    assert written["stops"] == ["antelope"]
    assert written["hops"][1]["conditions"][0]["made_with"] == "antelope"


def test_old_data_bring_their_recipes_and_young_ones_none() -> None:
    found = {due.recipe: due for due in route("mitaka", "victoria").recipes}
    assert set(found) == {"placement-own-database", "nova-cells", "nova-mitaka-to-ocata"}
    assert [found[name].made_with.codename for name in found] == ["victoria", "newton", "ocata"]
    assert [found[name].alternative for name in found] == [False, False, True]
    assert "nova-flavors-of-instances" in {due.recipe for due in route("juno", "liberty").recipes}
    assert route("train", "epoxy").recipes == ()
