"""What was spent of each budget, from the tally: pure."""

from collections.abc import Iterable, Iterator, Sequence

from skipstone.impact.sample import Kind
from skipstone.impact.tally import Felt
from skipstone.run.budget import Budget, Measure, Spent, Unit, effective

_KINDS = {
    Measure.API_READS: {Kind.READ},
    Measure.API_WRITES: {Kind.WRITE},
    Measure.PAIR_GAP: {Kind.PAIR},
    Measure.DISK_GAP: {Kind.DISK},
    Measure.INSTANCE_REBOOTS: {Kind.BOOT},
}


def spend(felt: Iterable[Felt], budgets: Sequence[Budget]) -> list[Spent]:
    """Return what was spent of each budget, in their order; nothing of what is not measured."""
    every = list(felt)
    return [_spent(budget, list(_concerned(every, budgets, budget))) for budget in budgets]


def by_address(felt: Iterable[Felt]) -> dict[tuple[str, str], Felt]:
    """Return what tells most of each instance's address: pings, else connections, else HTTP."""
    best: dict[tuple[str, str], Felt] = {}
    order = [Kind.PING, Kind.TCP, Kind.BOOT]
    for one in felt:
        key = (one.subject, one.target)
        if one.kind.of_instance and (key not in best or order.index(one.kind) < order.index(best[key].kind)):
            best[key] = one
    return best


def _concerned(felt: list[Felt], budgets: Sequence[Budget], budget: Budget) -> Iterator[Felt]:
    """Yield what counts for a budget: of an instance one stream, and none with a budget of its own."""
    kinds = _KINDS.get(budget.measure)
    found = [one for one in felt if one.kind in kinds] if kinds else by_address(felt).values()
    for one in found:
        if effective(budgets, one.subject, budget.measure, one.name) == budget:
            yield one


def _spent(budget: Budget, felt: list[Felt]) -> Spent:
    match budget.measure.unit:
        case Unit.SHARE:
            return _lost(budget, felt)
        case Unit.COUNT:
            again = [one for one in felt if one.reboots]
            whose = ", ".join(dict.fromkeys(one.name for one in again))
            return Spent(budget, sum(one.reboots for one in again), whose)
        case Unit.SECONDS:
            return _longest(budget, felt)


def _longest(budget: Budget, felt: list[Felt]) -> Spent:
    value = {Measure.API_READS: "total", Measure.API_WRITES: "total"}.get(budget.measure, "gap")
    worst = max(felt, key=lambda one: getattr(one, value), default=None)
    return Spent(budget, getattr(worst, value), worst.name) if worst else Spent(budget, 0.0)


def _lost(budget: Budget, felt: list[Felt]) -> Spent:
    """Return the share that was lost of all, once so many were asked that a single one would not break it."""
    asked, bad = sum(one.asked for one in felt), sum(one.bad for one in felt)
    enough = asked * budget.limit >= 1 or budget.limit == 0
    return Spent(budget, bad / asked if asked and enough else 0.0)
