"""Empties a compute host, and says so only where the host itself does.

Nothing is changed before every instance is known to have a way; nova's compute service is then disabled, with
a reason that names us, and each instance is moved and verified. In the end libvirt is asked whether anything
still runs there that should not.
"""

import asyncio
from dataclasses import dataclass

from skipstone.drain.dock import Dock
from skipstone.drain.gear import DrainPaused, DrainRefused, DrainStopped, Gear, News, Options, Phase, Stuck
from skipstone.drain.model import Compute
from skipstone.drain.mover import Ending, Mover, Way
from skipstone.drain.record import Event
from skipstone.drain.survey import Plight, Survey, blocked, compute_of, survey, with_targets
from skipstone.drain.treatment import Treatment, treat
from skipstone.drain.truth import guests_on

MARK = "skipstone: drained"
"""How the reason begins that nova has for a service that we have disabled."""

ROUNDS = 5
"""How often the host is looked at again: what was being built there when it was disabled comes up late."""


@dataclass(frozen=True)
class Result:
    """How a drain, or a return, ended."""

    host: str
    endings: tuple[Ending, ...]

    @property
    def left(self) -> tuple[Ending, ...]:
        """What was left on the host because the operator's rule says so."""
        return tuple(ending for ending in self.endings if ending.phase is Phase.LEFT)


async def drain(gear: Gear, host: str, options: Options) -> Result:
    """Drain a host; raise DrainRefused where nothing was changed, DrainStopped where it needs an operator."""
    await gear.ask(gear.nova.expect_microversion)
    going = frozenset(trace.id for trace in gear.record.chapter.traces.values() if trace.open)
    seen = await survey(gear, host, options, going)
    _expect_known(gear, seen.source.host)
    _expect_up(seen.source)
    seen = await with_targets(gear, seen)
    _refuse_blocked(seen, options, going)
    if options.empty and not going:
        await _refuse_held(gear, seen)
    gear.record.append(Event.BEGUN, host=host, purpose=options.purpose)
    await disable(gear, seen.source, options)
    endings: dict[str, Ending] = {}
    for _ in range(ROUNDS):
        endings |= await _move_all(gear, seen, options)
        _expect_certain(host, endings)
        seen = await survey(gear, host, options)
        if not [one for one in seen.plights if _to_do(one, endings)]:
            break
        seen = await with_targets(gear, seen)
    await _expect_empty(gear, seen, endings, options)
    left = [ending.id for ending in endings.values() if ending.phase is Phase.LEFT]
    gear.record.append(Event.DRAINED, left=left)
    return Result(host, tuple(endings.values()))


def _expect_known(gear: Gear, host: str) -> None:
    if host not in gear.names:
        raise DrainRefused(
            "the inventory has no such host, so its libvirt cannot be asked",
            where=host,
            remedy="name it in the inventory",
        )


def _expect_up(source: Compute) -> None:
    if not source.up:
        raise DrainRefused(
            "nova-compute is down there, and only it can send instances away",
            where=source.host,
            remedy="start it; where the host itself is lost, its instances have to be evacuated",
        )


def _refuse_blocked(seen: Survey, options: Options, going: frozenset[str]) -> None:
    """Raise DrainRefused where instances cannot be moved, unless the operator lets them stay."""
    reasons = blocked(seen, options.rules, open_ones=going)
    if reasons and options.stuck is not Stuck.LEAVE:
        raise DrainRefused(
            f"{len(reasons)} of {len(seen.plights)} instances cannot be moved; nothing was changed",
            where=seen.source.host,
            evidence="\n".join(reasons),
            remedy="see to these instances or to more room, and repeat; or"
            f" {_EMPTIER if options.empty else _LEAVE}",
        )


_LEAVE, _EMPTIER = "leave them:  --on-stuck leave", "let those that are off be moved too:  --cold"


async def _refuse_held(gear: Gear, seen: Survey) -> None:
    """Raise DrainRefused where something is held on the host that no migration of ours takes away."""
    if fault := await _held(gear, seen):
        raise DrainRefused(
            "the host cannot become empty; nothing was changed",
            where=seen.source.host,
            evidence=fault,
            remedy="let its owner confirm or revert the resize; see `nova-manage placement audit --verbose`",
        )


async def disable(gear: Gear, source: Compute, options: Options) -> None:
    """Let nova's scheduler send nothing to a host; how it was before is written down first."""
    ours = source.reason.startswith(MARK)
    gear.record.append(Event.SERVICE, enabled=source.enabled or ours, reason="" if ours else source.reason)
    if source.enabled:
        reply = await asyncio.to_thread(
            lambda: gear.nova.set_service(
                source.service, enabled=False, reason=f"{MARK}, {options.purpose}; undo: skipstone return"
            )
        )
        if reply.refused:
            raise DrainStopped(
                "nova does not let its compute service be disabled",
                where=source.host,
                evidence=reply.refused,
                remedy="use an account with the admin role",
            )


def _to_do(plight: Plight, endings: dict[str, Ending]) -> bool:
    """Say whether an instance that is on the host should not be."""
    ending = endings.get(plight.instance.id)
    if ending and ending.phase is Phase.LEFT:
        return False
    return plight.judged.treatment is not Treatment.STAYS


