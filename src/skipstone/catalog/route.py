"""Which releases an upgrade must stop at, and why: pure functions of the catalog.

A route's stops come from what schema code can read; what upstream supports and what a control plane
tolerates are told beside it (``limits.py``).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

from pydantic import computed_field

from skipstone.catalog.catalog import Catalog
from skipstone.catalog.entry import Entry
from skipstone.catalog.limits import (
    SUPPORT_EVIDENCE,
    Condition,
    Refusal,
    Rule,
    Tolerance,
    conditions,
    is_supported,
    refusals,
    tolerance,
)
from skipstone.catalog.release import Release, ReleaseRef
from skipstone.catalog.service import Moment, Recipe, Service
from skipstone.errors import InputError, UnknownRelease


class Hop(Entry):
    """One move of the route; ``services`` are those that end it with a full sync.

    ``reasons`` say why the route stops at ``target``: what forbids each of those services to go on from
    where it was to its next stop. The last hop needs no reason. ``conditions`` are due before or during it.
    """

    source: ReleaseRef
    target: ReleaseRef
    services: tuple[str, ...]
    reasons: tuple[Refusal, ...]
    conditions: tuple[Condition, ...]
    supported: bool
    tolerance: Tolerance | None


class ServiceRoute(Entry):
    """The releases that one service's databases pass through, source and target included."""

    service: str
    releases: tuple[ReleaseRef, ...]


class DueRecipe(Entry):
    """What the databases of the source need once on the way: with the code of ``made_with``.

    An ``alternative`` is a way around a stop, which the route does not take.
    """

    service: str
    recipe: str
    title: str
    made_with: ReleaseRef
    alternative: bool
    commands: tuple[str, ...]
    note: str
    evidence: str


class Route(Entry):
    """The hops from one release to another, for a cloud that runs these services.

    ``hops`` are permitted for all services together; ``by_service`` are each one's own, through the same
    stops. ``recipes`` are what data as old as the source's need once. ``supported`` is upstream's chain.
    ``tolerance`` is that of the target's control plane for computes of the source; None where nova is not
    among the services.
    """

    source: ReleaseRef
    target: ReleaseRef
    hops: tuple[Hop, ...]
    by_service: tuple[ServiceRoute, ...]
    recipes: tuple[DueRecipe, ...]
    supported: tuple[ReleaseRef, ...]
    tolerance: Tolerance | None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def releases(self) -> tuple[ReleaseRef, ...]:
        """Return every release of the route, source and target included."""
        return (self.source, *(hop.target for hop in self.hops))

    @computed_field  # type: ignore[prop-decorator]
    @property
    def stops(self) -> tuple[ReleaseRef, ...]:
        """Return the releases between source and target that cannot be left out."""
        return self.releases[1:-1]


def shortest(
    releases: Sequence[Release], permitted: Callable[[Release, Release], bool]
) -> tuple[Release, ...] | None:
    """Return the shortest chain from the first to the last of ordered releases, or None.

    Among chains of the same length one with more SLURP stops wins: upstream tests leaving them, and 2023.1
    still carries every legacy bridge and a compute level that later controllers accept. Then one with more
    stops that Debian ships, then the one whose stops are older.
    """
    best: dict[Release, tuple[Release, ...]] = {releases[0]: (releases[0],)}
    for target in releases[1:]:
        chains = [(*chain, target) for source, chain in best.items() if permitted(source, target)]
        if chains:
            best[target] = min(chains, key=_rank)
    return best.get(releases[-1])


def _rank(chain: tuple[Release, ...]) -> tuple[int, int, int, tuple[Release, ...]]:
    slurps = sum(release.slurp for release in chain)
    shipped = sum(release.debian is not None for release in chain)
    return len(chain), -slurps, -shipped, chain


