"""A toy cloud: steps that name what they do, hosts that are simulated down to the job protocol."""

import asyncio
import base64
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import ClassVar, Literal

from skipstone.cloud.command import Command, Outcome, Result, Transport
from skipstone.errors import HostUnreachable
from skipstone.plan.plan import Gate, Plan, Stage
from skipstone.run.beginning import create, run_of
from skipstone.run.budget import Allowance
from skipstone.run.directory import Origin, RunDirectory
from skipstone.run.engine import Engine
from skipstone.run.gatekeeper import Consent
from skipstone.run.journal import Journal
from skipstone.run.lock import hold_cloud
from skipstone.run.question import Patience
from skipstone.run.runner import Runner
from skipstone.run.runview import RunView
from skipstone.run.schedule import CarryOut, Ending, Stages, carry_out_stages
from skipstone.run.state import RunState
from skipstone.steps.step import Step

HASTE = Patience(retries=(0, 0), silence=0.05, pause=0.01, longest_pause=0.02, watch=1)


class Toy(Step):
    """A step whose scripts are the words that a simulated host knows, or plain shell on a real one."""

    kind: Literal["toy"] = "toy"
    script: str = ""
    check: str | None = None
    proof: str | None = None
    resetting: str | None = None
    undo: str | None = None
    undo_rest: str | None = None
    diagnosis: str | None = None
    hold: tuple[str, ...] = ()

    def holds(self) -> tuple[str, ...]:
        return self.hold

    def is_done(self) -> Command | None:
        return None if self.check is None else Command(self.host, self.check)

    def apply(self) -> Command:
        return Command(self.host, self.script or f"do {self.id}")

    def verify(self) -> Command | None:
        return None if self.proof is None else Command(self.host, self.proof)

    def reset(self) -> Command | None:
        return None if self.resetting is None else Command(self.host, self.resetting)

    def revert(self) -> Command | None:
        return None if self.undo is None else Command(self.host, self.undo)

    def revert_rest(self) -> Command | None:
        return None if self.undo_rest is None else Command(self.host, self.undo_rest)

    def diagnose(self) -> Command | None:
        return None if self.diagnosis is None else Command(self.host, self.diagnosis)


class Anyway(Toy):
    """A step that is undone by itself, whoever brings its host back."""

    undone_anyway: ClassVar[bool] = True


class Pausable(Toy):
    """A step that stops where it is when its job is asked to."""

    kind: Literal["pausable-toy"] = "pausable-toy"  # type: ignore[assignment]
    pausable: ClassVar[bool] = True


class ToyDrain(Toy):
    """A step that the journal knows as the drain of a host."""

    kind: Literal["drain-host"] = "drain-host"  # type: ignore[assignment]


def toy(name: str, *needs: str, host: str = "h1", deadline: int = 20, **more: object) -> Toy:
    return Toy.model_validate(
        {"id": name, "title": name, "host": host, "needs": needs, "deadline": deadline, "estimate": 1, **more}
    )


def toy_drain(name: str, **more: object) -> ToyDrain:
    return ToyDrain.model_validate(toy(name, **more).model_dump(exclude={"kind"}))  # type: ignore[arg-type]


def plan_of(*stages: Iterable[Step], name: str = "toyplan", gates: Iterable[Gate] = ()) -> Plan:
    return Plan(
        id=name,
        skipstone="0",
        strategy="in-place",
        cloud="toycloud",
        fingerprint={},
        source="zed",
        target="2025.1",
        stages=tuple(
            Stage(name=f"stage{number}", title=f"Stage {number}", steps=tuple(steps))
            for number, steps in enumerate(stages, 1)
        ),
        gates=tuple(gates),
    )


def in_waves(hosts: int, *, down: int = 1, failures: int = 0, undo: bool = False, **more: object) -> Plan:
    """Return a plan of a wave: two steps on each host."""
    names = [f"c{number}" for number in range(hosts)]
    steps = [
        toy(
            f"{name}.{number}",
            *((f"{name}.1",) if number > 1 else ()),
            host=name,
            group=name,
            undo=f"undo {name}.{number}" if undo else None,
        )
        for name in names
        for number in (1, 2)
    ]
    plain = plan_of(steps)
    wave = {"lanes": {"down": down}, "groups": dict.fromkeys(names, ("down",)), "failures": failures}
    stage = plain.stages[0].model_copy(update=wave | more)
    return plain.model_copy(update={"stages": (stage,)})


