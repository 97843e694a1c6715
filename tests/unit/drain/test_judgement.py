"""Whatever nova and the hosts say, in whatever combination: what is concluded, and above all what is not."""

from hypothesis import given, settings
from hypothesis import strategies as st

from skipstone.drain.judgement import Next, Since, by_evidence, by_records
from skipstone.drain.model import OVER, Flavor, Instance, Kind, Migration
from skipstone.drain.pace import Patience
from skipstone.drain.testimony import Attempt, Evidence, Records, records_of
from skipstone.drain.truth import Answer, Guests, Sighting

PATIENCE = Patience()
UUID = "guest"


def answer(sighting: Sighting) -> Answer:
    def having(*kinds: Sighting) -> frozenset[str]:
        return frozenset({UUID} if sighting in kinds else ())

    if sighting is Sighting.UNKNOWN:
        return Answer(None, "no session")
    return Answer(
        Guests(
            having(Sighting.RUNNING, Sighting.PAUSED, Sighting.PRESENT),
            having(Sighting.RUNNING),
            having(Sighting.PAUSED),
        )
    )


attempts = st.builds(
    Attempt,
    instance=st.just(UUID),
    number=st.just(1),
    kind=st.sampled_from(Kind),
    source=st.just("a"),
    target=st.just("b"),
    after=st.just(3),
    asked=st.just(0.0),
    accepted=st.booleans(),
    refused=st.sampled_from(["", "409: busy"]),
)
servers = st.none() | st.builds(
    Instance,
    id=st.just(UUID),
    name=st.just("vm"),
    host=st.sampled_from([None, "a", "b", "c"]),
    status=st.sampled_from(
        ["ACTIVE", "PAUSED", "SHUTOFF", "ERROR", "VERIFY_RESIZE", "MIGRATING", "RESCUE", "SHELVED_OFFLOADED"]
    ),
    task=st.sampled_from([None, "migrating"]),
    flavor=st.just(Flavor(1024, 1)),
)
migrations = st.none() | st.builds(
    Migration,
    id=st.integers(4, 6),
    uuid=st.just("m"),
    status=st.sampled_from([*sorted(OVER), "accepted", "queued", "running", "post-migrating", "never-heard"]),
    type=st.just("live-migration"),
    source=st.just("a"),
    target=st.sampled_from([None, "b", "c"]),
)
laters = st.none() | st.builds(
    Migration,
    id=st.integers(7, 9),
    uuid=st.just("n"),
    status=st.sampled_from([*sorted(OVER), "running", "never-heard"]),
    type=st.sampled_from(["resize", "evacuation", "live-migration"]),
    source=st.sampled_from(["b", "c"]),
    target=st.sampled_from(["a", "b", "c"]),
)
records = st.builds(Records, servers, migrations, laters)
sightings = st.fixed_dictionaries(
    {"a": st.sampled_from(Sighting), "b": st.sampled_from(Sighting)},
    optional={"c": st.sampled_from(Sighting)},
)
papers = st.sampled_from([None, (), ("placement counts it twice",)])
ages = st.floats(0, 10_000)


@settings(max_examples=1500)
@given(attempts, records, sightings, papers, ages)
def test_moved_is_only_what_every_witness_says(
    attempt: Attempt,
    said: Records,
    seen: dict[str, Sighting],
    paperwork: tuple[str, ...] | None,
    age: float,
) -> None:
    server = said.server
    evidence = Evidence({host: answer(sighting) for host, sighting in seen.items()}, paperwork)
    verdict = by_evidence(attempt, said, evidence, Since(age, PATIENCE))
    others = [sighting for host, sighting in seen.items() if host != "b"]
    if verdict.next is Next.MOVED:
        assert server is not None
        assert server.host == "b"
        assert server.status in {"ACTIVE", "PAUSED", "SHUTOFF", "RESCUE"}
        assert seen["b"] in {Sighting.RUNNING, Sighting.PAUSED, Sighting.PRESENT}
        assert seen["b"] is Sighting.RUNNING or server.status != "ACTIVE"
        assert set(others) == {Sighting.ABSENT}
        assert paperwork == ()
    if verdict.next is Next.BACK:
        assert seen["a"] not in {Sighting.ABSENT, Sighting.UNKNOWN}
        assert {sighting for host, sighting in seen.items() if host != "a"} == {Sighting.ABSENT}
        assert paperwork == ()
    if verdict.next is Next.GONE:
        assert server is None
        assert set(seen.values()) == {Sighting.ABSENT}
    if Sighting.UNKNOWN in seen.values() and not (said.later and verdict.next is Next.MOVED_ON):
        assert verdict.next in {Next.WAIT, Next.STOP}
    assert verdict.next is Next.MOVED or verdict.reason


