"""Where a run's budgets stand, folded from its journal's events."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from skipstone.run.budget import Budget


@dataclass(frozen=True)
class BudgetView:
    """Where one budget stands: its limit, and from ``broken`` on, what had been spent of it then.

    ``who`` and ``why`` are of the one who gave it, or who ``accepted`` that it is broken: it then pauses the
    run no more.
    """

    name: str
    limit: float
    who: str = ""
    why: str = ""
    broken: datetime | None = None
    spent: float = 0.0
    figures: str = ""
    accepted: datetime | None = None

    @property
    def budget(self) -> Budget:
        """The budget itself."""
        return Budget.named(self.name, self.limit)


def allow(budgets: tuple[BudgetView, ...], facts: Mapping[str, Any], at: datetime) -> tuple[BudgetView, ...]:
    """Return the budgets after an operator has begun or gone on: given anew, or accepted as broken."""
    before = {budget.name: budget for budget in budgets}
    known = {name: _held(budget) for name, budget in before.items()}
    said = {"who": facts.get("allowed_by", ""), "why": facts.get("why", "")}
    for name, limit in facts.get("budgets", {}).items():
        known[name] = BudgetView(name, limit, **said)
    for name in facts.get("accepted", ()):
        known[name] = replace(before.get(name, known[name]), accepted=at, **said)
    return tuple(known.values())


def _held(budget: BudgetView) -> BudgetView:
    """Return a budget as it is when a run goes on: none that is broken, and not accepted, lets it."""
    return budget if budget.accepted else replace(budget, broken=None, spent=0.0, figures="")


def see_broken(
    budgets: tuple[BudgetView, ...], facts: Mapping[str, Any], at: datetime
) -> tuple[BudgetView, ...]:
    """Return the budgets after one was found to be broken."""
    found = {"broken": at, "spent": float(facts["spent"]), "figures": facts["figures"]}
    return tuple(replace(one, **found) if one.name == facts["budget"] else one for one in budgets)
