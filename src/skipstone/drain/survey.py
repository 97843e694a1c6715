"""What is on a host before anything is moved: every instance's treatment, and where each could go."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from skipstone.drain.dock import NoTarget
from skipstone.drain.gear import Gear, Options, by_short_name
from skipstone.drain.model import Compute, Instance
from skipstone.drain.targets import Books, Cargo, Rules, cargo_of, choose, least
from skipstone.drain.treatment import Judged, Treatment, treat
from skipstone.errors import InputError


@dataclass(frozen=True)
class Plight:
    """One instance, and what becomes of it."""

    instance: Instance
    judged: Judged

    @property
    def to_move(self) -> bool:
        """Whether it is to be moved, now or once nobody is at work on it."""
        return self.judged.treatment not in {Treatment.STAYS, Treatment.BLOCKS}


@dataclass(frozen=True)
class Survey:
    """A host with its instances, the largest first, and every compute host.

    What a choice of targets needs is there where it was asked for: the hosts' room, what is moved
    (``cargoes``) and where the members of its groups are (``held``).
    """

    source: Compute
    computes: tuple[Compute, ...]
    plights: tuple[Plight, ...]
    cargoes: Mapping[str, Cargo] = field(default_factory=dict)
    held: Mapping[str, str] = field(default_factory=dict)

    @property
    def by_host(self) -> dict[str, Compute]:
        """The compute hosts by name."""
        return {compute.host: compute for compute in self.computes}

    def books(self) -> Books:
        """Return fresh books: nothing is on its way, and the groups' members are where they are."""
        return Books(held=dict(self.held))


def compute_of(computes: Iterable[Compute], name: str) -> Compute:
    """Return the compute host that a name means; raise InputError where there is none."""
    by_name = {compute.host: compute for compute in computes}
    found = by_short_name(tuple(by_name), name)
    if found is None:
        raise InputError(
            f"nova has no compute service on {name}",
            where=name,
            remedy=f"the compute hosts are: {', '.join(sorted(by_name)) or 'none'}",
        )
    return by_name[found]


async def survey(gear: Gear, host: str, options: Options, extra: frozenset[str] = frozenset()) -> Survey:
    """Look at a host: its instances and their treatment, and every host; what room these have is not asked.

    ``extra`` are instances to be looked at wherever they are: they were on their way when somebody stopped.
    """
    computes = await gear.ask(gear.nova.computes)
    source = compute_of(computes, host)
    found = await gear.ask(gear.nova.instances, source.host)
    nics = await gear.ask(gear.neutron.nics, source.host)
    instances = [replace(one, nics=nics.get(one.id, ())) for one in found]
    elsewhere = sorted(extra - {one.id for one in instances})
    instances += [one for uuid in elsewhere if (one := await gear.ask(gear.nova.instance, uuid))]
    plights = [Plight(one, treat(one, cold=options.cold, empty=options.empty)) for one in instances]
    plights.sort(key=lambda one: (-one.instance.flavor.ram, one.instance.name, one.instance.id))
    return Survey(source, computes, tuple(plights))


async def with_targets(gear: Gear, seen: Survey) -> Survey:
    """Return a survey that can choose targets; nothing is asked where nothing is to be moved.

    However many hosts there are, their room is one request (a second where some instances need other
    resources than the rest), and their aggregates are one.
    """
    moved = [plight.instance for plight in seen.plights if plight.to_move]
    if not moved:
        return seen
    aggregates = await gear.ask(gear.nova.aggregates)
    computes = [replace(one, aggregates=aggregates.get(one.host, frozenset())) for one in seen.computes]
    source = compute_of(computes, seen.source.host)
    cargoes = {}
    for instance in moved:
        allocated = await gear.ask(gear.placement.allocations, instance.id)
        cargoes[instance.id] = cargo_of(instance, allocated, source)
    needs = least(cargo.own for cargo in cargoes.values())
    roomy = await gear.ask(gear.placement.with_rooms, computes, needs)
    return Survey(source, roomy, seen.plights, cargoes, await _held(gear, moved))


async def _held(gear: Gear, instances: Iterable[Instance]) -> Mapping[str, str]:
    """Return where the members of groups are that must be apart."""
    groups = [one.group for one in instances if one.group]
    members = [group.members for group in groups if group.policy == "anti-affinity"]
    return await gear.ask(gear.nova.hosts_of, frozenset().union(*members))


def blocked(survey: Survey, rules: Rules, *, open_ones: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """Return why instances cannot be moved as things are: what blocks them, or that they find no room.

    Room is given out to the largest first, as the drain does; ``open_ones`` are on their way already.
    """
    books = survey.books()
    found = []
    for plight in survey.plights:
        if plight.instance.id in open_ones:
            continue
        if plight.judged.treatment is Treatment.BLOCKS:
            found.append(f"{plight.instance.label}: {plight.judged.reason}")
        elif plight.to_move:
            try:
                _place(survey.cargoes[plight.instance.id], survey, books, rules)
            except NoTarget as none:
                found.append(f"{plight.instance.label}: no host can take it: {none}")
    return tuple(found)


def _place(cargo: Cargo, survey: Survey, books: Books, rules: Rules) -> None:
    fit, why = choose(cargo, survey.computes, books, rules)
    if not fit:
        raise NoTarget(why)
    books.take(cargo.instance, cargo.need, fit[0].host)