@settings(max_examples=800)
@given(attempts, records, sightings, ages)
def test_moved_on_is_only_what_its_source_has_no_more(
    attempt: Attempt, said: Records, seen: dict[str, Sighting], age: float
) -> None:
    evidence = Evidence({host: answer(sighting) for host, sighting in seen.items()}, ())
    verdict = by_evidence(attempt, said, evidence, Since(age, PATIENCE))
    if verdict.next is Next.MOVED_ON:
        assert said.server is not None
        assert said.server.host != "a"
        assert seen["a"] is Sighting.ABSENT
        shelved = said.server.status == "SHELVED_OFFLOADED" and set(seen.values()) == {Sighting.ABSENT}
        others = {sighting for host, sighting in seen.items() if host != said.server.host}
        there = seen.get(said.server.host or "") not in {None, Sighting.ABSENT, Sighting.UNKNOWN}
        assert said.later or shelved or (there and others == {Sighting.ABSENT})
    if verdict.next is Next.CONFIRM:
        assert not said.later, "it is somebody else's that waits"


@settings(max_examples=1500)
@given(attempts, records, sightings, ages)
def test_nothing_is_mended_but_the_record_of_a_guest_in_one_place(
    attempt: Attempt,
    said: Records,
    seen: dict[str, Sighting],
    age: float,
) -> None:
    server, migration = said.server, said.migration
    evidence = Evidence({host: answer(sighting) for host, sighting in seen.items()}, ("left over",))
    verdict = by_evidence(attempt, said, evidence, Since(age, PATIENCE))
    if verdict.next in {Next.MEND, Next.TIDY}:
        assert server is not None
        assert list(seen.values()).count(Sighting.ABSENT) == len(seen) - 1
        assert seen[server.host or ""] is not Sighting.ABSENT
    if verdict.next is Next.MEND:
        assert server is not None
        assert seen[server.host or ""] is Sighting.RUNNING
    if verdict.next is Next.TIDY:
        assert migration is not None
        assert not said.later, "nobody tidies up after others"
        assert migration.status in {"error", "failed"}
        assert server is not None
        assert server.host in {"a", "b"}
        assert age > PATIENCE.settle


@settings(max_examples=800)
@given(attempts, records, ages)
def test_nova_alone_proves_nothing(attempt: Attempt, said: Records, age: float) -> None:
    server, migration, later = said.server, said.migration, said.later
    verdict = by_records(attempt, said, age, PATIENCE)
    assert verdict.next not in {Next.MOVED, Next.GONE, Next.MOVED_ON, Next.MEND, Next.CONFIRM}
    if server and later and later.running:
        assert verdict.next is Next.WAIT, "somebody else's is not followed, for it would be aborted"
    elif server and migration and migration.running and (not later or server.host == attempt.source):
        assert verdict.next is Next.FOLLOW
    if verdict.next is Next.BACK:
        assert migration is None
        assert attempt.refused or age >= PATIENCE.appear


@given(servers, laters, sightings, papers)
def test_what_does_not_fit_comes_to_an_end(
    server: Instance | None,
    later: Migration | None,
    seen: dict[str, Sighting],
    paperwork: tuple[str, ...] | None,
) -> None:
    attempt = Attempt(UUID, 1, Kind.LIVE, "a", "b", 3, 0.0)
    evidence = Evidence({host: answer(sighting) for host, sighting in seen.items()}, paperwork)
    verdict = by_evidence(attempt, Records(server, None, later), evidence, Since(10_000, PATIENCE))
    assert verdict.next is not Next.WAIT


def test_an_end_that_was_not_asked_is_not_absence() -> None:
    attempt = Attempt(UUID, 1, Kind.LIVE, "a", "b", 3, 0.0)
    server = Instance(UUID, "vm", "b", "ACTIVE", Flavor(1, 1))
    evidence = Evidence({"b": answer(Sighting.RUNNING)}, ())
    assert by_evidence(attempt, Records(server), evidence, Since(0, PATIENCE)).next is Next.WAIT


def migration(
    number: int, kind: str, source: str, target: str | None, status: str = "completed"
) -> Migration:
    return Migration(number, "m", status, kind, source, target)


def test_a_later_migration_is_somebody_else_s() -> None:
    attempt = Attempt(UUID, 1, Kind.LIVE, "a", "b", 3, 0.0)
    before = migration(3, "live-migration", "a", "b")
    own = migration(5, "live-migration", "a", "b")
    for other in (
        migration(6, "live-migration", "b", "a"),
        migration(6, "resize", "b", "c"),
        migration(6, "evacuation", "b", None),
        migration(6, "live-migration", "a", "b"),
    ):
        assert records_of(attempt, None, [before, own, other]) == Records(None, own, other)
        assert records_of(attempt, None, [before, own]) == Records(None, own)
    earlier = migration(4, "resize", "c", "a")
    assert records_of(attempt, None, [before, earlier, own]) == Records(None, own), (
        "it was over when ours began"
    )
    assert records_of(attempt, None, [before, earlier]) == Records(None, None, earlier)


def test_a_cold_migration_that_found_no_host_names_none() -> None:
    attempt = Attempt(UUID, 1, Kind.COLD, "a", "b", 3, 0.0)
    own = migration(5, "migration", "a", None, "error")
    assert records_of(attempt, None, [own]) == Records(None, own)
