"""Rows before and after: what differs, what explains it, and what is the rehearsal's own."""

from typing import Any

from skipstone.catalog import load_catalog
from skipstone.catalog.serving import Change, Difference, Question, Resource
from skipstone.rehearsal.comparing import Compared, compare, made_on
from skipstone.rehearsal.facts import Held, key_of

CATALOG = load_catalog()
SERVERS = Resource(
    name="servers",
    databases=("nova",),
    rows="instances",
    fields={"id": "uuid", "name": "display_name", "addresses.*.*.addr": "addresses", "locked": "locked"},
    asked=Question(paths=("/servers",), list="servers"),
    evidence="this test",
)


def change(
    difference: Difference, *fields: str, since: str | None = None, until: str | None = None
) -> Change:
    given = {
        "since": since,
        "until": until,
        "difference": difference,
        "fields": fields,
        "resource": "servers",
    }
    context = {"releases": {release.codename: release for release in CATALOG.releases}}
    known = {"id": "made-by-this", "because": "a test", "evidence": "here"}
    return Change.model_validate({**given, **known}, context=context)


def row(id_: str, **more: Any) -> dict[str, Any]:
    return {"id": id_, "name": id_.upper(), "addresses.*.*.addr": None, "locked": 0} | more


def held(*rows: dict[str, Any], total: int | None = None) -> Held:
    found = {key_of(SERVERS, one): one for one in rows}
    return Held(SERVERS, found, len(rows) if total is None else total)


def told(compared: Compared) -> set[tuple[str, str, str]]:
    return {(one.difference, "/".join(one.key), one.field) for one in compared.differing}


def test_what_databases_and_apis_write_otherwise_is_the_same() -> None:
    before = row("a", **{"addresses.*.*.addr": ["10.0.0.2", "10.0.0.1"]})
    after = row("a", locked=False, **{"addresses.*.*.addr": ["10.0.0.1", "10.0.0.2"]})
    empty = row("b", **{"addresses.*.*.addr": []})
    compared = compare(held(before, row("b")), [after, empty], (), frozenset())
    assert (compared.rows, compared.differing) == (2, ())


def test_missing_added_and_changed_rows_are_told_by_their_keys() -> None:
    compared = compare(held(row("a"), row("b")), [row("b", name="other"), row("c")], (), frozenset())
    assert told(compared) == {("missing", "a", ""), ("changed", "b", "name"), ("added", "c", "")}
    (changed,) = (one for one in compared.differing if one.field)
    assert (changed.before, changed.after, changed.change) == ("B", "other", None)


def test_a_lost_address_is_a_difference() -> None:
    before = row("a", **{"addresses.*.*.addr": ["10.0.0.1", "10.0.0.2"]})
    compared = compare(held(before), [row("a", **{"addresses.*.*.addr": ["10.0.0.1"]})], (), frozenset())
    assert told(compared) == {("changed", "a", "addresses.*.*.addr")}


def test_a_difference_is_explained_by_a_change_of_its_kind_and_field_alone() -> None:
    changes = (change(Difference.CHANGED, "locked"), change(Difference.ADDED))
    compared = compare(held(row("a")), [row("a", locked=1, name="other"), row("b")], changes, frozenset())
    explained = {(one.difference, one.field): one.change is not None for one in compared.differing}
    assert explained == {("changed", "locked"): True, ("changed", "name"): False, ("added", ""): True}


def test_what_the_rehearsal_made_itself_is_no_difference_but_what_it_changed_is() -> None:
    ours = row("ours", name="x")
    assert not compare(held(), [ours], (), frozenset({"ours"})).differing
    assert told(compare(held(row("a")), [row("a", name="ours")], (), frozenset({"ours"}))) == {
        ("changed", "a", "name")
    }


def test_where_not_all_rows_were_read_both_sides_end_at_the_same_key() -> None:
    before = held(row("a"), row("c"), total=9)
    compared = compare(before, [row("a"), row("b"), row("c"), row("d")], (), frozenset())
    assert told(compared) == {("added", "b", "")}
    assert compared.rows == 2


def test_changes_count_only_where_their_releases_code_was_run() -> None:
    xena = change(Difference.ADDED, since="xena", until="zed")
    passed = [CATALOG.release(name) for name in ("2023.1", "2025.1")]
    assert made_on([xena], passed) == ()
    assert made_on([xena], [CATALOG.release("zed"), *passed]) == (xena,)
