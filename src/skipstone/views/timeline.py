"""The timeline of a run: stages and hosts, and under them, on the same axis, what users felt.

Pure geometry: places are thousandths of the axis, so that the page may be of any width.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from skipstone.impact.measurement import Impact, InstanceImpact
from skipstone.impact.outage import Outage, Stream
from skipstone.impact.sample import Kind
from skipstone.run.state import StepState
from skipstone.views.measure import duration
from skipstone.views.report import Report, StageReport, StepReport

WIDTH = 1000.0
_LEAST = 2.0
_TICKS = 9
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
_LANES = 60
CROWD = 24
"""A stage on more hosts than this is drawn as one lane."""


class Style(StrEnum):
    """What a bar says, and the class that colours it."""

    STAGE = "stage"
    STEP = "step"
    FAILED = "failed"
    WRITES_REFUSED = "writes-refused"
    API_DOWN = "api-down"
    INSTANCES_BLIP = "instances-blip"
    WELL = "well"
    OUTAGE = "outage"
    REBOOT = "reboot"
    BLIND = "blind"


LEGEND: dict[Style, str] = {
    Style.STAGE: "stage",
    Style.STEP: "step without impact",
    Style.WRITES_REFUSED: "writes refused",
    Style.API_DOWN: "API down",
    Style.INSTANCES_BLIP: "instances blip",
    Style.FAILED: "failed",
    Style.WELL: "measured",
    Style.OUTAGE: "no good reply",
    Style.REBOOT: "reboot",
    Style.BLIND: "no probes",
}


class Bar(NamedTuple):
    """A bar from ``x``, ``width`` wide, in thousandths of the axis; the title says what it is."""

    x: float
    width: float
    style: Style
    title: str


class Lane(NamedTuple):
    """One line of the picture; ``remark`` is the figure at its end."""

    label: str
    detail: str
    bars: tuple[Bar, ...]
    remark: str = ""
    bad: bool = False


class Section(NamedTuple):
    """Lanes under one heading; ``hidden`` counts those left out."""

    title: str
    lanes: tuple[Lane, ...]
    hidden: int = 0


class Tick(NamedTuple):
    """A mark of the axis: minutes and seconds since the beginning."""

    x: float
    label: str


class Timeline(NamedTuple):
    """The whole picture."""

    ticks: tuple[Tick, ...]
    sections: tuple[Section, ...]


class Axis(NamedTuple):
    """The time that the picture shows."""

    began: datetime
    seconds: float

    def bar(self, start: datetime, end: datetime, style: Style, title: str) -> Bar:
        """Return a bar on this axis, cut at its ends, and wide enough to be seen."""
        left, right = (self.place(start), self.place(end))
        width = max(right - left, _LEAST)
        return Bar(round(min(left, WIDTH - width), 2), round(width, 2), style, title)

    def place(self, when: datetime) -> float:
        """Return where a time is."""
        return min(max((when - self.began).total_seconds() / self.seconds, 0), 1) * WIDTH

    def clock(self, when: datetime) -> str:
        """Return a time as minutes and seconds since the beginning."""
        return _clock((when - self.began).total_seconds())


def draw(report: Report) -> Timeline | None:
    """Return the timeline of a report, or None where nothing has happened yet."""
    axis = _axis(report)
    if axis is None:
        return None
    sections = [_stages(report, axis), _hosts(report, axis)]
    if report.impact:
        sections += [_apis(report.impact, axis), _instances(report.impact, axis)]
        sections += [_guests(title, found, report.impact, axis) for title, found in _inside(report.impact)]
    return Timeline(ticks(axis.seconds), tuple(section for section in sections if section.lanes))


def _axis(report: Report) -> Axis | None:
    run, impact = report.run, report.impact
    steps = [step for stage in run.stages for step in stage.steps]
    times = [when for step in steps for when in (step.began, step.ended) if when]
    times += [when for when in (run.began, run.ended) if when]
    times += [impact.began, impact.ended] if impact else []
    if len(times) < 2 or min(times) == max(times):  # noqa: PLR2004 - a beginning and an end
        return None
    return Axis(min(times), (max(times) - min(times)).total_seconds())


def ticks(seconds: float) -> tuple[Tick, ...]:
    """Return the marks of an axis that is so many seconds long."""
    step = next((step for step in _STEPS if seconds / step <= _TICKS), _STEPS[-1])
    return tuple(Tick(round(at / seconds * WIDTH, 2), _clock(at)) for at in range(0, int(seconds) + 1, step))


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _stages(report: Report, axis: Axis) -> Section:
    lanes = [
        Lane(stage.title, "", (bar,), duration(stage.seconds) if stage.ended else str(stage.state))
        for stage in report.run.stages
        if (bar := _stage(stage, axis))
    ]
    return _section("Stages", lanes)


def _stage(stage: StageReport, axis: Axis) -> Bar | None:
    if stage.began is None:
        return None
    ends = [step.ended for step in stage.steps if step.ended]
    end = stage.ended or max(ends, default=axis.began + timedelta(seconds=axis.seconds))
    style = Style.FAILED if stage.state is StepState.FAILED else Style.STAGE
    return axis.bar(stage.began, end, style, f"{stage.title}: {axis.clock(stage.began)} to {axis.clock(end)}")


def _hosts(report: Report, axis: Axis) -> Section:
    """Return a lane for each host; the hosts of a stage of very many share one, but for those that failed."""
    by_host: dict[str, list[StepReport]] = {}
    crowds: list[Lane] = []
    for stage in report.run.stages:
        begun = [step for step in stage.steps if step.began]
        failed = {step.host for step in begun if step.state is StepState.FAILED}
        hosts = {step.host for step in begun}
        crowded = len(hosts) > CROWD
        if crowded:
            crowds.append(_crowd(stage, len(hosts), begun, axis))
        for step in begun:
            if not crowded or step.host in failed:
                by_host.setdefault(step.host, []).append(step)
    return _section("Hosts", [*(_host(host, steps, axis) for host, steps in by_host.items()), *crowds])


def _host(host: str, steps: list[StepReport], axis: Axis) -> Lane:
    bars = joined(_step(step, axis) for step in steps)
    failed = any(step.state is StepState.FAILED for step in steps)
    return Lane(host, "", bars, duration(sum(step.seconds for step in steps)), bad=failed)


def _crowd(stage: StageReport, hosts: int, steps: list[StepReport], axis: Axis) -> Lane:
    bars = joined(_step(step, axis) for step in steps)
    failed = sum(step.state is StepState.FAILED for step in steps)
    over = sum(step.ended is not None for step in steps)
    remark = f"{failed} failed" if failed else f"{over} of {len(stage.steps)} steps"
    return Lane(stage.title, f"{hosts} hosts", bars, remark, bad=bool(failed))


def joined(bars: Iterable[Bar]) -> tuple[Bar, ...]:
    """Return bars of which those of one style that lie on one another are one: a page holds no thousands."""
    found: list[Bar] = []
    counts: list[int] = []
    last: dict[Style, int] = {}
    for bar in sorted(bars, key=lambda one: one.x):
        index = last.get(bar.style)
        if index is None or bar.x >= found[index].x + found[index].width:
            last[bar.style] = len(found)
            found.append(bar)
            counts.append(1)
            continue
        before = found[index]
        width = max(before.x + before.width, bar.x + bar.width) - before.x
        found[index] = before._replace(width=round(width, 2))
        counts[index] += 1
    return tuple(
        bar if count == 1 else bar._replace(title=f"{count} together; the first: {bar.title}")
        for bar, count in zip(found, counts, strict=True)
    )


def _step(step: StepReport, axis: Axis) -> Bar:
    began = step.began or axis.began
    end = step.ended or axis.began + timedelta(seconds=axis.seconds)
    felt = Style(step.impact) if step.impact != "none" else Style.STEP
    style = Style.FAILED if step.state is StepState.FAILED else felt
    return axis.bar(began, end, style, f"{step.title} ({duration(step.seconds)})")


def _apis(impact: Impact, axis: Axis) -> Section:
    lanes = [
        _stream(f"{stream.name} {stream.kind}s", "", [stream], impact, axis)
        for stream in impact.apis
        if stream.asked or stream.not_asked
    ]
    return _section("APIs", lanes)


def _instances(impact: Impact, axis: Axis) -> Section:
    return _section("Instances", [_instance(instance, impact, axis) for instance in impact.instances])


def _instance(instance: InstanceImpact, impact: Impact, axis: Axis) -> Lane:
    streams = [stream for stream in (instance.ping, instance.tcp, instance.boot) if stream]
    lane = _stream(instance.name, instance.address, streams, impact, axis)
    reboots = tuple(
        axis.bar(boot.first, boot.first, Style.REBOOT, f"another boot-id: {boot.boot_id}")
        for boot in instance.boots[1:]
    )
    remark = "rebooted" if instance.rebooted else lane.remark
    return lane._replace(bars=lane.bars + reboots, remark=remark, bad=lane.bad or instance.rebooted)


def _inside(impact: Impact) -> list[tuple[str, tuple[Stream, ...]]]:
    return [("Between instances", impact.pairs), ("Writes in instances", impact.disks)]


def _guests(title: str, streams: Iterable[Stream], impact: Impact, axis: Axis) -> Section:
    return _section(title, [_stream(one.name, "", [one], impact, axis) for one in streams])


def _stream(label: str, detail: str, streams: list[Stream], impact: Impact, axis: Axis) -> Lane:
    """Return a lane with the time that was measured, the outages, and the times without probes."""
    bars = [axis.bar(impact.began, impact.ended, Style.WELL, "measured")]
    bars += joined(
        axis.bar(*_outage(stream, outage, axis)) for stream in streams for outage in stream.outages
    )
    bars += [
        axis.bar(blind.start, blind.end, Style.BLIND, f"no probes for {duration(blind.seconds)}")
        for blind in impact.blind
    ]
    longest = max(stream.longest for stream in streams)
    if all(stream.asked == 0 for stream in streams):
        return Lane(label, detail, (), "not measured", bad=False)
    over = all(outage.ended for stream in streams for outage in stream.outages)
    remark = duration(longest) + ("" if over else ", not over") if longest else "no outage"
    return Lane(label, detail, tuple(bars), remark, bad=longest > 0)


def _outage(stream: Stream, outage: Outage, axis: Axis) -> tuple[datetime, datetime, Style, str]:
    what = _WHAT.get(stream.kind, f"{stream.kind}s failed")
    why = ", ".join(f"{reason} ({count})" for reason, count in outage.reasons.items())
    open_ = "" if outage.ended else ", not over when probing ended"
    unseen = f" ({duration(outage.unseen)} of it without probes)" if outage.unseen else ""
    title = (
        f"{axis.clock(outage.start)}: {duration(outage.seconds)}{unseen}, {outage.bad} {what}: {why}{open_}"
    )
    return outage.start, outage.end, Style.OUTAGE, title


_WHAT = {
    Kind.PING: "pings lost",
    Kind.TCP: "connections failed",
    Kind.BOOT: "HTTP replies lost",
    Kind.PAIR: "tries failed",
    Kind.DISK: "writes failed",
}


def _section(title: str, lanes: Iterable[Lane]) -> Section:
    """Keep the lanes that say most where there are too many to read: the bad ones, then the first."""
    every = list(lanes)
    kept = sorted(range(len(every)), key=lambda index: (not every[index].bad, index))[:_LANES]
    return Section(title, tuple(every[index] for index in sorted(kept)), len(every) - len(kept))
