"""Carries out a plan: journal, executor and engine put together.

The caller holds the cloud's lock and has a transport; it may listen to the journal and ask for a stop.
"""

import getpass
import os
import socket
from collections.abc import Container, Sequence
from pathlib import PurePosixPath
from typing import Any
from uuid import uuid4

from skipstone.checks.check import listed
from skipstone.cloud.command import OPERATOR, Transport
from skipstone.errors import EngineAway
from skipstone.plan.plan import Plan, Stage
from skipstone.plan.planfile import plan_digest
from skipstone.run.budget import Allowance, Spent
from skipstone.run.directory import RunDirectory
from skipstone.run.engine import Engine
from skipstone.run.executor import Executor
from skipstone.run.gatekeeper import Consent, Figures, Gatekeeper, no_figures
from skipstone.run.hours import MaintenanceHours
from skipstone.run.job import JOBS, Job
from skipstone.run.journal import Journal
from skipstone.run.name import new_mark
from skipstone.run.question import Asker, Patience
from skipstone.run.runview import RunView, StepView
from skipstone.run.schedule import Always, Ending, Group, Node, StageOrder
from skipstone.run.state import Kind, RunState, StepState
from skipstone.steps.step import Step


class Runner:
    """Carries out one run of a plan; one process does so at a time, which the cloud's lock sees to.

    ``token`` is that lock's; ``host_jobs`` is where hosts keep the jobs' directories; ``consent`` is what the
    operator has approved beforehand, ``allowance`` the budgets that are given or accepted now, and
    ``figures`` gives lines on what users have felt so far.
    """

    def __init__(
        self,
        plan: Plan,
        directory: RunDirectory,
        *,
        journal: Journal,
        engine: Engine,
        transport: Transport,
        token: int,
        steps_at_once: int,
        consent: Consent = Consent(),  # noqa: B008 - frozen
        allowance: Allowance = Allowance(),  # noqa: B008 - frozen
        figures: Figures = no_figures,
        patience: Patience = Patience(),  # noqa: B008 - frozen
        host_jobs: PurePosixPath = JOBS,
    ) -> None:
        self._plan = plan
        self._directory = directory
        self._journal = journal
        self._engine = engine
        self._token = token
        self._steps_at_once = steps_at_once
        self._allowance = allowance
        self._host_jobs = host_jobs
        lost = {one.host for one in journal.view.written_off}
        self._steps = {step.id: step.without(lost) for step in plan.steps()}
        self._jobs = ""
        self._gates = {f"gate:{gate.id}": gate for gate in plan.gates}
        self._stopping = False
        self._stopped_for = ""
        self._executor = Executor(
            journal, Asker(transport, patience), make_job=self._job, stopping=lambda: self._stopping
        )
        self._gatekeeper = Gatekeeper(
            plan, directory, journal, consent=consent, stopping=lambda: self._stopping, figures=figures
        )

    async def run(self, *, until: str | None = None) -> RunView:
        """Carry the plan out, from where the journal ends, and return where the run then stands.

        ``until`` names the last stage to carry out, which the plan has. Raise RunStopped where the journal
        cannot be written, EngineAway where the engine cannot begin. A failed step is no exception: the view
        says so.
        """
        stages = self._stages(until)
        self._begin()
        self._jobs = self._journal.view.jobs
        try:
            ending = await self._engine.drive(
                # several operators' runs may have the same names in one PostgreSQL
                f"{self._directory.run}:{self._token}:{uuid4().hex[:8]}",
                stages,
                self._carry_out,
                stopping=lambda: self._stopping,
                at_once=self._steps_at_once,
            )
        except EngineAway as error:
            self._journal.append(Kind.RUN_STOPPED, reason=str(error))
            raise
        self._end(ending, until)
        return self._journal.view

    async def _carry_out(self, name: str) -> StepState:
        """Carry out a step, or ask at a gate: a stage of its own, which passes or stays pending."""
        if gate := self._gates.get(name):
            return StepState.DONE if await self._gatekeeper.passed(gate) else StepState.PENDING
        return await self._executor.carry_out(self._steps[name])

    def ask_stop(self, reason: str = "") -> None:
        """Let the running steps come to their end, and begin no other; ``reason`` where no operator asks."""
        self._stopping = True
        self._stopped_for = self._stopped_for or reason
        if self._journal.state.at_work:
            self._journal.append(Kind.STOP_ASKED, reason=reason)

    def hold_back(self, spent: Spent) -> None:
        """Pause the run as ``ask_stop`` does, because a budget of it is broken."""
        self._stopping = True
        name = spent.budget.name
        known = {one.name: one for one in self._journal.view.budgets}[name]
        if not self._journal.state.at_work or known.broken or known.accepted:
            return
        reason = f"the budget {name} is broken: {spent.text}"
        self._journal.append(
            Kind.BUDGET_BROKEN,
            budget=name,
            limit=spent.budget.limit,
            spent=spent.value,
            whose=spent.whose,
            figures=spent.text,
            reason=reason,
        )
        self._stopped_for = self._stopped_for or reason

    def leave_out(self, text: str) -> None:
        """Write down that an instance counts for no budget any more, once, as long as the run is at work."""
        if self._journal.state.at_work and text not in self._journal.view.left_out:
            self._journal.append(Kind.INSTANCE_LEFT_OUT, text=text)

    def _begin(self) -> None:
        user, host, process = getpass.getuser(), socket.gethostname(), os.getpid()
        if self._journal.state is not RunState.NEW:
            facts = self._allowance.facts()
            self._journal.append(Kind.RUN_RESUMED, who=user, host=host, pid=process, **facts)
            return
        self._journal.append(
            Kind.RUN_STARTED,
            who=user,
            host=host,
            pid=process,
            run=self._directory.run,
            mark=new_mark(),
            plan_digest=plan_digest(self._plan),
            plan=plan_facts(self._plan),
            **self._allowance.facts(),
        )

    def _end(self, ending: Ending, until: str | None) -> None:
        view = self._journal.view
        if not view.state.at_work:
            return  # stopped at a gate, which has said why
        if ending is Ending.FAILED and view.failed:
            reasons = (_why(view.failed), self._stopped_for)
            self._journal.append(Kind.RUN_FAILED, reason="; and ".join(filter(None, reasons)))
        elif ending is not Ending.DONE:
            self._journal.append(Kind.RUN_STOPPED, reason=self._stopped_for or "the operator asked for it")
        elif view.remaining:
            self._journal.append(Kind.RUN_STOPPED, reason=f"stage {until} is done, and no more was asked for")
        else:
            self._journal.append(Kind.RUN_DONE)

    def _stages(self, until: str | None) -> list[StageOrder]:
        names = [stage.name for stage in self._plan.stages]
        last = len(names) if until is None else names.index(until) + 1
        found: list[StageOrder] = []
        for stage in self._plan.stages[:last]:
            gates = (name for name, gate in self._gates.items() if gate.before == stage.name)
            found += (StageOrder([Node(name, ())]) for name in gates)
            found.append(self._order(stage))
        return found

    def _order(self, stage: Stage) -> StageOrder:
        """Return what is left of a stage: what is done needs no turn, and no window."""
        over = {step.id for step in stage.steps if self._known(step.id).passed}
        left = [step for step in stage.steps if step.id not in over]
        begun = {step.group for step in stage.steps if self._known(step.id) is not StepState.PENDING}
        groups = {
            name: Group(stage.groups.get(name, ()), stage.seconds[name], begun=name in begun)
            for name in dict.fromkeys(step.group for step in left)
            if name
        }
        limits = self._limits(stage)
        nodes = [
            Node(
                step.id,
                tuple(need for need in step.needs if need not in over),
                self._lanes(step, limits),
                step.group,
                step.estimate,
            )
            for step in left
        ]
        hours = MaintenanceHours(stage.windows, self._journal) if stage.windows else Always()
        return StageOrder(nodes, limits, groups, stage.failures, hours)

    def _known(self, step: str) -> StepState:
        """Return where a step stands; a run that has not begun knows none."""
        return StepState.PENDING if self._journal.state is RunState.NEW else self._journal.step(step).state

    def _limits(self, stage: Stage) -> dict[str, int]:
        limits = dict(stage.lanes)
        if stage.at_once is not None:
            limits[_EVERY_STEP] = stage.at_once
        if stage.per_zone is not None:
            limits |= {_on(zone): stage.per_zone for zone in self._plan.zones.values()}
        return limits

    def _lanes(self, step: Step, limits: Container[str]) -> tuple[str, ...]:
        zone = self._plan.zones.get(step.host)
        lanes = (_EVERY_STEP, *((_on(zone),) if zone else ()))
        return tuple(lane for lane in lanes if lane in limits)

    def _job(self, step: Step, attempt: int, host: str) -> Job:
        here = host == OPERATOR
        return Job(
            run=self._jobs,
            step=step.id,
            attempt=attempt,
            deadline=step.deadline,
            jobs=self._directory.jobs if here else self._host_jobs,
            own_unit=not here,
            lasting=not here and not step.looks,
        )


