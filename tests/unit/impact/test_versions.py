"""Versions of hosts before and after, in as few lines as they differ."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from skipstone.cloud.model import Agent, Cloud, Database, Host, OperatingSystem, Package, Unit
from skipstone.errors import InputError
from skipstone.impact.versions import Change, changes, load_versions, save_versions, versions_of


def host(name: str, nova: str, *, system: str = "12", reachable: bool = True) -> Host:
    packages = tuple(Package(name=f"nova-{part}", version=nova, source="nova") for part in ("api", "common"))
    unit = Unit(name="nova-compute", load="loaded", active="active", sub="running", enabled="enabled")
    return Host(
        name=name,
        address=name,
        groups=("compute",),
        reachable=reachable,
        os=OperatingSystem(id="debian", version=system, codename="x"),
        kernel="6.1",
        packages=packages,
        units=(unit,),
    )


def cloud(*hosts: Host, head: str = "a1") -> Cloud:
    database = Database(name="nova", service="nova", heads=(head,), size=1, charset="utf8", collation="x")
    agents = tuple(
        Agent(service="nova", binary="nova-compute", host=one.name, alive=True, enabled=True, version=61)
        for one in hosts
    )
    taken = datetime(2026, 11, 28, tzinfo=UTC)
    return Cloud(name="c", taken_at=taken, skipstone="0", hosts=hosts, databases=(database,), agents=agents)


def test_what_differs_is_said_once_for_all_hosts() -> None:
    before = versions_of(cloud(*(host(f"cmp{n}", "26.2") for n in range(10_000))))
    after = versions_of(cloud(*(host(f"cmp{n}", "31.0", system="13") for n in range(10_000)), head="b2"))
    assert len(before.groups) == 2
    assert len(before.model_dump_json()) < 150_000
    found = changes(before, after)
    everywhere = tuple(f"cmp{n}" for n in range(10_000))
    assert found == (
        Change(what="package nova", before="26.2", after="31.0", hosts=everywhere),
        Change(what="schema nova", before="a1", after="b2", hosts=("databases",)),
        Change(what="system", before="debian 12", after="debian 13", hosts=everywhere),
    )


def test_a_host_that_was_left_behind_stands_out() -> None:
    before = versions_of(
        cloud(host("cmp1", "26.2"), host("cmp2", "26.2"), host("cmp3", "26.2", reachable=False))
    )
    after = versions_of(cloud(host("cmp1", "31.0"), host("cmp2", "26.2"), host("cmp3", "31.0")))
    # what could be asked only once is not said to have changed
    assert changes(before, after) == (
        Change(what="package nova", before="26.2", after="31.0", hosts=("cmp1",)),
    )


def test_they_are_kept_whole(tmp_path: Path) -> None:
    before = versions_of(cloud(host("cmp1", "26.2")))
    save_versions(before, tmp_path / "versions.json")
    assert load_versions(tmp_path / "versions.json") == before
    assert load_versions(tmp_path / "none.json") is None
    (tmp_path / "versions.json").write_text("{}")
    with pytest.raises(InputError, match="these are no versions"):
        load_versions(tmp_path / "versions.json")
