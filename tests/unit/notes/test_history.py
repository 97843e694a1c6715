"""What is shipped of upstream's notes: facts read in their packages, and what must always hold."""

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skipstone.catalog import load_catalog
from skipstone.catalog.release import Release
from skipstone.errors import InputError
from skipstone.notes.history import TEXTS, load_notes
from skipstone.notes.note import Kind, Note

CATALOG = load_catalog()
SERVICES = tuple(service.name for service in CATALOG.services)
RELEASES = CATALOG.between(CATALOG.release("queens"), CATALOG.release("2026.2"))
HISTORIES = {name: load_notes(name) for name in SERVICES}


def notes(service: str, source: str, target: str) -> list[Note]:
    return list(HISTORIES[service].on(CATALOG.between(CATALOG.release(source), CATALOG.release(target))))


def ids(service: str, route: tuple[Release, ...]) -> set[str]:
    return {note.id for note in HISTORIES[service].on(route)}


@pytest.mark.parametrize(
    ("service", "release", "file", "kind", "words"),
    [
        ("nova", "2023.1", "stable-compute-uuid-08663a0955616728", Kind.UPGRADE, "compute_id"),
        ("nova", "2023.1", "enable-enforce-scope-and-new-defaults-14db8c75b263b599", Kind.UPGRADE, "RBAC"),
        ("nova", "2023.2", "service-user-token-421d067c16257782", Kind.UPGRADE, "**required** for all Nova"),
        ("nova", "2024.1", "remove-hyperv-", Kind.UPGRADE, "HyperV"),
        ("neutron", "2025.1", "remove-linuxbridge-driver-d0df60e5cf8ab3bc", Kind.UPGRADE, "is removed"),
        ("keystone", "2023.2", "bug-1951632-11272e49e2fa439d", Kind.FEATURES, "`service` role"),
        ("cinder", "xena", "mv-use_quota-b8e010f8f68a1eaa", Kind.FEATURES, "``consumes_quota``"),
        ("heat", "2023.2", "switch-to-alembic-7af6f8e71e4bf56b", Kind.UPGRADE, "sqlalchemy-migrate"),
        ("placement", "train", "train-require-root-provider-ids-60bc374ac354f41e", Kind.UPGRADE, "Root Prov"),
        ("cinder", "xena", "switch-to-alembic-2bbe27749fde70ff", Kind.UPGRADE, "alembic"),
    ],
)
def test_a_note_stands_under_the_release_that_brought_it(
    service: str, release: str, file: str, kind: Kind, words: str
) -> None:
    target = CATALOG.release(release)
    before = RELEASES[RELEASES.index(target) - 1]
    found = [note for note in HISTORIES[service].on((before, target)) if note.file.startswith(file)]
    assert any(note.kind is kind and words in note.text and note.release == str(target) for note in found)
    after = RELEASES[RELEASES.index(target) :][:2]
    assert not [note for note in HISTORIES[service].on(after) if note.file.startswith(file)]


def test_a_backport_is_told_with_the_older_release_that_has_it_too() -> None:
    (note,) = [
        note
        for note in notes("nova", "zed", "2024.1")
        if note.file.startswith("service-user-token") and note.kind is Kind.UPGRADE
    ]
    assert note.release == "antelope"
    assert note.version == "27.5.1"
    assert dict(note.versions) == {"yoga": "25.3.0", "zed": "26.3.0"}


def test_what_upstream_took_back_on_the_way_says_so() -> None:
    def scrubber(target: str) -> set[str | None]:
        found = notes("glance", "2023.2", target)
        return {note.gone for note in found if note.file.startswith("deprecate-scrubber")}

    assert scrubber("2025.1") == {None}
    assert scrubber("2025.2") == {"flamingo"}


@pytest.mark.parametrize("service", SERVICES)
def test_every_row_can_be_read_and_reviewed(service: str) -> None:
    head, *rows = map(json.loads, (TEXTS / f"{service}.jsonl").read_text("utf-8").splitlines())
    order = list(head["releases"])
    assert order == [str(release) for release in RELEASES if str(release) in head["releases"]]
    assert [row["file"] for row in rows] == sorted(row["file"] for row in rows)
    for row in rows:
        came = [*row.get("backports", []), *([row["since"]] if "since" in row else [])]
        assert came == sorted(came, key=order.index)
        assert came
        assert not row.get("gone") or order.index(row["gone"]) > order.index(row["since"])
        kinds = set(row) - {"file", "since", "backports", "gone"}
        assert kinds
        assert kinds <= set(Kind)
        assert all(text.strip() for kind in kinds for text in row[kind])


def test_every_release_of_the_lock_is_there() -> None:
    for service, first in {"nova": "rocky", "glance": "stein", "placement": "stein"}.items():
        assert HISTORIES[service].releases[0] == first
        assert HISTORIES[service].releases[-1] == "hibiscus"
        assert len(HISTORIES[service].releases) == len(RELEASES) - [str(r) for r in RELEASES].index(first)


def test_notes_have_a_name_of_their_own() -> None:
    for history in HISTORIES.values():
        found = [note.id for note in history.on(RELEASES)]
        assert len(found) == len(set(found))


@settings(deadline=None)
@given(st.sampled_from(SERVICES), st.sets(st.integers(0, len(RELEASES) - 1), min_size=3, max_size=5))
def test_the_notes_of_a_way_are_those_of_its_parts(service: str, stops: set[int]) -> None:
    whole = ids(service, RELEASES[min(stops) : max(stops) + 1])
    parts = [ids(service, RELEASES[first : last + 1]) for first, last in pairwise(sorted(stops))]
    assert whole == set().union(*parts)


def test_a_service_without_notes_is_refused() -> None:
    with pytest.raises(InputError, match="no release notes of swift"):
        load_notes("swift")
