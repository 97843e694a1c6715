"""What notes ask for, on upstream's own texts."""

from collections import Counter

import pytest

from skipstone.catalog import load_catalog
from skipstone.notes.action import Action, action_of
from skipstone.notes.history import load_notes
from skipstone.notes.mention import Vocabulary
from skipstone.notes.note import USUAL, Kind, Note

CATALOG = load_catalog()
ROUTE = CATALOG.between(CATALOG.release("rocky"), CATALOG.release("2026.2"))
SERVICES = tuple(service.name for service in CATALOG.services)


def judged(service: str) -> list[tuple[Note, Action]]:
    vocabulary = Vocabulary(service)
    return [(note, action_of(note, vocabulary.named(note.text))) for note in load_notes(service).on(ROUTE)]


JUDGED = {service: judged(service) for service in SERVICES}


@pytest.mark.parametrize(
    ("service", "file", "kind", "action"),
    [
        ("neutron", "remove-linuxbridge-driver", Kind.UPGRADE, Action.BEFORE),
        ("cinder", "delete-tsm-backup-driver", Kind.UPGRADE, Action.BEFORE),
        ("nova", "drop-python-3-10-5dd06071c4ebd55e", Kind.UPGRADE, Action.PROGRAMS),
        ("nova", "epoxy-libvirt-QEMU-version", Kind.UPGRADE, Action.PROGRAMS),
        ("nova", "remove-keymap-options", Kind.UPGRADE, Action.CONFIGURATION),
        ("nova", "service-user-token", Kind.UPGRADE, Action.CONFIGURATION),
        ("nova", "add-policy-service-role", Kind.UPGRADE, Action.POLICY),
        ("cinder", "switch-to-alembic", Kind.UPGRADE, Action.DATABASE),
        ("nova", "deprecate-vmware-ussuri", Kind.DEPRECATIONS, Action.PLAN),
        ("glance", "bug-1980049", Kind.UPGRADE, Action.CLIENTS),
        ("nova", "remove-sqlalchemy-migrate", Kind.UPGRADE, Action.KNOW),
        ("nova", "microversion-2-94", Kind.FEATURES, Action.KNOW),
    ],
)
def test_a_note_asks_for(service: str, file: str, kind: Kind, action: Action) -> None:
    found = {act for note, act in JUDGED[service] if note.file.startswith(file) and note.kind is kind}
    assert found == {action}


def test_few_notes_are_not_classified_and_every_group_is_used() -> None:
    usual = Counter(act for found in JUDGED.values() for note, act in found if note.kind in USUAL)
    assert set(usual) == set(Action)
    assert usual[Action.UNCLASSIFIED] < usual.total() / 10


def test_what_no_rule_fits_is_not_guessed() -> None:
    note = Note(
        service="nova",
        release="zed",
        version="26.0.0",
        file="x.yaml",
        kind=Kind.UPGRADE,
        entry=1,
        text="Hello.",
    )
    assert action_of(note, ()) is Action.UNCLASSIFIED
