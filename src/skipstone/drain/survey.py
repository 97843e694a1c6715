"""What is on a host before anything is moved: every instance's treatment, and where each could go."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from skipstone.drain.dock import NoTarget
from skipstone.drain.gear import Gear, Options, by_short_name
from skipstone.drain.model import Compute, Instance
from skipstone.drain.paperwork import summed
from skipstone.drain.targets import Books, Cargo, Need, Rules, choose, need_of
from skipstone.drain.treatment import Judged, Treatment, treat
from skipstone.errors import InputError


@dataclass(frozen=True)
class Plight:
    """One instance, what becomes of it, and (where it is to be moved) what it needs at a target."""

    instance: Instance
    judged: Judged
    need: Need


@dataclass(frozen=True)
class Survey:
    """A host with its instances, the largest first, and every compute host with its room."""

    source: Compute
    computes: tuple[Compute, ...]
    plights: tuple[Plight, ...]
    held: dict[str, str]

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


async def all_computes(gear: Gear) -> tuple[Compute, ...]:
    """Return every compute host, with its room in placement."""
    computes = await gear.ask(gear.nova.computes)
    return tuple([await gear.ask(gear.placement.with_room, compute) for compute in computes])


async def survey(gear: Gear, host: str, options: Options, extra: frozenset[str] = frozenset()) -> Survey:
    """Look at a host: its instances and their treatment, and every host that could take them.

    ``extra`` are instances to be looked at wherever they are: they were on their way when somebody stopped.
    """
    computes = await all_computes(gear)
    source = compute_of(computes, host)
    found = await gear.ask(gear.nova.instances, source.host)
    nics = await gear.ask(gear.neutron.nics, source.host)
    instances = [replace(one, nics=nics.get(one.id, ())) for one in found]
    elsewhere = sorted(extra - {one.id for one in instances})
    instances += [one for uuid in elsewhere if (one := await gear.ask(gear.nova.instance, uuid))]
    plights = [await _plight(gear, one, options) for one in instances]
    plights.sort(key=lambda one: (-one.instance.flavor.ram, one.instance.name, one.instance.id))
    members = [one.group.members for one in instances if one.group and one.group.policy == "anti-affinity"]
    held = await gear.ask(gear.nova.hosts_of, frozenset().union(*members))
    return Survey(source, computes, tuple(plights), held)


async def _plight(gear: Gear, instance: Instance, options: Options) -> Plight:
    judged = treat(instance, cold=options.cold, empty=options.empty)
    if judged.treatment in {Treatment.STAYS, Treatment.BLOCKS}:
        return Plight(instance, judged, {})
    held = await gear.ask(gear.placement.allocations, instance.id)
    return Plight(instance, judged, need_of(instance, summed(held)))


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
        elif plight.judged.treatment is not Treatment.STAYS:
            try:
                _place(plight, survey, books, rules)
            except NoTarget as none:
                found.append(f"{plight.instance.label}: no host can take it: {none}")
    return tuple(found)


def _place(plight: Plight, survey: Survey, books: Books, rules: Rules) -> None:
    cargo = Cargo(plight.instance, plight.need, survey.source)
    fit, why = choose(cargo, survey.computes, books, rules)
    if not fit:
        raise NoTarget(why)
    books.take(plight.instance, plight.need, fit[0].host)
