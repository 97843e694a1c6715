"""``skipstone apply`` of a toy plan on this machine, as a process that may be killed."""

import os
import signal
import sys
from contextlib import nullcontext
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import dbos  # noqa: F401 - imported once, by the server that the processes are forked from

from skipstone.cli.application import Application
from skipstone.cli.main import main
from skipstone.cli.measuring import Measurement
from skipstone.cloud.command import OPERATOR
from skipstone.cloud.model import Cloud
from skipstone.plan.plan import Gate, Plan
from skipstone.plan.planfile import save_plan
from skipstone.run import directory
from skipstone.steps.registry import KINDS
from tests.unit.run.toy import Pausable, Toy, plan_of, toy

PROCESSES = get_context("forkserver")
PROCESSES.set_forkserver_preload([__name__])

KINDS["toy"] = Toy
KINDS["pausable-toy"] = Pausable
MEASURED = "measured"
"""A file that says that the run has a recording, which the test writes."""
VERSION = "version"
"""A file with the version that Skipstone is of from then on."""
DATABASE = "database"
"""A file with the URL of the engine's database, where it is not a file beside the journal."""
CLOUD = "cloud.json"
"""A file with a cloud that is probed, by real probes."""


def here(name: str, *needs: str, script: str, **more: str) -> Toy:
    return toy(name, *needs, host=OPERATOR, deadline=20, script=script, **more)


def toy_plan(effects: Path) -> Plan:
    """Return a plan with every kind of course that a step can take; scripts log what they do to ``effects``.

    ``$0`` is the script's path, so it names step and attempt.
    """
    log = f'echo "$0" >>{effects}/log'
    return plan_of(
        [
            here("plain", script=f"{log}; echo a line"),
            here("silent", script=log),
            here(
                "checked",
                "plain",
                script=f"{log}; sleep 0.3; touch {effects}/checked",
                check=f"test -e {effects}/checked",
                proof=f"test -e {effects}/checked",
            ),
            here("done-before", script=log, check="true"),
        ],
        [
            here(
                "second-time-lucky",
                script=f"{log}; test -e {effects}/tried || {{ touch {effects}/tried; exit 3; }}",
                resetting=f"echo reset >>{effects}/resets",
            ),
            here("last", "second-time-lucky", script=f"{log}; echo one; sleep 0.2; echo two", proof="true"),
        ],
        gates=[Gate(id="middle", title="go on", before="stage2")],
    )


def prepare(base: Path, plan: Plan) -> None:
    base.mkdir(exist_ok=True)
    save_plan(plan, base / "plan.yaml")
    (base / "inventory.yaml").write_text("name: toycloud\nhosts:\n  h1: {groups: [control]}\n")


def start(base: Path, fault: str = "", *options: str, verb: str = "apply") -> Any:
    """Start a verb; the process has no terminal, and its output goes to ``base/out``."""
    process = PROCESSES.Process(target=_run, args=(verb, base, fault, options))
    process.start()
    return process


def apply(base: Path, fault: str = "", *options: str) -> int:
    """Run an ``apply`` to its end and return its exit code, ``-9`` where it was killed."""
    return end(start(base, fault, *options))


def rollback(base: Path, fault: str = "") -> int:
    """Run a ``rollback`` to its end and return its exit code, ``-9`` where it was killed."""
    return end(start(base, fault, verb="rollback"))


def end(process: Any, *, seconds: float = 60) -> int:
    """Wait for a verb's end and return its exit code."""
    process.join(seconds)
    code = process.exitcode
    if code is None:
        process.kill()
        process.join()
    process.close()
    assert code is not None, "the process did not end"
    return int(code)


def _run(verb: str, base: Path, fault: str, options: tuple[str, ...]) -> None:
    out = os.open(base / "out", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    sys.stdout = os.fdopen(1, "w", buffering=1)
    sys.stderr = os.fdopen(2, "w", buffering=1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ["SKIPSTONE_FAULT"] = fault
    os.environ["SKIPSTONE_STATE_DIR"] = str(base / "state")
    if (base / DATABASE).exists():
        os.environ["SKIPSTONE_DATABASE_URL"] = (base / DATABASE).read_text()
    Application._rediscover = lambda _: _cloud(base)  # type: ignore[assignment,method-assign,return-value]
    if (base / VERSION).exists():
        directory.__version__ = (base / VERSION).read_text()  # type: ignore[attr-defined]
    plan = [str(base / "plan.yaml"), "-i", str(base / "inventory.yaml")]
    if (base / MEASURED).exists():
        _record_nothing()
    elif not (base / CLOUD).exists():
        plan.append("--no-measure")
    said = (*plan, "--yes") if verb == "apply" else () if verb == "status" else ("--yes",)
    main([verb, *said, *options])


def _cloud(base: Path) -> Cloud | None:
    """Return the cloud that is probed, where the test has one."""
    path = base / CLOUD
    return Cloud.model_validate_json(path.read_text()) if path.exists() else None


def _record_nothing() -> None:
    """Leave the recording to the test: there is no cloud that could be probed."""
    Measurement.probing = lambda *_: nullcontext()  # type: ignore[assignment,method-assign]
    Measurement.look = lambda *_: None  # type: ignore[method-assign]
    Measurement.report = lambda *_: ()  # type: ignore[assignment,method-assign]
