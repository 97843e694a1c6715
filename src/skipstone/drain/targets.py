"""Where an instance may go, and which of these hosts it goes to; pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from skipstone.drain.model import Compute, Instance

Need = Mapping[str, int]
"""Resource class -> amount, as placement counts it."""


@dataclass(frozen=True)
class Rules:
    """What the operator says of targets.

    ``known`` hosts are those of the inventory: only there can libvirt be asked. ``excluded`` ones are never
    taken. ``avoided`` are taken only where no other can be: hosts that are to
    be drained themselves. ``only``, where given, are the only ones.
    """

    known: frozenset[str] = frozenset()
    excluded: frozenset[str] = frozenset()
    avoided: frozenset[str] = frozenset()
    only: frozenset[str] = frozenset()
    per_target: int = 1
    per_source: int = 2
    at_once: int = 4


@dataclass
class Books:
    """What this drain has on its way: moves by target, and what they take there that was counted free.

    ``held`` has the hosts on which members of a server group are, by instance.
    """

    moving: dict[str, int] = field(default_factory=dict)
    taken: dict[str, dict[str, int]] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)

    def take(self, instance: Instance, need: Need, host: str) -> None:
        """Write down that an instance goes to a host."""
        self.moving[host] = self.moving.get(host, 0) + 1
        books = self.taken.setdefault(host, {})
        for name, amount in need.items():
            books[name] = books.get(name, 0) + amount
        self.held[instance.id] = host

    def arrived(self, host: str) -> None:
        """Write down that a move to a host is over; what it takes there stays taken."""
        self.moving[host] = max(0, self.moving.get(host, 0) - 1)

    def give_back(self, instance: Instance, need: Need, host: str) -> None:
        """Write down that a move to a host has come to nothing."""
        self.arrived(host)
        books = self.taken.setdefault(host, {})
        for name, amount in need.items():
            books[name] = books.get(name, 0) - amount
        if instance.host:
            self.held[instance.id] = instance.host


def need_of(instance: Instance, allocated: Need) -> Need:
    """Return what an instance needs at a target: what it holds now, else what its flavor says."""
    if allocated:
        return dict(allocated)
    return flavor_need(instance)


def flavor_need(instance: Instance) -> Need:
    """Return what the flavor says, in placement's words, without what is nought."""
    flavor = instance.flavor
    pinned = flavor.extra.get("hw:cpu_policy") == "dedicated"
    need = {
        "PCPU" if pinned else "VCPU": flavor.vcpus,
        "MEMORY_MB": flavor.ram,
        "DISK_GB": flavor.disk,
    }
    for key, value in flavor.extra.items():
        if key.startswith("resources:") and value.isdigit():
            need[key.removeprefix("resources:")] = int(value)
    return {name: amount for name, amount in need.items() if amount}


def summed(held: Mapping[str, Need]) -> Counter[str]:
    """Return what a consumer holds by resource class, whoever provides it."""
    total: Counter[str] = Counter()
    for resources in held.values():
        total.update(resources)
    return total


def least(needs: Iterable[Need]) -> list[Need]:
    """Return the least of every resource among the needs of the same resources, for each kind of these."""
    found: dict[frozenset[str], dict[str, int]] = {}
    for need in needs:
        known = found.setdefault(frozenset(need), dict(need))
        known.update({name: min(amount, known[name]) for name, amount in need.items()})
    return list(found.values())


@dataclass(frozen=True)
class Cargo:
    """An instance that is to be moved, what it needs, where it is, and which targets were tried.

    ``refused`` says that nova's scheduler found one of these unfit.
    ``own`` is what it needs of a compute's own provider. The rest (a port's bandwidth) is of others,
    which nova finds.
    """

    instance: Instance
    need: Need
    own: Need
    source: Compute
    tried: frozenset[str] = frozenset()
    refused: bool = False


def cargo_of(
    instance: Instance,
    held: Mapping[str, Need],
    source: Compute,
    tried: frozenset[str] = frozenset(),
    *,
    refused: bool = False,
) -> Cargo:
    """Return an instance that is to be moved, by what it holds of each provider."""
    need = need_of(instance, summed(held))
    return Cargo(instance, need, held.get(source.provider) or need, source, tried, refused)


