"""The commands that carry each service's databases along a route. Pure: the catalog in, command lines out."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from skipstone.catalog import Catalog, Purpose, Release
from skipstone.catalog.limits import conditions
from skipstone.catalog.route import Route
from skipstone.catalog.service import Blocker, Invocation, Moment, Recipe, Service
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
    ready to leave it, and whose guards show what earlier upgrades have left behind. ``prior`` are a recipe's,
    which makes right what the guards ask for, and run before they are asked.
    """

    service: str
    release: Release
    guards: tuple[Blocker, ...]
    moves: tuple[Move, ...]
    synced: bool
    prior: tuple[Move, ...] = ()


def stops(
    catalog: Catalog, route: Route, *, purge: bool = False, taken: Collection[str] = ()
) -> dict[str, tuple[Stop, ...]]:
    """Return each service's stops, in order: the source's own online data migrations, then every hop.

    ``purge`` lets the source's own commands remove first what is deleted anyway. ``taken`` are the recipes
    that have taken tables: without that, one that takes any is not for these databases.
    """
    found: dict[str, tuple[Stop, ...]] = {}
    for one in route.by_service:
        passed = [catalog.release(release.version) for release in one.releases]
        service = catalog.service(one.service)
        recipes = [recipe for recipe in recipes_of(service, passed) if not recipe.takes or recipe.id in taken]
        found[one.service] = tuple(_with_recipes(_stops(service, passed, purge=purge), recipes))
    return found


def recipes_of(service: Service, passed: Sequence[Release]) -> Iterator[Recipe]:
    """Yield what a service's databases need once on their way, in the catalog's order; no alternatives."""
    for recipe in service.recipes:
        if recipe.moment is not Moment.ALTERNATIVE and recipe.lies_between(passed[0], passed[-1]):
            yield recipe


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


def _stops(service: Service, passed: list[Release], *, purge: bool) -> Iterator[Stop]:
    source = passed[0]
    first = (Purpose.PURGE, Purpose.ONLINE_DATA_MIGRATIONS) if purge else (Purpose.ONLINE_DATA_MIGRATIONS,)
    yield Stop(
        service.name,
        source,
        tuple(blocker for blocker in service.blockers if blocker.query and blocker.enforced.covers(source)),
        _moves(service, source, *first),
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


def _with_recipes(chain: Iterator[Stop], recipes: Sequence[Recipe]) -> Iterator[Stop]:
    """Yield stops, each recipe's commands at the first whose code can do it."""
    left = list(recipes)
    for stop in chain:
        due = [
            recipe
            for recipe in left
            if recipe.made_with.covers(stop.release) and (stop.synced or recipe.moment is Moment.AFTER_SYNC)
        ]
        left = [recipe for recipe in left if recipe not in due]
        moments = (Moment.BEFORE_SYNC, Moment.AFTER_SYNC)
        prior, after = (
            tuple(move for recipe in due if recipe.moment is moment for move in _made_of(recipe, stop))
            for moment in moments
        )
        yield replace(stop, prior=prior, moves=(*stop.moves, *after))


def _made_of(recipe: Recipe, stop: Stop) -> tuple[Move, ...]:
    return tuple(
        Move(stop.service, stop.release, Purpose.RECIPE, line)
        for line in recipe.commands
        if line.covers(stop.release)
    )


def _moves(service: Service, release: Release, *purposes: Purpose) -> tuple[Move, ...]:
    return tuple(
        Move(service.name, release, purpose, invocation)
        for purpose in purposes
        for invocation in service.invocations(purpose, release)
    )
