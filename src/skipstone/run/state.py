"""The states of a run and of a step, and the only moves between them.

An event of the journal moves a state; whatever is not in the tables below cannot be written. So a reader
who knows the events knows the states, and a bug that would, say, run a finished step again stops at the
journal.
"""

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What an event of the journal says."""

    RUN_STARTED = "run-started"
    RUN_RESUMED = "run-resumed"
    STOP_ASKED = "stop-asked"
    BUDGET_BROKEN = "budget-broken"
    INSTANCE_LEFT_OUT = "instance-left-out"
    RUN_DONE = "run-done"
    RUN_FAILED = "run-failed"
    RUN_STOPPED = "run-stopped"
    RUN_ABORTED = "run-aborted"
    ROLLBACK_BEGUN = "rollback-begun"
    ROLLBACK_DONE = "rollback-done"
    CHECKPOINT_REACHED = "checkpoint-reached"
    CHECKPOINTS_DROPPED = "checkpoints-dropped"
    HOST_WRITTEN_OFF = "host-written-off"
    WINDOW_CLOSED = "window-closed"
    WINDOW_OPENED = "window-opened"
    GATE_OPENED = "gate-opened"
    GATE_UNHEARD = "gate-unheard"
    GATE_APPROVED = "gate-approved"
    GATE_REJECTED = "gate-rejected"
    GATE_EXPIRED = "gate-expired"
    NOTHING_TO_DO = "nothing-to-do"
    INTENT = "intent"
    SUBMITTED = "submitted"
    OUTPUT = "output"
    NO_ANSWER = "no-answer"
    OUTCOME = "outcome"
    VERIFIED = "verified"
    FAILURE = "failure"
    PAUSED = "paused"
    SKIPPED = "skipped"


class StepState(StrEnum):
    """Where one step stands."""

    PENDING = "pending"
    INTENDED = "intended"
    RUNNING = "running"
    UNKNOWN = "unknown"
    ENDED = "ended"
    DONE = "done"
    FAILED = "failed"
    PAUSED = "paused"
    SKIPPED = "skipped"

    @property
    def passed(self) -> bool:
        """Whether the run goes on from here: it is done, or a person said to go on without it."""
        return self is StepState.DONE or self is StepState.SKIPPED

    @property
    def open(self) -> bool:
        """Whether an attempt was begun whose end is not known: it goes on, no new one may begin."""
        return self in OPEN_STATES


OPEN_STATES = frozenset({StepState.INTENDED, StepState.RUNNING, StepState.UNKNOWN, StepState.ENDED})


class RunState(StrEnum):
    """Where a run stands."""

    NEW = "new"
    RUNNING = "running"
    WAITING = "waiting"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"
    DONE = "done"
    ABORTED = "aborted"
    ROLLING_BACK = "rolling-back"
    ROLLED_BACK = "rolled-back"

    @property
    def at_work(self) -> bool:
        """Whether a process works on the run, unless it has died."""
        return self in {RunState.RUNNING, RunState.WAITING, RunState.STOPPING}

    @property
    def over(self) -> bool:
        """Whether nothing can follow: the plan, applied again, is another run."""
        return self in {RunState.DONE, RunState.ABORTED, RunState.ROLLED_BACK}


class GateState(StrEnum):
    """Where a gate stands that the run has come to."""

    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"


class StepMove(NamedTuple):
    """The state that an event leads to, and why that is right."""

    to: StepState
    reason: str


class RunMove(NamedTuple):
    """The state that an event leads to, and why that is right."""

    to: RunState
    reason: str


STEP_MOVES: dict[tuple[StepState, Kind], StepMove] = {
    (StepState.PENDING, Kind.NOTHING_TO_DO): StepMove(StepState.DONE, "the host says nothing is left to do"),
    (StepState.PENDING, Kind.INTENT): StepMove(StepState.INTENDED, "what will be done is written down first"),
    (StepState.PENDING, Kind.FAILURE): StepMove(StepState.FAILED, "the host could not be asked; nothing ran"),
    (StepState.INTENDED, Kind.SUBMITTED): StepMove(StepState.RUNNING, "the host has taken the job"),
    (StepState.INTENDED, Kind.FAILURE): StepMove(StepState.FAILED, "the host refused the job; nothing ran"),
    (StepState.INTENDED, Kind.NO_ANSWER): StepMove(StepState.UNKNOWN, "the host may have taken the job"),
    (StepState.RUNNING, Kind.OUTPUT): StepMove(StepState.RUNNING, "the job goes on"),
    (StepState.RUNNING, Kind.NO_ANSWER): StepMove(StepState.UNKNOWN, "the host does not answer"),
    (StepState.RUNNING, Kind.OUTCOME): StepMove(StepState.ENDED, "the job is known to be over"),
    (StepState.UNKNOWN, Kind.SUBMITTED): StepMove(
        StepState.RUNNING, "the host answers again and has the job"
    ),
    (StepState.UNKNOWN, Kind.FAILURE): StepMove(StepState.FAILED, "the host refused the job; nothing ran"),
    (StepState.UNKNOWN, Kind.NO_ANSWER): StepMove(StepState.UNKNOWN, "the host still does not answer"),
    (StepState.ENDED, Kind.VERIFIED): StepMove(
        StepState.DONE, "the job ended well and its effect can be seen"
    ),
    (StepState.ENDED, Kind.FAILURE): StepMove(
        StepState.FAILED, "the job failed or its effect cannot be seen"
    ),
    (StepState.ENDED, Kind.PAUSED): StepMove(
        StepState.PAUSED, "it has stopped where it was, as the run was to pause"
    ),
    (StepState.PAUSED, Kind.NOTHING_TO_DO): StepMove(
        StepState.DONE, "it had come to its end before it stopped"
    ),
    (StepState.PAUSED, Kind.INTENT): StepMove(StepState.INTENDED, "a new attempt goes on from there"),
    (StepState.PAUSED, Kind.FAILURE): StepMove(StepState.FAILED, "the host could not be asked; nothing ran"),
    (StepState.ENDED, Kind.NO_ANSWER): StepMove(StepState.ENDED, "only the verification is missing"),
    (StepState.FAILED, Kind.NOTHING_TO_DO): StepMove(StepState.DONE, "a failed attempt left nothing to do"),
    (StepState.FAILED, Kind.INTENT): StepMove(StepState.INTENDED, "a new attempt, after a known outcome"),
    (StepState.FAILED, Kind.FAILURE): StepMove(StepState.FAILED, "the host could not be asked; nothing ran"),
    (StepState.FAILED, Kind.SKIPPED): StepMove(StepState.SKIPPED, "a person said to go on without it"),
}

STEP_MOVES |= {
    (state, Kind.HOST_WRITTEN_OFF): StepMove(StepState.SKIPPED, "a person said that its host is lost")
    for state in StepState
    if not state.passed
}

RUN_MOVES: dict[tuple[RunState, Kind], RunMove] = {
    (RunState.NEW, Kind.RUN_STARTED): RunMove(RunState.RUNNING, "a plan is carried out for the first time"),
    (RunState.RUNNING, Kind.RUN_RESUMED): RunMove(RunState.RUNNING, "the earlier process died"),
    (RunState.RUNNING, Kind.GATE_OPENED): RunMove(RunState.WAITING, "a person is asked"),
    (RunState.RUNNING, Kind.WINDOW_CLOSED): RunMove(RunState.WAITING, "nothing runs until a window opens"),
    (RunState.WAITING, Kind.WINDOW_OPENED): RunMove(RunState.RUNNING, "the window is open"),
    (RunState.WAITING, Kind.GATE_UNHEARD): RunMove(RunState.WAITING, "an answer that cannot be read is none"),
    (RunState.WAITING, Kind.GATE_APPROVED): RunMove(RunState.RUNNING, "a person has approved"),
    (RunState.WAITING, Kind.GATE_REJECTED): RunMove(RunState.STOPPED, "a person has said no"),
    (RunState.WAITING, Kind.GATE_EXPIRED): RunMove(RunState.STOPPED, "nobody has approved in time"),
    (RunState.WAITING, Kind.STOP_ASKED): RunMove(RunState.STOPPING, "nothing runs, nothing begins"),
    (RunState.WAITING, Kind.RUN_RESUMED): RunMove(RunState.RUNNING, "the earlier process died, waiting"),
    (RunState.RUNNING, Kind.STOP_ASKED): RunMove(RunState.STOPPING, "running steps end, none begins"),
    (RunState.RUNNING, Kind.RUN_DONE): RunMove(RunState.DONE, "every step is done"),
    (RunState.RUNNING, Kind.RUN_FAILED): RunMove(RunState.FAILED, "a step failed"),
    (RunState.RUNNING, Kind.RUN_STOPPED): RunMove(RunState.STOPPED, "the stage it was to reach is done"),
    (RunState.STOPPING, Kind.STOP_ASKED): RunMove(RunState.STOPPING, "asked again"),
    **{
        (state, Kind.BUDGET_BROKEN): RunMove(RunState.STOPPING, "a budget is broken: running steps end")
        for state in (RunState.RUNNING, RunState.WAITING, RunState.STOPPING)
    },
    (RunState.STOPPING, Kind.RUN_RESUMED): RunMove(
        RunState.RUNNING, "the earlier process died while stopping"
    ),
    (RunState.STOPPING, Kind.RUN_STOPPED): RunMove(RunState.STOPPED, "the operator asked for it"),
    (RunState.STOPPING, Kind.RUN_FAILED): RunMove(RunState.FAILED, "a step failed while stopping"),
    (RunState.STOPPING, Kind.RUN_DONE): RunMove(RunState.DONE, "the last step ended while stopping"),
    (RunState.STOPPED, Kind.RUN_RESUMED): RunMove(RunState.RUNNING, "the operator goes on"),
    (RunState.FAILED, Kind.RUN_RESUMED): RunMove(RunState.RUNNING, "the operator goes on after a failure"),
    **{
        (state, Kind.RUN_ABORTED): RunMove(RunState.ABORTED, "the operator has given it up")
        for state in (
            RunState.STOPPED,
            RunState.FAILED,
            RunState.RUNNING,
            RunState.WAITING,
            RunState.STOPPING,
        )
    },
}


RUN_MOVES |= {
    (state, Kind.ROLLBACK_BEGUN): RunMove(
        RunState.ROLLING_BACK, "what was done is undone, by a run of its own"
    )
    for state in RunState
    if state not in {RunState.NEW, RunState.ROLLED_BACK}
}
RUN_MOVES |= {
    (RunState.ROLLING_BACK, Kind.ROLLBACK_DONE): RunMove(RunState.ROLLED_BACK, "everything was undone"),
    (RunState.ROLLING_BACK, Kind.CHECKPOINT_REACHED): RunMove(
        RunState.STOPPED, "undone as far as was asked for: it can go on from there"
    ),
}


RUN_MOVES |= {
    (state, Kind.CHECKPOINTS_DROPPED): RunMove(state, "its checkpoints were dropped: there is no way back")
    for state in RunState
    if state.over
}


RUN_MOVES |= {
    (state, Kind.HOST_WRITTEN_OFF): RunMove(state, "a host is lost: the run goes on without it")
    for state in RunState
    if state.at_work or state in {RunState.STOPPED, RunState.FAILED}
}
RUN_MOVES |= {
    (state, Kind.INSTANCE_LEFT_OUT): RunMove(state, "an instance is silent because of its owner")
    for state in RunState
    if state.at_work
}


class ForbiddenMove(RuntimeError):  # noqa: N818 - reads as what happened
    """A program error: an event that the present state does not allow."""


def next_step_state(state: StepState, kind: Kind) -> StepMove:
    """Return where a step's event leads; raise ForbiddenMove where the table has no such move."""
    move = STEP_MOVES.get((state, kind))
    if move is None:
        raise ForbiddenMove(f"a step that is {state} cannot have the event {kind}")
    return move


def next_run_state(state: RunState, kind: Kind) -> RunMove:
    """Return where a run's event leads; raise ForbiddenMove where the table has no such move."""
    move = RUN_MOVES.get((state, kind))
    if move is None:
        raise ForbiddenMove(f"a run that is {state} cannot have the event {kind}")
    return move
