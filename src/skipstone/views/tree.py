"""A plan as a tree in the terminal."""

from rich.markup import escape
from rich.tree import Tree

from skipstone.checks.finding import Severity
from skipstone.plan.plan import ALWAYS_A_WAY_BACK, Plan, Stage
from skipstone.steps.step import Impact, Reversibility, Step
from skipstone.views.duration import duration

_IMPACT_STYLE = {
    Impact.NONE: "green",
    Impact.WRITES_REFUSED: "yellow",
    Impact.API_DOWN: "yellow",
    Impact.INSTANCES_BLIP: "red",
}


def plan_tree(plan: Plan) -> Tree:
    """Return the plan: stages, steps, hosts, what each does to users, and the point of no return."""
    tree = Tree(f"[bold]{escape(plan.id)}[/]  {plan.source} → {plan.target}, {plan.strategy}")
    head = tree.add(f"about {duration(plan.estimate)} in {sum(1 for _ in plan.steps())} steps")
    for finding in plan.findings:
        if finding.severity is not Severity.INFO:
            how = f" (handled by {finding.handled_by})" if finding.handled_by else ""
            head.add(f"[yellow]{finding.severity}[/] {escape(finding.title)}{escape(how)}")
    if plan.point_of_no_return is None:
        head.add(f"[green]{ALWAYS_A_WAY_BACK}[/]")
    gates = {gate.before: gate for gate in plan.gates}
    for stage in plan.stages:
        if gate := gates.get(stage.name):
            hours = duration(gate.expires)
            tree.add(f"[bold magenta]gate {gate.id}[/]  {escape(gate.title)}  [dim]open for {hours}[/]")
        _add_stage(tree, plan, stage)
    return tree


def _add_stage(tree: Tree, plan: Plan, stage: Stage) -> None:
    branch = tree.add(f"[bold]{stage.name}[/]  {escape(stage.title)}  [dim]{duration(stage.estimate)}[/]")
    for step in stage.steps:
        if step.id == plan.point_of_no_return:
            branch.add("[bold red]── point of no return: what follows is not undone by Skipstone ──[/]")
        branch.add(_line(step))


def _line(step: Step) -> str:
    marks = [f"[dim]{step.host}[/]", f"[dim]{duration(step.estimate)}[/]"]
    if step.impact is not Impact.NONE:
        marks.append(f"[{_IMPACT_STYLE[step.impact]}]{step.impact}[/]")
    if step.reversibility is not Reversibility.EXACT:
        marks.append(f"[dim]back: {step.reversibility}[/]")
    return f"{escape(step.title)}  [cyan]{step.id}[/]  {'  '.join(marks)}"