def unfit(cargo: Cargo, target: Compute, books: Books, rules: Rules) -> str:
    """Return why a host cannot take an instance, or nothing.

    What nova decides itself (processor, NUMA, aggregates, its own filters) is left to it: it checks a host
    that is named before anything is moved. Hosts that it will hardly take come last.
    """
    instance = cargo.instance
    if target.host in cargo.tried:
        return "it was tried"
    if said := _ineligible(instance, cargo.source, target, rules):
        return said
    if instance.group and instance.group.policy == "anti-affinity":
        others = [m for m in instance.group.members - {instance.id} if books.held.get(m) == target.host]
        if others:
            return f"its server group (anti-affinity) has {others[0]} there"
    return _short(cargo.own, target, books)


def _ineligible(instance: Instance, source: Compute, target: Compute, rules: Rules) -> str:
    """Return the first reason against a host that is not about room."""
    zone = instance.zone or source.zone
    other_arch = bool(target.arch and source.arch and target.arch != source.arch)
    against = (
        (target.host == source.host, "it is there"),
        (target.host in rules.excluded or bool(rules.only and target.host not in rules.only), "excluded"),
        (target.host not in rules.known, "not in the inventory, so its libvirt cannot be asked"),
        (not target.up, "nova-compute is down there"),
        (not target.enabled, f"disabled: {target.reason or 'no reason given'}"),
        (target.type != source.type or other_arch, f"another hypervisor: {target.type} {target.arch}"),
        (
            source.version > target.version,
            f"its hypervisor is older ({target.version} < {source.version}): nova migrates to none such",
        ),
        (bool(zone) and target.zone != zone, f"in another availability zone: {target.zone}"),
    )
    return next((reason for holds, reason in against if holds), "")


def _short(need: Need, target: Compute, books: Books) -> str:
    """Return which resource a host has too little of, or nothing."""
    if target.room is None:
        return "no room, as placement counts it"
    taken = books.taken.get(target.host, {})
    for name, amount in need.items():
        free = target.room.get(name, 0) - taken.get(name, 0)
        if amount > free:
            return f"no room: {name} {amount} needed, {max(free, 0)} free"
    return ""


def choose(
    cargo: Cargo, computes: tuple[Compute, ...], books: Books, rules: Rules
) -> tuple[tuple[Compute, ...], dict[str, str]]:
    """Return the hosts that can take an instance, the best first, and why each other one cannot.

    The best is one that is not avoided, that is most like the instance's own (nova's scheduler is likely to
    take that), that has the newest hypervisor (it was upgraded before: from there an instance need not move
    again), then the fewest moves of this drain on their way to it, then the most memory left. Whether it has
    a place for one more move now is the caller's question.
    """
    why: dict[str, str] = {}
    fit: list[Compute] = []
    for target in computes:
        if said := unfit(cargo, target, books, rules):
            why[target.host] = said
        else:
            fit.append(target)
    fit.sort(key=lambda target: _rank(cargo, target, books, rules))
    return tuple(fit), why


def like_its_own(cargo: Cargo, fit: Iterable[Compute]) -> tuple[Compute, ...]:
    """Return which hosts differ in nothing known here that nova's scheduler may judge an instance by."""
    return tuple(target for target in fit if not any(_unlike(cargo, target)))


def _unlike(cargo: Cargo, target: Compute) -> tuple[int, int, int]:
    """Return in how much a host differs from the one that an instance is on, what counts most first.

    That is the traits that its flavor wants (or wants not), and the aggregates: nova's filters compare their
    metadata with flavors, images and projects, so one that is missing there, or more, may be a reason.
    """
    wishes = cargo.instance.flavor.extra.items()
    wanted = {key.removeprefix("trait:"): wish for key, wish in wishes if key.startswith("trait:")}
    amiss = sum((name in target.traits) != (wish == "required") for name, wish in wanted.items())
    here, there = cargo.source.aggregates, target.aggregates
    return amiss, len(here - there), len(there - here)


def _rank(
    cargo: Cargo, target: Compute, books: Books, rules: Rules
) -> tuple[bool, tuple[int, int, int], int, int, int, str]:
    room = (target.room or {}).get("MEMORY_MB", 0) - books.taken.get(target.host, {}).get("MEMORY_MB", 0)
    moving = books.moving.get(target.host, 0)
    unlike = _unlike(cargo, target)
    return (target.host in rules.avoided, unlike, -target.version, moving, -room, target.host)
