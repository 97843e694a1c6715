"""What people say at a gate: files in the run's directory, which the process that waits reads.

So an approval comes from any terminal or program of the operator's machine, and the journal keeps its one
writer. A decision names the event that opened the gate: it is for that question and for no later one.
"""

import getpass
import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from skipstone.errors import InputError
from skipstone.run.directory import RunDirectory
from skipstone.run.durable import sync_directory, write_durably
from skipstone.run.name import escaped
from skipstone.run.runview import GateView


def operator_here() -> str:
    """Return who decides where no name is given: this user on this machine."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


@dataclass(frozen=True)
class Decision:
    """One answer: whether it is a yes, whose it is, why, and when it was given (UTC)."""

    gate: str
    approved: bool
    who: str
    why: str
    time: AwareDatetime


_DECISION = TypeAdapter(Decision)


def decide(directory: RunDirectory, name: str, *, approved: bool, who: str, why: str) -> GateView:
    """Leave a decision for the run, and return the gate that it is for.

    Raise InputError where this gate is not open, its time is over, somebody has decided already, or what
    somebody has said cannot be read.
    """
    gate = _open_gate(directory, name)
    decision = Decision(name, approved, who, why, datetime.now(UTC).replace(microsecond=0))
    path = _path(directory, gate)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    try:
        write_durably(draft, _DECISION.dump_json(decision).decode())
        os.link(draft, path)  # unlike rename, it refuses to replace what somebody else has decided
    except FileExistsError:
        raise _decided_before(directory, gate) from None
    finally:
        draft.unlink(missing_ok=True)
    sync_directory(path.parent)
    return gate


def read_decision(directory: RunDirectory, gate: GateView) -> Decision | None:
    """Return what was decided at this opening of a gate, or None; raise InputError where nobody can tell."""
    path = _path(directory, gate)
    try:
        return _DECISION.validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        seen = "; ".join(f"{' '.join(map(str, one['loc']))} {one['msg']}".strip() for one in error.errors())
    except OSError as error:
        seen = str(error)
    raise InputError(
        f"what was said at gate {gate.id} cannot be read",
        where=str(path),
        evidence=seen,
        remedy="remove that file and say it again:"
        f" `skipstone approve {gate.id}`, or `skipstone reject {gate.id}`",
    )


def _decided_before(directory: RunDirectory, gate: GateView) -> InputError:
    first = read_decision(directory, gate)
    return InputError(
        f"gate {gate.id} was {'approved' if first and first.approved else 'rejected'} before",
        where=directory.run,
        evidence=f"by {first.who} at {first.time:%Y-%m-%d %H:%M:%S} UTC" if first else "",
        remedy="`skipstone status` shows where the run stands",
    )


def _open_gate(directory: RunDirectory, name: str) -> GateView:
    view = directory.view()
    gate = view.open_gate
    if gate is None or gate.id != name:
        now = f"the run is {view.state}" + (f", and waits at gate {gate.id}" if gate else f": {view.reason}")
        remedy = "`skipstone status` shows the gate that is open" if gate else "`skipstone resume` goes on"
        raise InputError(f"gate {name} is not open", where=directory.run, evidence=now, remedy=remedy)
    if datetime.now(UTC) > gate.expires:
        raise InputError(
            f"gate {name} was open until {gate.expires:%Y-%m-%d %H:%M} UTC",
            where=directory.run,
            remedy="`skipstone resume` opens it again, on what is known then",
        )
    return gate


def _path(directory: RunDirectory, gate: GateView) -> Path:
    return directory.path / "decisions" / f"{escaped(gate.id)}-{gate.opened}.json"
