"""Hosts that are alike for this strategy: two of them have their steps made, the others' are repeats."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from skipstone.cloud.model import Host
from skipstone.plan.repeating import Entry, Model, Repeat, is_plain, text_of
from skipstone.plan.strategies.in_place.layout import Layout
from skipstone.plan.strategies.in_place.method import Method
from skipstone.steps.step import Step

Make = Callable[[Host], Sequence[Step]]


def steps_of(layout: Layout, hosts: Iterable[Host], make: Make) -> Iterator[Entry]:
    """Yield the steps that ``make`` gives of each of some hosts.

    It must go by nothing of a host but its name and what ``_kind`` looks at.
    """
    cohorts: dict[Hashable, _Cohort] = {}
    for host in hosts:
        yield from cohorts.setdefault(_kind(layout, host), _Cohort(make)).steps(host)


@dataclass
class _Cohort:
    """Hosts of a kind."""

    make: Make
    _before: Sequence[Step] | None = None
    _models: list[Model] | None = None

    def steps(self, host: Host) -> Iterable[Entry]:
        """Return a host's steps, in full until two hosts were found whose names alone tell them apart.

        Of a host that is called ``nova`` the name stands in texts that are not about it: it is no model.
        """
        if self._models is not None and is_plain(host.name):
            return [Repeat(model, host.name) for model in self._models]
        steps = self.make(host)
        if self._models is None and is_plain(host.name):
            if self._before is not None:
                self._models = _models(self._before, steps, host.name)
            self._before = steps
        return steps


def _models(steps: Sequence[Step], others: Sequence[Step], host: str) -> list[Model] | None:
    """Return the steps as models, if they give those of another host."""
    models = [Model(step, text_of(step)) for step in steps]
    return models if [model.renamed(host) for model in models] == [*map(text_of, others)] else None


OWN = frozenset(
    {"name", "address", "zone", "boot_id", "cpus", "memory_total", "memory_available", "clock_offset"}
    | {"filesystems", "config_files"}
)
"""What of a host's facts no step of it goes by, but for its name.

A fact that is not here makes a kind of its own: a plan may take longer then, and is never another one.
"""

_SHARED = frozenset({"packages", "units", "apt_sources"})
"""What thousands of hosts have alike is there once (``cloud.sharing``), and is told by its identity."""


def _kind(layout: Layout, host: Host) -> Hashable:
    """Return what steps go by of a host but its name; one that is no compute is of its own kind."""
    if not host.unit("nova-compute"):
        return host.name
    facts = [(name, getattr(host, name)) for name in Host.model_fields if name not in OWN]
    return (
        *(id(value) if name in _SHARED else value for name, value in facts),
        *_of_nova(layout, host),
        *_of_neutron(layout, host),
        *_of_files(layout, host),
    )


def _of_files(layout: Layout, host: Host) -> Iterator[Hashable]:
    """Yield what becomes of a compute's files; if it is postponed, its conversion is among these steps."""
    files, late = layout.conversions.get(host.name, ()), host.name in layout.rollout.postponed
    yield late
    yield tuple(file.model_dump_json() if late else (file.place, file.grammar) for file in files)


def _of_nova(layout: Layout, host: Host) -> Iterator[Hashable]:
    """Yield what nova says of a compute, and what becomes of its instances."""
    service, choice = layout.compute_service(host), layout.choice(host)
    if service:
        yield service.host.replace(host.name, "*"), service.version
    yield choice
    if choice.method is not Method.STAY:
        yield layout.instances(host), host.name == next(name for wave in layout.waves for name in wave.hosts)


def _of_neutron(layout: Layout, host: Host) -> Iterator[Hashable]:
    """Yield what neutron says of a compute."""
    yield tuple((agent.host.replace(host.name, "*"), agent.binary) for agent in layout.network_agents(host))