@dataclass
class Hosts:
    """Simulated hosts: a job runs at once, once per claim, and says what it was told to say.

    ``jobs`` has their names as they are on hosts, ``ran`` without the runs' marks.
    ``codes`` are the exit codes of a script's next runs (then 0), ``codes_at`` those of its runs on one host,
    for where several hosts have the same script; the ``dead`` do not answer; ``silent``
    is how many of the next questions stay without an answer, before or after the host acts, as ``lose`` says;
    ``broken`` how many of the next ones about jobs no shell can be started for.
    """

    codes: dict[str, list[int]] = field(default_factory=dict)
    codes_at: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    dead: set[str] = field(default_factory=set)
    silent: int = 0
    broken: int = 0
    lose: Callable[[], bool] = lambda: True
    pace: random.Random | None = None
    ran: list[str] = field(default_factory=list)
    jobs: dict[str, str] = field(default_factory=dict)
    on_run: Callable[[str], None] = lambda _: None

    async def run(self, command: Command, *, deadline: float) -> Outcome:
        assert deadline > 0
        await asyncio.sleep(self.pace.random() / 1000 if self.pace else 0)
        if command.host in self.dead:
            raise HostUnreachable("no route to host", where=command.host)
        if self.silent > 0:
            self.silent -= 1
            if self.lose():
                raise HostUnreachable("no route to host", where=command.host)
            self._answer(command)
            return Outcome(Result.UNKNOWN, None, "", "connection lost", 0)
        code, stdout = self._answer(command)
        return Outcome(Result.EXITED, code, stdout, "", 0)

    @property
    def runs_per_job(self) -> Counter[str]:
        return Counter(self.ran)

    def _answer(self, command: Command) -> tuple[int, str]:
        host, script = command.host, command.script
        job = re.search(r"^(?:mkdir -p|cd) (\S+)", script, re.MULTILINE)
        if job is None:
            return self._next_code(host, script), f"checked {script}\n"
        if self.broken > 0:
            self.broken -= 1
            return 127, ""
        name = "/".join(Path(job[1]).parts[-2:])
        if "mkdir -p" in script and name not in self.jobs:
            encoded = re.search(r"base64 -d >script.*?\n(.*?)\nEND", script, re.DOTALL)
            assert encoded
            self._start(host, name, base64.b64decode(encoded[1]).decode())
        if name not in self.jobs:
            return 0, "skipstone-job absent 0 0 0 same\n"
        offset = int(re.findall(r"^offset=(\d+)", script, re.MULTILINE)[-1])
        output = f"output of {unmarked(name)}\n".encode()[offset:]
        return (
            0,
            f"skipstone-job exited {self.jobs[name]} 0 {offset} same\n{base64.b64encode(output).decode()}",
        )

    def _start(self, host: str, name: str, script: str) -> None:
        self.on_run(name)
        self.ran.append(unmarked(name))
        self.jobs[name] = str(self._next_code(host, script.removeprefix("do ")))

    def _next_code(self, host: str, script: str) -> int:
        codes = self.codes_at.get((host, script)) or self.codes.get(script)
        return codes.pop(0) if codes else 0


def unmarked(job: str) -> str:
    """Return a job's name as a test can know it: without the mark that its run has drawn."""
    return re.sub(r"\.[0-9a-f]{8}/", "/", job)


class PlainEngine:
    """The schedule without an engine."""

    async def drive(
        self, sitting: str, stages: Stages, carry_out: CarryOut, *, stopping: Callable[[], bool], at_once: int
    ) -> Ending:
        del sitting
        return await carry_out_stages(stages, lambda _: carry_out, stopping=stopping, at_once=at_once)


async def waiting_at_a_gate(journal: Journal) -> None:
    while journal.state is not RunState.WAITING:  # noqa: ASYNC110 - the journal has no event to wait for
        await asyncio.sleep(0.01)


@dataclass
class Rig:
    """Runs of toy plans below one directory."""

    base: Path
    transport: Transport
    engine: Callable[[RunDirectory], Engine] = lambda _: PlainEngine()
    patience: Patience = HASTE
    mask: Callable[[str], str] = str
    consent: Consent = field(default_factory=Consent)
    allowance: Allowance = field(default_factory=Allowance)
    steps_at_once: int = 10

    @contextmanager
    def runner(self, plan: Plan, *, fresh: bool = False) -> Iterator[tuple[Runner, Journal]]:
        directory = run_of(self.base / "runs", plan, fresh=fresh)
        create(directory, plan, Origin(str(self.base / "inventory.yaml"), measure=False))
        with (
            hold_cloud(self.base / "clouds", plan.cloud, directory.run, runs=self.base / "runs") as lease,
            Journal(directory.journal, token=lease.token, mask=self.mask) as journal,
        ):
            yield (
                Runner(
                    plan,
                    directory,
                    journal=journal,
                    engine=self.engine(directory),
                    transport=self.transport,
                    token=lease.token,
                    steps_at_once=self.steps_at_once,
                    consent=self.consent,
                    allowance=self.allowance,
                    patience=self.patience,
                    host_jobs=PurePosixPath(self.base / "jobs"),
                ),
                journal,
            )

    async def apply(self, plan: Plan, *, until: str | None = None, fresh: bool = False) -> RunView:
        with self.runner(plan, fresh=fresh) as (runner, _):
            return await runner.run(until=until)
