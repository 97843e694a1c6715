"""The three limits of an upgrade, which are never mixed up.

What upstream *supports* (neighbours, SLURP to SLURP), what a release's schema code can *read* with all
services stopped, and which old computes a new control plane *tolerates while running*. Pure functions of the
catalog.
"""

from collections.abc import Iterator
from enum import StrEnum

from skipstone.catalog.catalog import Catalog
from skipstone.catalog.entry import Entry
from skipstone.catalog.release import Release, ReleaseRef
from skipstone.catalog.service import Effect, Service, Setting

SUPPORT_EVIDENCE = "openstack/governance resolutions/20220210-release-cadence-adjustment.rst"


class Rule(StrEnum):
    """Why a service cannot go from one release to another in one hop."""

    SCHEMA_FLOOR = "schema-floor"
    DATA = "data-condition"
    ASKED = "asked-for"


class Refusal(Entry):
    """One reason against one hop of one service."""

    service: str
    rule: Rule
    text: str
    evidence: str


class Condition(Entry):
    """What must be true of a service's data when a hop is made.

    ``made_with`` is the release whose code makes it so: the hop's source, before leaving, or its target.
    """

    service: str
    blocker: str
    effect: Effect
    condition: str
    remedy: str
    made_with: ReleaseRef
    evidence: str


class Verdict(StrEnum):
    """Whether a control plane starts while older computes exist."""

    ACCEPTED = "accepted"
    NOT_CHECKED = "not-checked"
    WORKAROUND = "workaround"
    REFUSED = "refused"


class Tolerance(Entry):
    """What a control plane of one release does about computes of another.

    ``oldest`` is the oldest release whose computes it accepts, None where nothing is checked. The RPC
    versions are the newest that each side speaks; acceptance says nothing of whether they fit. ``libvirt``
    and ``qemu`` are the oldest with which the control plane's own nova-compute starts.
    """

    control: ReleaseRef
    computes: ReleaseRef
    verdict: Verdict
    level: int | None
    accepts: int | None
    oldest: ReleaseRef | None
    rpc_control: str
    rpc_computes: str
    workaround: Setting | None
    pin: Setting | None
    libvirt: str | None
    qemu: str | None
    evidence: str


def refusals(catalog: Catalog, service: Service, source: Release, target: Release) -> Iterator[Refusal]:
    """Yield what forbids a service to sync from the final schema of one release straight to another.

    A service that the source does not have yet (placement before Stein) has nothing to be refused.
    """
    entry = target.services.get(service.name)
    if entry is None or service.name not in source.services:
        return
    floor = catalog.floor(entry.schema_)
    if floor and source < floor:
        text = f"the schema code of {target.title} reads {floor.title} or newer"
        evidence = entry.evidence["schema"]
        yield Refusal(service=service.name, rule=Rule.SCHEMA_FLOOR, text=text, evidence=evidence)
    for blocker in service.blockers:
        able = blocker.satisfied_in
        too_early = able.since is not None and source < able.since
        if too_early and blocker.enforced.covers(target) and not able.covers(target):
            last = f" to {able.until.title}" if able.until and able.until != able.since else ""
            where = f"{able.since.title}{last}" if able.since else "an older release"
            text = (
                f"{target.title} needs: {blocker.condition}; only {where} can make it so ({blocker.remedy})"
            )
            yield Refusal(service=service.name, rule=Rule.DATA, text=text, evidence=blocker.evidence)


def conditions(service: Service, source: Release, target: Release) -> Iterator[Condition]:
    """Yield the data conditions that begin to be enforced between two releases."""
    for blocker in service.blockers:
        enforced, able = blocker.enforced, blocker.satisfied_in
        if not enforced.covers(target) or (enforced.since and source >= enforced.since):
            continue
        yield Condition(
            service=service.name,
            blocker=blocker.id,
            effect=blocker.effect,
            condition=blocker.condition,
            remedy=blocker.advice,
            made_with=target if able.since and source < able.since else source,
            evidence=blocker.evidence,
        )


def is_supported(catalog: Catalog, source: Release, target: Release) -> bool:
    """Say whether upstream supports this hop: to the next release, or from a SLURP to the next SLURP."""
    following = catalog.newer_than(source)
    return target == following[0] or (source.slurp and target == catalog.next_slurp(source))


def tolerance(catalog: Catalog, control: Release, computes: Release) -> Tolerance | None:
    """Return what a control plane does about computes of another release; None where levels are unknown."""
    nova, skew = control.services.get("nova"), catalog.service("nova").skew
    old = computes.services.get("nova")
    if not nova or not nova.compute or not old or not old.compute or not skew:
        return None
    accepts, level = nova.compute.accepts, old.compute.level
    workaround = skew.workaround if skew.workaround.covers(control) else None
    if accepts is None:
        verdict = Verdict.NOT_CHECKED
    elif level is not None and level >= accepts:
        verdict = Verdict.ACCEPTED
    else:
        verdict = Verdict.WORKAROUND if workaround else Verdict.REFUSED
    return Tolerance(
        control=control,
        computes=computes,
        verdict=verdict,
        level=level,
        accepts=accepts,
        oldest=_oldest_accepted(catalog, accepts),
        rpc_control=nova.compute.rpc,
        rpc_computes=old.compute.rpc,
        workaround=workaround if verdict is Verdict.WORKAROUND else None,
        pin=skew.pin if skew.pin.covers(control) else None,
        libvirt=nova.compute.libvirt,
        qemu=nova.compute.qemu,
        evidence=nova.evidence["compute"],
    )


def _oldest_accepted(catalog: Catalog, accepts: int | None) -> Release | None:
    """Return the oldest release whose compute level is accepted."""
    if accepts is None:
        return None
    for release in catalog.releases:
        entry = release.services.get("nova")
        if entry and entry.compute and entry.compute.level is not None and entry.compute.level >= accepts:
            return release
    return None
