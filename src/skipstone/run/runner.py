"""Carries out a plan: journal, executor and engine put together.

The caller holds the cloud's lock and has a transport; it may listen to the journal and ask for a stop.
"""

import getpass
import os
import socket
from pathlib import PurePosixPath
from typing import Any
from uuid import uuid4

from skipstone.cloud.command import OPERATOR, Transport
from skipstone.plan.plan import Plan, Stage
from skipstone.plan.planfile import plan_digest
from skipstone.run.directory import RunDirectory
from skipstone.run.engine import Engine
from skipstone.run.executor import Executor
from skipstone.run.gatekeeper import Consent, Figures, Gatekeeper, no_figures
from skipstone.run.job import JOBS, Job
from skipstone.run.journal import Journal
from skipstone.run.question import Asker, Patience
from skipstone.run.runview import RunView
from skipstone.run.schedule import Ending, Node
from skipstone.run.state import Kind, RunState, StepState
from skipstone.steps.step import Step


class Runner:
    """Carries out one run of a plan; one process does so at a time, which the cloud's lock sees to.

    ``token`` is that lock's; ``host_jobs`` is where hosts keep the jobs' directories; ``consent`` is what the
    operator has approved beforehand, and ``figures`` gives lines on what users have felt so far.
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
        self._host_jobs = host_jobs
        self._steps = {step.id: step for step in plan.steps()}
        self._gates = {f"gate:{gate.id}": gate for gate in plan.gates}
        self._stopping = False
        self._executor = Executor(
            journal, Asker(transport, patience), make_job=self._job, stopping=lambda: self._stopping
        )
        self._gatekeeper = Gatekeeper(
            plan, directory, journal, consent=consent, stopping=lambda: self._stopping, figures=figures
        )

    async def run(self, *, until: str | None = None) -> RunView:
        """Carry the plan out, from where the journal ends, and return where the run then stands.

        ``until`` names the last stage to carry out, which the plan has. Raise RunStopped where the journal
        cannot be written. A failed step is no exception: the view says so.
        """
        stages = self._stages(until)
        self._begin()
        ending = await self._engine.drive(
            # several operators' runs may have the same names in one PostgreSQL
            f"{self._directory.run}:{self._token}:{uuid4().hex[:8]}",
            stages,
            self._carry_out,
            stopping=lambda: self._stopping,
            at_once=self._steps_at_once,
        )
        self._end(ending, until)
        return self._journal.view

    async def _carry_out(self, name: str) -> StepState:
        """Carry out a step, or ask at a gate: a stage of its own, which passes or stays pending."""
        if gate := self._gates.get(name):
            return StepState.DONE if await self._gatekeeper.passed(gate) else StepState.PENDING
        return await self._executor.carry_out(self._steps[name])

    def ask_stop(self) -> None:
        """Let the running steps come to their end, and begin no other."""
        if self._journal.state.at_work:
            self._journal.append(Kind.STOP_ASKED)
        self._stopping = True

    def _begin(self) -> None:
        user, host, process = getpass.getuser(), socket.gethostname(), os.getpid()
        if self._journal.state is not RunState.NEW:
            self._journal.append(Kind.RUN_RESUMED, who=user, host=host, pid=process)
            return
        self._journal.append(
            Kind.RUN_STARTED,
            who=user,
            host=host,
            pid=process,
            run=self._directory.run,
            plan_digest=plan_digest(self._plan),
            plan=plan_facts(self._plan),
        )

    def _end(self, ending: Ending, until: str | None) -> None:
        view = self._journal.view
        if not view.state.at_work:
            return  # stopped at a gate, which has said why
        if ending is Ending.FAILED and view.failed:
            step = view.failed[0]
            self._journal.append(Kind.RUN_FAILED, reason=f"{step.id} on {step.host}: {step.error}")
        elif ending is not Ending.DONE:
            self._journal.append(Kind.RUN_STOPPED, reason="the operator asked for it")
        elif view.remaining:
            self._journal.append(Kind.RUN_STOPPED, reason=f"stage {until} is done, and no more was asked for")
        else:
            self._journal.append(Kind.RUN_DONE)

    def _stages(self, until: str | None) -> list[list[Node]]:
        names = [stage.name for stage in self._plan.stages]
        last = len(names) if until is None else names.index(until) + 1
        found: list[list[Node]] = []
        for stage in self._plan.stages[:last]:
            found += [[Node(name, ())] for name, gate in self._gates.items() if gate.before == stage.name]
            found.append([Node(step.id, step.needs, self._lanes(stage, step)) for step in stage.steps])
        return found

    def _lanes(self, stage: Stage, step: Step) -> tuple[tuple[str, int], ...]:
        zone = self._plan.zones.get(step.host)
        limits = (("stage", stage.at_once), (f"zone {zone}", stage.per_zone if zone else None))
        return tuple((lane, limit) for lane, limit in limits if limit is not None)

    def _job(self, step: Step, attempt: int) -> Job:
        here = step.apply().host == OPERATOR
        return Job(
            run=self._directory.run,
            step=step.id,
            attempt=attempt,
            deadline=step.deadline,
            jobs=self._directory.jobs if here else self._host_jobs,
            own_unit=not here,
        )


def plan_facts(plan: Plan) -> dict[str, Any]:
    """Return the plan as the journal keeps it: its data, with the figures that are derived from it."""
    facts = plan.model_dump(mode="json")
    for stage_facts, stage in zip(facts["stages"], plan.stages, strict=True):
        stage_facts["estimate"] = stage.estimate
    return facts | {"estimate": plan.estimate, "point_of_no_return": plan.point_of_no_return}