async def _move_all(gear: Gear, seen: Survey, options: Options) -> dict[str, Ending]:
    """Move everything, so many at a time, and return what became of each."""
    dock = Dock(seen.computes, options.rules, gear.places, seen.books())
    way = Way(gear, dock, options, seen.by_host)
    movers = [Mover(way, plight.instance, seen.source) for plight in seen.plights]
    for plight in seen.plights:
        gear.tell(News(plight.instance.id, plight.instance.name, Phase.WAITS, plight.judged.reason))
    return await finish_all(gear, movers, pause=options.stuck is Stuck.PAUSE)


async def finish_all(gear: Gear, movers: list[Mover], *, pause: bool) -> dict[str, Ending]:
    """Let movers come to their ends; where one is stuck and ``pause`` holds, no other sets out."""

    async def moved(mover: Mover) -> Ending:
        ending = await mover.move()
        if ending.phase is Phase.STUCK and pause:
            gear.stopping.set()
        return ending

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(moved(mover)) for mover in movers]
    except BaseExceptionGroup as faults:
        raise faults.exceptions[0] from None  # a full disk, a fault of ours: what it is must be told
    return {ending.id: ending for ending in (task.result() for task in tasks)}


def how_stopped(open_ones: list[Ending]) -> type[DrainStopped]:
    """Return DrainPaused where what is open was only not begun, as the drain was asked to stop."""
    paused = all(ending.phase is Phase.PAUSED for ending in open_ones)
    return DrainPaused if paused else DrainStopped


def _expect_certain(host: str, endings: dict[str, Ending]) -> None:
    """Raise DrainStopped where something of an instance is open."""
    open_ones = [ending for ending in endings.values() if not ending.certain]
    if open_ones:
        moved = sum(ending.phase is Phase.MOVED for ending in endings.values())
        raise how_stopped(open_ones)(
            f"{len(open_ones)} of {len(endings)} instances are not moved; {moved} are, and verified",
            where=host,
            evidence="\n".join(f"{ending.name} ({ending.id}): {ending.reason}" for ending in open_ones),
            remedy="see the evidence, repair the cause, then repeat the command: it goes on where it was",
        )


async def _expect_empty(gear: Gear, seen: Survey, endings: dict[str, Ending], options: Options) -> None:
    """Raise DrainStopped unless libvirt runs nothing there but what nova has there and may stay."""
    late = [one.instance.label for one in seen.plights if _to_do(one, endings)]
    if late:
        raise DrainStopped(
            "instances come up on the host again and again",
            where=seen.source.host,
            evidence="\n".join(late),
            remedy="see who starts them there, then repeat the command",
        )
    if fault := await remains(gear, seen, options):
        raise DrainStopped(
            "the host cannot be called drained",
            where=seen.source.host,
            evidence=fault,
            remedy="compare `virsh list --all` there with nova's record of each guest; then repeat this",
        )


async def remains(gear: Gear, seen: Survey, options: Options) -> str:
    """Return what is still on the host and should not be, or that nobody can say."""
    if not options.empty:
        return await strangers(gear, seen)
    return "\n".join(filter(None, (await _guests(gear, seen), await _held(gear, seen))))


async def _guests(gear: Gear, seen: Survey) -> str:
    """Return every guest that libvirt has on the host, on or off, or that libvirt does not say."""
    answer = await guests_on(gear.transport, gear.names[seen.source.host])
    if answer.guests is None:
        return f"libvirt cannot be asked there: {answer.evidence}"
    return "\n".join(f"libvirt still has {uuid} there" for uuid in sorted(answer.guests.present))


async def _held(gear: Gear, seen: Survey) -> str:
    """Return what placement counts on the host and is none of its instances.

    That is a resize which nobody has confirmed, whose old disk is there, or what was left of a migration.
    """
    if not seen.source.provider:
        return "placement has no provider of this host, so nobody knows what is counted there"
    consumers = await gear.ask(gear.placement.consumers, seen.source.provider)
    others = consumers - {plight.instance.id for plight in seen.plights}
    return "\n".join(
        f"placement counts {one} there, which is no instance of this host: a resize that nobody has confirmed"
        " (its old disk is there), or what a migration has left"
        for one in sorted(others)
    )


async def strangers(gear: Gear, seen: Survey) -> str:
    """Return what libvirt runs on the host and nova does not have there, or that libvirt does not say."""
    answer = await guests_on(gear.transport, gear.names[seen.source.host])
    if answer.guests is None:
        return f"libvirt cannot be asked there: {answer.evidence}"
    running = answer.guests.running | answer.guests.paused
    unknown = sorted(running - {plight.instance.id for plight in seen.plights})
    return "\n".join(f"{uuid} runs there, and nova has it elsewhere or not at all" for uuid in unknown)


async def check_drained(gear: Gear, host: str, options: Options) -> None:
    """Raise DrainStopped unless the host is drained as recorded; changes nothing."""
    chapter = gear.record.chapter
    seen = await survey(gear, host, options)
    _expect_known(gear, seen.source.host)
    faults = [] if chapter.drained else ["no drain of it has come to its end"]
    if seen.source.enabled:
        faults.append("its compute service is enabled")
    for plight in seen.plights:
        judged = treat(plight.instance, cold=options.cold, empty=options.empty)
        if judged.treatment is not Treatment.STAYS and plight.instance.id not in chapter.left:
            faults.append(f"{plight.instance.label} is still there: {judged.reason}")
    if fault := await remains(gear, seen, options):
        faults.append(fault)
    if faults:
        raise DrainStopped("it is not drained", where=host, evidence="\n".join(faults))


__all__ = ["Result", "check_drained", "compute_of", "drain"]
