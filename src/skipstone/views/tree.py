"""A plan as a tree in the terminal."""

from collections import Counter
from collections.abc import Iterator

from rich.markup import escape
from rich.tree import Tree

from skipstone.checks.check import listed
from skipstone.checks.finding import Finding, Severity
from skipstone.plan.plan import ALWAYS_A_WAY_BACK, Plan, Stage
from skipstone.plan.repeating import outlines_of
from skipstone.steps.step import Impact, Reversibility, Step
from skipstone.views.measure import duration
from skipstone.views.waves import limits_text

_FEW = 3
"""Of more hosts than that in a wave, the first one's steps are shown."""

_MANY, _SHOWN = 20, 3
"""Of more steps of a kind than that in a stage, so many are shown."""

_IMPACT_STYLE = {
    Impact.NONE: "green",
    Impact.WRITES_REFUSED: "yellow",
    Impact.API_DOWN: "yellow",
    Impact.INSTANCES_BLIP: "red",
}


def plan_tree(plan: Plan) -> Tree:
    """Return the plan: stages, steps, hosts, what each does to users, and the point of no return."""
    tree = Tree(f"[bold]{escape(plan.id)}[/]  {plan.source} → {plan.target}, {plan.strategy}")
    count = sum(len(stage.steps) for stage in plan.stages)
    head = tree.add(f"about {duration(plan.estimate)} in {count} steps")
    alike = Counter(_finding(found) for found in plan.findings if found.severity is not Severity.INFO)
    for line, number in alike.items():
        head.add(f"{line} [dim]({number:,} times)[/]" if number > 1 else line)
    if plan.point_of_no_return is None:
        head.add(f"[green]{ALWAYS_A_WAY_BACK}[/]")
    gates = {gate.before: gate for gate in plan.gates}
    for stage in plan.stages:
        if gate := gates.get(stage.name):
            hours = duration(gate.expires)
            tree.add(f"[bold magenta]gate {gate.id}[/]  {escape(gate.title)}  [dim]open for {hours}[/]")
        _add_stage(tree, plan, stage)
    return tree


def _finding(finding: Finding) -> str:
    how = f" (handled by {finding.handled_by})" if finding.handled_by else ""
    return f"[yellow]{finding.severity}[/] {escape(finding.title)}{escape(how)}"


def _add_stage(tree: Tree, plan: Plan, stage: Stage) -> None:
    branch = tree.add(f"[bold]{stage.name}[/]  {escape(stage.title)}  [dim]{duration(stage.estimate)}[/]")
    if limits := limits_text(stage):
        branch.add(f"[magenta]{escape(limits)}[/]")
    for line in _lines(plan, stage):
        branch.add(line)


def _lines(plan: Plan, stage: Stage) -> Iterator[str]:
    """Yield a stage's steps: of a wave's hosts those of the first, of very many of a kind some."""
    hosts = list(stage.groups)
    left = hosts[1:] if len(hosts) > _FEW else []
    steps = outlines_of(stage.steps)
    kinds = Counter(step.kind for step in steps)
    many = [kind for kind, number in kinds.items() if number > _MANY and not left]
    seen: Counter[str] = Counter()
    for place, step in enumerate(steps):
        seen[step.kind] += 1
        if step.id == plan.point_of_no_return:
            yield "[bold red]── point of no return: what follows is not undone by Skipstone ──[/]"
        elif (left and step.group != hosts[0]) or (step.kind in many and seen[step.kind] > _SHOWN):
            continue
        yield _line(stage.steps[place])
    if left:
        yield f"and the same on {len(left):,} more: {escape(listed(left))}"
    for kind in many:
        yield f"and {kinds[kind] - _SHOWN:,} more steps of kind {kind}"


def _line(step: Step) -> str:
    marks = [f"[dim]{step.host}[/]", f"[dim]{duration(step.estimate)}[/]"]
    if step.impact is not Impact.NONE:
        marks.append(f"[{_IMPACT_STYLE[step.impact]}]{step.impact}[/]")
    if step.reversibility is not Reversibility.EXACT:
        marks.append(f"[dim]back: {step.reversibility}[/]")
    return f"{escape(step.title)}  [cyan]{step.id}[/]  {'  '.join(marks)}"
