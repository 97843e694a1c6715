"""Databases with content, carried along routes by the releases' own code: rehearsals as an operator's, whole.

``make routes`` runs every pair that matters and writes docs/reference/routes.md from what is recorded here.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from skipstone.catalog import load_catalog
from skipstone.errors import SkipstoneError
from skipstone.settings import load_settings
from tests.toolchain.carried import Carried, carry

pytestmark = [pytest.mark.real, pytest.mark.network, pytest.mark.timeout(3600)]

RECORDS = Path("out/routes.jsonl")


def record(pair: str, **more: Any) -> None:
    RECORDS.parent.mkdir(exist_ok=True)
    with RECORDS.open("a") as file:
        today = f"{datetime.now(UTC):%Y-%m-%d}"
        file.write(json.dumps({"pair": pair.split("-"), "date": today, **more}) + "\n")


def outcome(carried: Carried) -> dict[str, Any]:
    report, taken = carried.report, carried.report.taken
    assert taken is not None
    return {
        "troubles": carried.troubles,
        "seconds": round(carried.seconds),
        "migration": round(report.migration_seconds),
        "processor": round(taken.processor),
        "load": round(taken.load),
        "cores": taken.cores,
        "rows": sum(database.rows for service in report.services for database in service.databases),
        "server": report.server,
        "services": {service.service: service.planned for service in report.services},
        **({"left_out": carried.left_out} if carried.left_out else {}),
    }


def test_databases_arrive_and_nothing_of_theirs_is_lost(pair: str) -> None:
    catalog = load_catalog()
    source, target = (catalog.release(name) for name in pair.split("-"))
    try:
        carried = carry(catalog, load_settings(), source, target)
    except SkipstoneError as error:
        record(pair, troubles=[str(error).splitlines()[0]])
        raise
    except AssertionError as error:  # of seeding: its last line is the program's own
        record(pair, troubles=[f"not begun, seeding failed: {str(error).strip().splitlines()[-1]}"])
        raise
    record(pair, **outcome(carried))
    assert carried.troubles == []
