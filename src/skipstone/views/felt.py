"""What users have felt so far, in a few lines, however many APIs and instances there are."""

from collections.abc import Iterable, Sequence

from skipstone.impact.sample import Kind
from skipstone.impact.spending import by_address
from skipstone.impact.tally import Felt
from skipstone.run.budget import Spent
from skipstone.views.measure import duration

_LEAST = 1.0
"""Seconds of outage below which an API is not named."""


def felt_lines(felt: Sequence[Felt]) -> list[str]:
    """Return a line for the APIs, one for the instances, and for what canaries say, if any do."""
    lines = [_apis(felt)] if any(one.kind.of_api for one in felt) else []
    instances = by_address(felt)
    if instances:
        lines.append(_instances(list(instances.values()), felt))
    for kind, what in ((Kind.PAIR, "pairs of instances"), (Kind.DISK, "disks of instances")):
        found = [one for one in felt if one.kind is kind]
        if found:
            worst = max(found, key=lambda one: one.gap)
            gap = f"longest outage {duration(worst.gap)} ({worst.name})" if worst.gap else "no outage"
            lines.append(f"{len(found)} {what}: {gap}")
    return lines


def spent_lines(spent: Iterable[Spent]) -> list[str]:
    """Return a line for each budget."""
    return [f"budget {one.budget.name}: {one.text}{', BROKEN' if one.broken else ''}" for one in spent]


def _apis(felt: Sequence[Felt]) -> str:
    by_name: dict[str, list[Felt]] = {}
    for one in felt:
        if one.kind.of_api:
            by_name.setdefault(one.name, []).append(one)
    texts = [
        _api(name, found) for name, found in by_name.items() if any(one.total >= _LEAST for one in found)
    ]
    return f"outage of each API so far: {', '.join(texts) or 'none'}"


def _api(name: str, felt: list[Felt]) -> str:
    times = [f"{one.kind}s {duration(round(one.total))}" for one in felt if one.total >= _LEAST]
    return f"{name} {' '.join(times)}" + (" (out now)" if any(one.out for one in felt) else "")


def _instances(instances: list[Felt], felt: Sequence[Felt]) -> str:
    worst = max(instances, key=lambda one: (one.gap, one.bad))
    asked, bad = sum(one.asked for one in instances), sum(one.bad for one in instances)
    out = sum(bool(one.out) for one in instances)
    rebooted = list(dict.fromkeys(one.name for one in felt if one.reboots))
    parts = [
        f"{len(instances)} instances: longest gap {worst.gap:.1f} s ({worst.name})",
        f"{bad} of {asked} replies lost",
        f"rebooted: {', '.join(rebooted)}" if rebooted else "none rebooted",
    ]
    return ", ".join([*parts, f"{out} out now"] if out else parts)
