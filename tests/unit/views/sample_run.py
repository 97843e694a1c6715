"""A run directory as apply, the probes and verify leave it: eight minutes, with outages at known times."""

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from skipstone.impact.recording import Beat, Mark, Note, Recording
from skipstone.impact.sample import MICROSECONDS, Kind, Reply, Sample
from skipstone.impact.verification import Look, Subject, Thing, save_look
from skipstone.run.directory import RunDirectory
from skipstone.run.journal import APPLICATION_ID, SCHEMA, SCHEMA_VERSION
from skipstone.run.state import Kind as EventKind
from skipstone.views.report import AFTER, BEFORE

BEGAN = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
OLD_BOOT, NEW_BOOT = "4f0c7c3a-0000-4000-8000-000000000001", "4f0c7c3a-0000-4000-8000-000000000002"


@dataclass(frozen=True)
class Act:
    """One step of the sample: its stage, host, impact, and seconds from when to when."""

    stage: str
    id: str
    host: str
    impact: str
    start: float
    end: float


ACTS = (
    Act("Backup", "backup-databases", "ctl1", "none", 2, 14),
    Act("Backup", "backup-configuration", "cmp1", "none", 2, 5),
    Act("Backup", "backup-configuration-2", "cmp2", "none", 2, 6),
    Act("Prepare", "download-packages", "ctl1", "none", 15, 62),
    Act("Stop", "stop-services", "ctl1", "api-down", 63, 71),
    Act("Packages", "upgrade-packages", "ctl1", "api-down", 72, 205),
    Act("Databases", "sync-databases", "ctl1", "api-down", 206, 236),
    Act("Services", "start-services", "ctl1", "api-down", 237, 268),
    Act("Computes", "upgrade-cmp1", "cmp1", "instances-blip", 270, 360),
    Act("Computes", "upgrade-cmp2", "cmp2", "instances-blip", 362, 451),
    Act("Verify", "verify-cloud", "ctl1", "none", 452, 470),
)
APIS = {
    "keystone": 189.0,
    "glance": 183.0,
    "placement": 181.0,
    "nova": 204.0,
    "neutron": 196.0,
    "heat": 199.0,
}
GAPS = {"web1": (300.0, 3.4), "web2": (391.0, 2.8), "db1": None}


def build_run(
    runs: Path,
    *,
    failed: bool = False,
    rebooted: bool = False,
    measured: bool = True,
    budgets: dict[str, float] | None = None,
) -> RunDirectory:
    """Write a run; ``failed`` ends it in the databases' stage, ``rebooted`` boots one instance anew."""
    directory = RunDirectory(runs / "lab-zed-2025.1-1")
    directory.path.mkdir(parents=True)
    _write_journal(directory.journal, failed=failed, budgets=budgets or {})
    if measured:
        _write_recording(directory.impact, end=236.0 if failed else 472.0, rebooted=rebooted)
        save_look(_look("26.0", 0, "zed"), directory.path / BEFORE)
        save_look(_look("2.100", 480, "cmp2"), directory.path / AFTER)
    return directory


def _write_journal(path: Path, *, failed: bool, budgets: dict[str, float]) -> None:
    with closing(sqlite3.connect(path)) as file:
        file.executescript(SCHEMA)
        file.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        file.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        rows = [
            ((BEGAN + timedelta(seconds=at)).isoformat(), 1, kind, step, attempt, json.dumps(facts))
            for at, kind, step, attempt, facts in _events(failed=failed, budgets=budgets)
        ]
        file.executemany(
            "INSERT INTO events (time, token, kind, step, attempt, payload) VALUES (?, ?, ?, ?, ?, ?)", rows
        )
        file.commit()


def _events(
    *, failed: bool, budgets: dict[str, float]
) -> list[tuple[float, str, str | None, int | None, dict[str, Any]]]:
    started = {
        "run": "lab-zed-2025.1-1",
        "plan_digest": "d",
        "plan": _plan(),
        "who": "ann",
        "host": "op",
        "pid": 1,
        "budgets": budgets,
        "allowed_by": "ann",
    }
    events: list[tuple[float, str, str | None, int | None, dict[str, Any]]] = [
        (0, EventKind.RUN_STARTED, None, None, started)
    ]
    gate = {
        "gate": "outage",
        "title": "take the APIs down",
        "stage": "stop",
        "expires": (BEGAN + timedelta(hours=2)).isoformat(),
        "basis": ["done: backup in 14 s of 17 s", "next: stop <b>&</b> packages"],
    }
    events += [
        (62.5, EventKind.GATE_OPENED, None, None, gate),
        (62.9, EventKind.GATE_APPROVED, None, None, {"gate": "outage", "who": "ann", "why": "window open"}),
    ]
    for act in ACTS:
        breaks = failed and act.id == "sync-databases"
        events += [
            (act.start, EventKind.INTENT, act.id, 1, {}),
            (act.start, EventKind.SUBMITTED, act.id, 1, {}),
        ]
        took = {"code": int(breaks), "seconds": act.end - act.start, "rebooted": False}
        events.append((act.end - 0.1, EventKind.OUTCOME, act.id, 1, took))
        if breaks:
            why = {"what": "the script exited with 1", "evidence": "errno 150", "remedy": "see the log"}
            events.append((act.end, EventKind.FAILURE, act.id, 1, why))
            events.append((act.end, EventKind.RUN_FAILED, None, None, {"reason": "sync-databases on ctl1"}))
            break
        events.append((act.end, EventKind.VERIFIED, act.id, 1, {}))
    if not failed:
        events.append((472, EventKind.RUN_DONE, None, None, {}))
    return sorted(events, key=lambda event: event[0])