def _why(failed: Sequence[StepView]) -> str:
    """Return what has failed, all of it where it is more than one step."""
    first = f"{failed[0].id} on {failed[0].host}: {failed[0].error}"
    others = listed((step.id for step in failed[1:]), _NAMED)
    return f"{first}; and {others}" if others else first


_NAMED = 20
"""Failed steps that a reason names."""

_EVERY_STEP = "steps"


def _on(zone: str) -> str:
    """Return the lane of the steps on the hosts of one zone."""
    return f"steps in {zone}"


def plan_facts(plan: Plan) -> dict[str, Any]:
    """Return the plan as the journal keeps it: its data, with the figures that are derived from it.

    Of a step that changes something the parameters are in its intent; what only looks may be asked again.
    """
    facts = plan.model_dump(mode="json", exclude={"stages"})
    facts["stages"] = [
        stage.model_dump(mode="json", exclude={"steps"})
        | {"steps": [_step_facts(step) for step in stage.steps], "estimate": stage.estimate}
        for stage in plan.stages
    ]
    return facts | {"estimate": plan.estimate, "point_of_no_return": plan.point_of_no_return}


def _step_facts(step: Step) -> dict[str, Any]:
    return step.model_dump(mode="json", include=None if step.looks else {*Step.model_fields, "kind"})
