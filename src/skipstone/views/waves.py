"""Hosts that are taken in waves, in few lines however many they are."""

from collections.abc import Mapping

from skipstone.plan.plan import Plan, Stage
from skipstone.plan.waves import DOWN

_LISTED = 6
"""Lanes of a kind that are told one by one."""


def limits_text(stage: Stage) -> str:
    """Return in words how many hosts may be down at the same time, or nothing where nothing limits them."""
    if len(stage.groups) < 2 or DOWN not in stage.lanes:  # noqa: PLR2004 - one host shares nothing
        return ""
    kinds: dict[str, dict[str, int]] = {}
    for lane, limit in stage.lanes.items():
        kind, _, name = lane.partition(" ")
        kinds.setdefault(kind, {})[name] = limit
    parts = [_kind(kind, limits) for kind, limits in kinds.items() if kind != DOWN]
    number = stage.lanes[DOWN]
    whole = f"at most {number:,} {'host is' if number == 1 else 'hosts are'} down at the same time"
    failures = f"; no other begins once more than {stage.failures} have failed" if stage.failures else ""
    windows = f"; only in {', '.join(map(str, stage.windows))}" if stage.windows else ""
    return f"{'; '.join([whole, *parts])}{failures}{windows}"


def narrowed(plan: Plan, steps_at_once: int) -> str:
    """Return that the operator's own setting lets fewer hosts be worked on than the plan does, or nothing.

    The plan's estimate does not know that setting.
    """
    down = max((stage.lanes.get(DOWN, 0) for stage in plan.stages if stage.groups), default=0)
    if down <= steps_at_once:
        return ""
    return (
        f"up to {down:,} hosts may be down at the same time, but no more than {steps_at_once:,} steps run at"
        " once (the setting steps_at_once): the waves take longer than the plan says"
    )


def _kind(kind: str, limits: Mapping[str, int]) -> str:
    if len(limits) <= _LISTED:
        return ", ".join(f"{limit:,} in {kind} {name}" for name, limit in limits.items())
    least, most = min(limits.values()), max(limits.values())
    return f"{least:,}{'' if least == most else f' to {most:,}'} in each of {len(limits)} {kind}s"
