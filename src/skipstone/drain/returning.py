"""Opens a drained host again, and brings back what was moved off it."""

import asyncio
import time
from dataclasses import replace

from skipstone.drain.dock import Dock
from skipstone.drain.drain import MARK, Result, finish_all, how_stopped
from skipstone.drain.gear import DrainStopped, Gear, News, Options, Phase
from skipstone.drain.model import Compute, Instance
from skipstone.drain.mover import Ending, Mover, Way
from skipstone.drain.record import Event, Trace
from skipstone.drain.survey import compute_of
from skipstone.drain.targets import Books


async def bring_back(gear: Gear, host: str, options: Options, *, instances: bool = True) -> Result:
    """Enable the host's compute service where the drain has disabled it, and move its instances back.

    With ``instances`` false they stay where they are. One that is off comes back cold, whether it was moved
    so or its owner has stopped it since. What was deleted, or is not where the drain has put it, is let be.
    Raise DrainStopped where an operator is needed.
    """
    await gear.ask(gear.nova.expect_microversion)
    home = await _opened(gear, host)
    endings: dict[str, Ending] = {}
    if instances:
        endings = await _move_back(gear, home, options)
    _expect_certain(host, endings)
    return Result(host, tuple(endings.values()))


async def check_open(gear: Gear, host: str, *, instances: bool) -> None:
    """Raise DrainStopped unless the host is open again as recorded; changes nothing."""
    chapter = gear.record.chapter
    compute = compute_of(await gear.ask(gear.nova.computes), host)
    faults = [] if chapter.opened else ["it was not opened again"]
    if chapter.service and chapter.service.enabled and not compute.enabled:
        faults.append(f"its compute service is disabled: {compute.reason}")
    for trace in chapter.away if instances else ():
        instance = await gear.ask(gear.nova.instance, trace.id)
        if instance and instance.host == trace.at:
            faults.append(f"{trace.name} ({trace.id}) is still on {instance.host}")
    if faults:
        raise DrainStopped("it is not as before its drain", where=host, evidence="\n".join(faults))


async def _opened(gear: Gear, host: str) -> Compute:
    """Enable the service unless it was disabled before the drain, and wait until nova says that it is up."""
    limit = time.monotonic() + gear.patience.settle
    compute = compute_of(await gear.ask(gear.nova.computes), host)
    before = gear.record.chapter.service
    ours = before.enabled if before else compute.reason.startswith(MARK)
    if ours and not compute.enabled:
        reply = await asyncio.to_thread(lambda: gear.nova.set_service(compute.service, enabled=True))
        if reply.refused:
            raise DrainStopped(
                "nova does not let its compute service be enabled", where=host, evidence=reply.refused
            )
    if not gear.record.chapter.opened:
        gear.record.append(Event.OPENED)
    while not compute.up:
        if time.monotonic() > limit:
            raise DrainStopped(
                "its compute service is enabled, but down", where=host, remedy="see nova-compute's log there"
            )
        await gear.pause()
        compute = compute_of(await gear.ask(gear.nova.computes), host)
    return compute


async def _move_back(gear: Gear, home: Compute, options: Options) -> dict[str, Ending]:
    computes = await gear.ask(gear.nova.computes)
    by_host = {compute.host: compute for compute in computes}
    home = await gear.ask(gear.placement.with_room, compute_of(computes, home.host))
    going = [trace for trace in gear.record.chapter.traces.values() if trace.away or trace.open]
    found = {trace.id: await gear.ask(gear.nova.instance, trace.id) for trace in going}
    members = await gear.ask(gear.nova.instances, home.host)
    held = {one.id: home.host for one in members}
    rules = replace(options.rules, only=frozenset({home.host}), avoided=frozenset(), excluded=frozenset())
    dock = Dock((home,), rules, gear.places, Books(held=held))
    way = Way(gear, dock, replace(options, cold=True), by_host, homeward=True)
    endings: dict[str, Ending] = {}
    movers = []
    for trace in going:
        instance = found[trace.id]
        if ending := _let_be(trace, instance, home, by_host):
            endings[trace.id] = ending
            gear.tell(News(ending.id, ending.name, ending.phase, ending.reason))
            continue
        assert instance is not None  # noqa: S101 - for the type checker: it would be let be
        source = way.compute(trace.open.source if trace.open else instance.host or "")
        movers.append(Mover(way, instance, source))
    return endings | await finish_all(gear, movers, pause=False)


def _let_be(
    trace: Trace, instance: Instance | None, home: Compute, by_host: dict[str, Compute]
) -> Ending | None:
    """Return the ending of an instance that is not moved back, or None; LEFT is what somebody moved on."""
    if instance is None:
        return Ending(trace.id, trace.name, Phase.GONE, "its owner has deleted it")
    if trace.open:
        return None
    if instance.host == home.host:
        return Ending(trace.id, trace.name, Phase.GONE, "it is back already")
    if instance.host != trace.at or instance.host not in by_host:
        where = instance.host or "no host"
        reason = f"somebody has moved it on: it is on {where}, not on {trace.at}"
        return Ending(trace.id, trace.name, Phase.LEFT, reason)
    return None


def _expect_certain(host: str, endings: dict[str, Ending]) -> None:
    open_ones = [ending for ending in endings.values() if not ending.certain]
    if open_ones:
        raise how_stopped(open_ones)(
            f"{len(open_ones)} instances are not back; the host is open, and they run where they are",
            where=host,
            evidence="\n".join(f"{ending.name} ({ending.id}): {ending.reason}" for ending in open_ones),
            remedy="see the evidence, repair the cause, then repeat the command; or leave them there",
        )