def _plan() -> dict[str, Any]:
    stages: dict[str, list[dict[str, Any]]] = {}
    for act in ACTS:
        step = {"id": act.id, "title": act.id.replace("-", " ").capitalize(), "host": act.host}
        figures = {"estimate": int(act.end - act.start) + 5, "deadline": 900, "impact": act.impact}
        stages.setdefault(act.stage, []).append(step | figures)
    finding = {
        "id": "mariadb-collations",
        "severity": "warning",
        "title": "MariaDB 11.8 would give new tables another collation",
        "evidence": "utf8mb3_general_ci",
        "remedy": "set character_set_collations",
        "where": "ctl1",
        "handled_by": "configure-mariadb",
    }
    return {
        "id": "lab-zed-2025.1",
        "cloud": "lab",
        "source": "zed",
        "target": "2025.1",
        "point_of_no_return": "sync-databases",
        "estimate": 560,
        "findings": [finding],
        "stages": [
            {
                "name": name.lower(),
                "title": name,
                "estimate": sum(one["estimate"] for one in steps),
                "steps": steps,
            }
            for name, steps in stages.items()
        ],
    }


def at(second: float) -> int:
    """Return a second of the run as a sample's time."""
    return int((BEGAN.timestamp() + second) * MICROSECONDS)


def _write_recording(directory: Path, *, end: float, rebooted: bool) -> None:
    with Recording.create(directory) as recording:
        recording.note(Note(at(-3), Mark.BEGAN, ""))
        recording.note(Note(at(-3), Mark.LEFT_OUT, "db1 172.20.0.9: no answer before the start"))
        for name, down in APIS.items():
            for kind in (Kind.READ, Kind.WRITE):
                probe = recording.probe(kind, name, name, "http://10.77.0.11")
                recording.write(_samples(probe.id, end, 0.5, (64.0, down), "connection refused"))
        for name, gap in GAPS.items():
            probe = recording.probe(Kind.PING, name, name, "10.88.0.101")
            recording.write(_samples(probe.id, end, 0.2, gap, "no reply in 2 s"))
            probe = recording.probe(Kind.BOOT, name, name, "10.88.0.101")
            recording.write(_boots(probe.id, end, rebooted=rebooted and name == "web2"))
        seconds = range(-3, int(end) + 1)
        recording.write([], [Beat(at(second), (second + 4) * 20_000, 70 << 20) for second in seconds])


def _samples(probe: int, end: float, pace: float, down: tuple[float, float] | None, why: str) -> list[Sample]:
    start, length = down or (end + 1, 0.0)
    samples = []
    for number in range(int((end + 3) / pace)):
        second = -3 + number * pace
        good = not start <= second < start + length
        samples.append(Sample(probe, at(second), 4000, Reply(not good), "" if good else why))
    return samples


def _boots(probe: int, end: float, *, rebooted: bool) -> list[Sample]:
    return [
        Sample(
            probe,
            at(second),
            5000,
            Reply.GOOD,
            NEW_BOOT if rebooted and second > 400 else OLD_BOOT,
            900.0 + second,
        )
        for second in range(int(end))
    ]


def _look(version: str, second: float, host: str) -> Look:
    def thing(subject: Subject, id_: str, **facts: str) -> Thing:
        return Thing(subject=subject, id=id_, name=id_, facts=facts)

    things = [thing(Subject.API, "nova", answers="yes", version="2.93" if second == 0 else version)]
    things += [thing(Subject.API, "keystone", answers="yes", version="3.14")]
    things += [thing(Subject.INSTANCE, name, status="ACTIVE", host="cmp1") for name in ("web1", "db1")]
    things += [thing(Subject.INSTANCE, "web2", status="ACTIVE", host="cmp1" if second == 0 else host)]
    return Look(cloud="lab", taken_at=BEGAN + timedelta(seconds=second), things=tuple(things))
