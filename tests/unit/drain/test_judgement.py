"""Whatever nova and the hosts say, in whatever combination: what is concluded, and above all what is not."""

from hypothesis import given, settings
from hypothesis import strategies as st

from skipstone.drain.judgement import Attempt, Evidence, Next, Records, Since, by_evidence, by_records
from skipstone.drain.model import OVER, Flavor, Instance, Kind, Migration
from skipstone.drain.pace import Patience
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
    status=st.sampled_from(["ACTIVE", "PAUSED", "SHUTOFF", "ERROR", "VERIFY_RESIZE", "MIGRATING", "RESCUE"]),
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
sightings = st.fixed_dictionaries(
    {"a": st.sampled_from(Sighting), "b": st.sampled_from(Sighting)},
    optional={"c": st.sampled_from(Sighting)},
)
papers = st.sampled_from([None, (), ("placement counts it twice",)])
ages = st.floats(0, 10_000)


@settings(max_examples=1500)
@given(attempts, servers, migrations, sightings, papers, ages)
def test_moved_is_only_what_every_witness_says(  # noqa: PLR0917 - hypothesis gives them
    attempt: Attempt,
    server: Instance | None,
    migration: Migration | None,
    seen: dict[str, Sighting],
    paperwork: tuple[str, ...] | None,
    age: float,
) -> None:
    evidence = Evidence({host: answer(sighting) for host, sighting in seen.items()}, paperwork)
    verdict = by_evidence(attempt, Records(server, migration), evidence, Since(age, PATIENCE))
    others = [sighting for host, sighting in seen.items() if host != "b"]
    if verdict.next is Next.MOVED:
        assert server is not None
        assert server.host == "b"
        assert server.status in {"ACTIVE", "PAUSED", "SHUTOFF"}
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
    if Sighting.UNKNOWN in seen.values():
        assert verdict.next in {Next.WAIT, Next.STOP}
    assert verdict.next is Next.MOVED or verdict.reason


@settings(max_examples=1500)
@given(attempts, servers, migrations, sightings, ages)
def test_nothing_is_mended_but_the_record_of_a_guest_in_one_place(
    attempt: Attempt,
    server: Instance | None,
    migration: Migration | None,
    seen: dict[str, Sighting],
    age: float,
) -> None:
    evidence = Evidence({host: answer(sighting) for host, sighting in seen.items()}, ("left over",))
    verdict = by_evidence(attempt, Records(server, migration), evidence, Since(age, PATIENCE))
    if verdict.next in {Next.MEND, Next.TIDY}:
        assert server is not None
        assert list(seen.values()).count(Sighting.ABSENT) == len(seen) - 1
        assert seen[server.host or ""] is not Sighting.ABSENT
    if verdict.next is Next.MEND:
        assert server is not None
        assert seen[server.host or ""] is Sighting.RUNNING
    if verdict.next is Next.TIDY:
        assert migration is not None
        assert migration.status in {"error", "failed"}
        assert server is not None
        assert server.host in {"a", "b"}
        assert age > PATIENCE.settle


@settings(max_examples=800)
@given(attempts, servers, migrations, ages)
def test_nova_alone_proves_nothing(
    attempt: Attempt, server: Instance | None, migration: Migration | None, age: float
) -> None:
    verdict = by_records(attempt, Records(server, migration), age, PATIENCE)
    assert verdict.next not in {Next.MOVED, Next.GONE, Next.MEND, Next.CONFIRM}
    if server and migration and migration.running:
        assert verdict.next is Next.FOLLOW
    if verdict.next is Next.BACK:
        assert migration is None
        assert attempt.refused or age >= PATIENCE.appear


@given(servers, sightings, papers)
def test_what_does_not_fit_comes_to_an_end(
    server: Instance | None, seen: dict[str, Sighting], paperwork: tuple[str, ...] | None
) -> None:
    attempt = Attempt(UUID, 1, Kind.LIVE, "a", "b", 3, 0.0)
    evidence = Evidence({host: answer(sighting) for host, sighting in seen.items()}, paperwork)
    verdict = by_evidence(attempt, Records(server, None), evidence, Since(10_000, PATIENCE))
    assert verdict.next is not Next.WAIT


def test_an_end_that_was_not_asked_is_not_absence() -> None:
    attempt = Attempt(UUID, 1, Kind.LIVE, "a", "b", 3, 0.0)
    server = Instance(UUID, "vm", "b", "ACTIVE", Flavor(1, 1))
    evidence = Evidence({"b": answer(Sighting.RUNNING)}, ())
    assert by_evidence(attempt, Records(server), evidence, Since(0, PATIENCE)).next is Next.WAIT
