"""A plan as a runbook: Markdown that a person could follow by hand."""

from collections.abc import Iterator

from skipstone.cloud.command import OPERATOR, Command
from skipstone.plan.plan import ALWAYS_A_WAY_BACK, Plan, Stage
from skipstone.steps.step import Impact, Reversibility, Step
from skipstone.views.measure import duration
from skipstone.views.waves import limits_text

_IMPACT = {
    Impact.NONE: "users feel nothing",
    Impact.WRITES_REFUSED: "APIs refuse writes",
    Impact.API_DOWN: "APIs do not answer",
    Impact.INSTANCES_BLIP: "instances lose the network for seconds",
}
_BACK = {
    Reversibility.EXACT: "can be undone exactly",
    Reversibility.FROM_BACKUP: "is undone by restoring the backup",
    Reversibility.NONE: "cannot be undone",
}
HOW_TO_READ = """\
Commands run as root on the host named above them, with `sh`. Those of the *operator* run on your own
machine with the cloud's credentials (`OS_CLOUD`), the inventory's path in `SKIPSTONE_INVENTORY`, and
`skipstone` and `openstack` in `PATH`. Steps of a stage that do not wait for each other may run
at the same time; a stage begins when the one before it is complete. Stop at the first command that does not
exit with 0.
"""


def runbook(plan: Plan) -> str:
    """Return the whole plan as Markdown, with every command."""
    return "\n".join(_lines(plan)) + "\n"


def _lines(plan: Plan) -> Iterator[str]:
    what = f"Rollback of run {plan.of_run}" if plan.of_run else f"Upgrade of {plan.cloud}"
    yield f"# {what} from {plan.source} to {plan.target}"
    yield ""
    yield f"Plan `{plan.id}`, strategy {plan.strategy}, about {duration(plan.estimate)}."
    if plan.point_of_no_return is None and not plan.of_run:
        yield f"It has {ALWAYS_A_WAY_BACK}."
    yield HOW_TO_READ
    yield from _findings(plan)
    for number, stage in enumerate(plan.stages, start=1):
        yield from _stage(plan, number, stage)


def _findings(plan: Plan) -> Iterator[str]:
    if not plan.findings:
        return
    yield "## Findings"
    yield ""
    for finding in plan.findings:
        handled = f" Handled by `{finding.handled_by}`." if finding.handled_by else f" {finding.remedy}"
        where = f" ({finding.where})" if finding.where else ""
        yield f"- **{finding.severity}** {finding.title}{where}.{handled}"
    yield ""


def _stage(plan: Plan, number: int, stage: Stage) -> Iterator[str]:
    yield f"## {number}. {stage.title}"
    yield ""
    yield f"Stage `{stage.name}`, about {duration(stage.estimate)}."
    yield ""
    if limits := limits_text(stage):
        yield f"Hosts: {limits}. A host is down from its first step here to its last one."
        yield ""
    for gate in plan.gates:
        if gate.before == stage.name:
            yield f"> **Gate `{gate.id}`.** A person decides: {gate.title}."
            yield ""
    for position, step in enumerate(stage.steps, start=1):
        if step.id == plan.point_of_no_return:
            yield "> **Point of no return.** Nothing from here on is undone by Skipstone."
            yield ""
        yield from _step(f"{number}.{position}", step)


def _step(number: str, step: Step) -> Iterator[str]:
    yield f"### {number} {step.title}"
    yield ""
    wait = f" Wait for {', '.join(f'`{need}`' for need in step.needs)}." if step.needs else ""
    effects = f"{_IMPACT[step.impact]}; {_BACK[step.reversibility]}"
    yield f"`{step.id}`: {effects}; about {duration(step.estimate)}.{wait}"
    yield ""
    if shown := step.shows():
        yield from ("```diff", shown, "```", "")
    yield from _act("Nothing to do if this exits with 0", step.is_done())
    yield from _act("Do", step.apply())
    yield from _act("See that it is so", step.verify())
    yield from _act("Before any further attempt", step.reset())
    yield from _act("To undo", step.revert())
    yield from _act("To undo, once the APIs answer again", step.revert_rest())
    yield from _act("That can be undone while this exits with 0", step.intact())


def _act(label: str, command: Command | None) -> Iterator[str]:
    if command is None:
        return
    place = "*operator*" if command.host == OPERATOR else f"`{command.host}`"
    yield f"{label}, on {place}:"
    yield ""
    yield "```sh"
    yield command.script.strip()
    yield "```"
    yield ""