def find_route(
    catalog: Catalog,
    source: Release,
    target: Release,
    services: Iterable[str] = (),
    *,
    every_release: bool = False,
) -> Route:
    """Return the route from one release to a newer one, for the named services (all where none is named).

    ``every_release`` stops at each release on the way. Raise UnknownRelease where the target is not newer.
    """
    if target <= source:
        raise UnknownRelease(
            f"{target.title} is not newer than {source.title}",
            remedy="a schema cannot be taken back; to undo an upgrade, restore its backup",
        )
    chosen = catalog.in_order(services) or catalog.services
    between = catalog.between(source, target)
    joint = between if every_release else _joint(catalog, chosen, between)
    own = {service.name: joint if every_release else _joint(catalog, (service,), joint) for service in chosen}
    supported = shortest(between, lambda one, other: is_supported(catalog, one, other))
    with_nova = any(service.name == "nova" for service in chosen)
    return Route(
        source=source,
        target=target,
        hops=tuple(_hops(catalog, chosen, joint, own, asked=every_release)),
        by_service=tuple(ServiceRoute(service=name, releases=chain) for name, chain in own.items()),
        recipes=tuple(due for service in chosen for due in _recipes(service, own[service.name])),
        supported=supported or (),
        tolerance=tolerance(catalog, target, source) if with_nova else None,
    )


def _recipes(service: Service, chain: Sequence[Release]) -> Iterator[DueRecipe]:
    for recipe in service.recipes:
        if recipe.lies_between(chain[0], chain[-1]):
            able = recipe.made_with
            yield DueRecipe(
                service=service.name,
                recipe=recipe.id,
                title=recipe.title,
                made_with=_made_with(recipe, chain) or able.since or chain[-1],
                alternative=recipe.moment is Moment.ALTERNATIVE,
                commands=tuple(line.run.replace(" {config}", "") for line in recipe.commands),
                note=recipe.note,
                evidence=recipe.evidence,
            )


def _made_with(recipe: Recipe, chain: Sequence[Release]) -> Release | None:
    """Return the first release of a service's chain whose code can do it; a sync is none of the source's."""
    places = chain[1:] if recipe.moment is Moment.BEFORE_SYNC else chain
    return next((release for release in places if recipe.made_with.covers(release)), None)


def _joint(catalog: Catalog, services: Sequence[Service], releases: Sequence[Release]) -> tuple[Release, ...]:
    """Return the shortest chain through these releases that every one of the services permits."""

    def permitted(source: Release, target: Release) -> bool:
        return not any(True for service in services for _ in refusals(catalog, service, source, target))

    chain = shortest(releases, permitted)
    if chain is None:
        names = ", ".join(service.name for service in services)
        raise InputError(f"no chain of releases leads {names} to {releases[-1].title}")
    return chain


def _hops(
    catalog: Catalog,
    services: Sequence[Service],
    joint: Sequence[Release],
    own: dict[str, tuple[Release, ...]],
    *,
    asked: bool,
) -> Iterator[Hop]:
    """Yield the hops of a chain, each with the services that stop at its end and why."""
    for source, target in pairwise(joint):
        stopping = [service for service in services if target in own[service.name]]
        last = target == joint[-1]
        reasons = (
            []
            if last
            else [
                reason
                for service in stopping
                for reason in _reasons(catalog, service, own[service.name], target, asked=asked)
            ]
        )
        due = [
            condition
            for service in stopping
            for condition in conditions(service, _before(own[service.name], target), target)
        ]
        with_nova = any(service.name == "nova" for service in services)
        yield Hop(
            source=source,
            target=target,
            services=tuple(service.name for service in stopping),
            reasons=tuple(reasons),
            conditions=tuple(due),
            supported=is_supported(catalog, source, target),
            tolerance=tolerance(catalog, target, source) if with_nova else None,
        )


def _before(chain: Sequence[Release], stop: Release) -> Release:
    return chain[chain.index(stop) - 1]


def _reasons(
    catalog: Catalog, service: Service, chain: Sequence[Release], stop: Release, *, asked: bool
) -> Iterator[Refusal]:
    """Yield why a service stops at a release of its chain: what forbids to leave it out."""
    found = tuple(refusals(catalog, service, _before(chain, stop), chain[chain.index(stop) + 1]))
    if not found and asked:
        text = "every release was asked for"
        found = (Refusal(service=service.name, rule=Rule.ASKED, text=text, evidence=SUPPORT_EVIDENCE),)
    yield from found
