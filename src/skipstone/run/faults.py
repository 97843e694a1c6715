"""Named places where a test can make the process die or raise.

Off unless ``SKIPSTONE_FAULT`` is set: ``before-intent:kill`` acts at the first event of that kind,
``after-outcome@stop-apis:raise`` only at that step. The journal reaches ``before-KIND`` and ``after-KIND``
around every event it writes, so every transition of every run has both.
"""

import os
import signal
from dataclasses import dataclass
from enum import StrEnum

VARIABLE = "SKIPSTONE_FAULT"


class Effect(StrEnum):
    """What an armed fault does: die as by ``kill -9``, or raise InjectedFault."""

    KILL = "kill"
    RAISE = "raise"


class InjectedFault(RuntimeError):  # noqa: N818 - reads as what happened
    """Raised at an armed fault point."""


@dataclass(frozen=True)
class Fault:
    """One armed fault; ``step`` None means any step."""

    point: str
    step: str | None
    effect: Effect


def armed_fault(environ: os._Environ[str] | dict[str, str] | None = None) -> Fault | None:
    """Return the fault that the environment arms, or None; raise ValueError where it is malformed."""
    text = (os.environ if environ is None else environ).get(VARIABLE)
    if not text:
        return None
    place, _, effect = text.rpartition(":")
    point, _, step = place.partition("@")
    return Fault(point, step or None, Effect(effect))


def reach(fault: Fault | None, point: str, step: str | None) -> None:
    """Pass a fault point: nothing happens unless ``fault`` names it."""
    if fault is None or fault.point != point or fault.step not in {None, step}:
        return
    if fault.effect is Effect.KILL:
        os.kill(os.getpid(), signal.SIGKILL)
    raise InjectedFault(f"{point} at {step or 'the run'}")
