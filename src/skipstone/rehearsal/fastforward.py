"""The commands that carry each service's databases along a route. Pure: the catalog in, command lines out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from skipstone.catalog import Catalog, Purpose, Release
from skipstone.catalog.limits import conditions
from skipstone.catalog.route import Route
from skipstone.catalog.service import Blocker, Invocation, Service
from skipstone.errors import InputError
from skipstone.toolchain.toolchain import Toolchain


@dataclass(frozen=True)
class Move:
    """One command line of a service, run with the code of one release."""

    service: str
    release: Release
    purpose: Purpose
    invocation: Invocation


@dataclass(frozen=True)
class Stop:
    """What is done to one service's databases with the code of one release.

    ``guards`` are looked at before anything is run: data that this release's code would refuse, break on, or
    damage without a word. ``synced`` is false where no schema is moved: at the source, whose data are made
    ready to leave it, and whose guards show what earlier upgrades have left behind.
    """

    service: str
    release: Release
    guards: tuple[Blocker, ...]
    moves: tuple[Move, ...]
    synced: bool


def stops(catalog: Catalog, route: Route) -> dict[str, tuple[Stop, ...]]:
    """Return each service's stops, in order: the source's own online data migrations, then every hop."""
    found: dict[str, tuple[Stop, ...]] = {}
    for one in route.by_service:
        passed = [catalog.release(release.version) for release in one.releases]
        found[one.service] = tuple(_stops(catalog.service(one.service), passed))
    return found


def releases(found: Mapping[str, tuple[Stop, ...]]) -> tuple[Release, ...]:
    """Return the releases whose code is needed, the oldest first."""
    return tuple(sorted({stop.release for chain in found.values() for stop in chain if stop.moves}))


def expect_commands(found: Mapping[str, tuple[Stop, ...]], toolchain: Toolchain) -> None:
    """Raise InputError where a stop asks for a service that its release's toolchain is without."""
    made = [stop for chain in found.values() for stop in chain if stop.release == toolchain.release]
    asked = {stop.service for stop in made if stop.moves}
    lacking = sorted(service for service in asked if toolchain.version(service) is None)
    if lacking:
        names, release = ", ".join(lacking), toolchain.release
        raise InputError(
            f"the route stops at {release.title}, whose toolchain is without {names}",
            where=f"toolchain of {release}",
            evidence="`skipstone toolchain list` shows what each is without",
            remedy=f"name another target than {release}, leave out the databases of {names},"
            " or bring these commands in a toolchain of your own: docs/reference/toolchains.md",
        )


def _stops(service: Service, passed: list[Release]) -> Iterator[Stop]:
    source = passed[0]
    yield Stop(
        service.name,
        source,
        tuple(blocker for blocker in service.blockers if blocker.query and blocker.enforced.covers(source)),
        _moves(service, source, Purpose.ONLINE_DATA_MIGRATIONS),
        synced=False,
    )
    for source, target in pairwise(passed):
        asked = {condition.blocker for condition in conditions(service, source, target)}
        yield Stop(
            service.name,
            target,
            tuple(blocker for blocker in service.blockers if blocker.id in asked and blocker.query),
            _moves(service, target, Purpose.SYNC, Purpose.ONLINE_DATA_MIGRATIONS),
            synced=True,
        )


def _moves(service: Service, release: Release, *purposes: Purpose) -> tuple[Move, ...]:
    return tuple(
        Move(service.name, release, purpose, invocation)
        for purpose in purposes
        for invocation in service.invocations(purpose, release)
    )
