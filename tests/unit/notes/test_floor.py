"""Notes on versions of what services stand on: left out only where all here is known to be new enough."""

import pytest

from skipstone.cloud.model import Cloud
from skipstone.notes.floor import Floor, are_met, floors
from skipstone.notes.note import Kind, Note
from skipstone.notes.selection import Reason, Selection
from tests.unit.notes.test_selection import CLOUD, HERE, about, changed, out, selected

LIBVIRT = "bobcat-libvirt-QEMU-version-bump"
MYSQL = "drop-mysql-5-5-support"


def note(text: str) -> Note:
    return Note(
        service="nova", release="zed", version="26.0.0", file="a.yaml", kind=Kind.UPGRADE, entry=1, text=text
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Support for MySQL 5.5 has been dropped.", [Floor("mysql", (5, 5), enough=False)]),
        ("RabbitMQ 3.8 is no longer supported.", [Floor("rabbitmq", (3, 8), enough=False)]),
        (
            """The minimum required version of libvirt by the `nova-compute` service is now 7.0.0, and the
minimum required version of QEMU is 5.2.0. The next is libvirt 8.0.0.""",
            [Floor("libvirt", (7, 0, 0), enough=True), Floor("qemu", (5, 2, 0), enough=True)],
        ),
        ("Support for MySQL clusters has been dropped.", []),
        ("This works around a fault of libvirt 1.2.2, which we no longer support.", []),
    ],
)
def test_plain_sentences_at_the_beginning_are_understood_and_no_others(
    text: str, wanted: list[Floor]
) -> None:
    assert list(floors(note(text))) == wanted


@pytest.mark.parametrize(
    ("floor", "running", "met"),
    [
        (Floor("mysql", (5, 5), enough=False), {"mysql": ("5.5.62",)}, False),
        (Floor("mysql", (5, 5), enough=False), {"mysql": ("5.7.30",)}, True),
        (Floor("mysql", (5, 5), enough=False), {"mariadb": ("10.3.39",)}, True),
        (Floor("mysql", (5, 5), enough=False), {"mariadb": ("5.5.68",)}, False),
        (Floor("mysql", (5, 7), enough=False), {"mariadb": ("10.3.39",)}, False),
        (Floor("mysql", (5, 5), enough=False), {}, False),
        (Floor("libvirt", (7, 0, 0), enough=True), {"libvirt": ("7.0.0",)}, True),
        (Floor("libvirt", (7, 0, 0), enough=True), {"libvirt": ("7.0.0", "6.10.0")}, False),
        (Floor("qemu", (5, 2, 0), enough=True), {"libvirt": ("9.0.0",)}, False),
    ],
)
def test_what_is_not_known_to_be_newer_is_not_new_enough(
    floor: Floor, running: dict[str, tuple[str, ...]], met: bool
) -> None:
    assert are_met((floor,), running) is met


def test_a_cloud_on_newer_versions_is_not_told() -> None:
    assert [entry.reason for entry in out(HERE, LIBVIRT)] == [Reason.NEW_ENOUGH]
    assert not about(HERE, LIBVIRT)
    assert [entry.reason for entry in out(from_yoga(CLOUD), MYSQL)] == [Reason.NEW_ENOUGH]


def test_one_old_hypervisor_or_a_host_that_was_not_reached_brings_the_note_back() -> None:
    first, *others = CLOUD.hypervisors
    old = first.model_copy(update={"libvirt": "6.10.0"})
    assert about(selected(CLOUD.model_copy(update={"hypervisors": (old, *others)})), LIBVIRT)
    assert about(selected(CLOUD.model_copy(update={"hypervisors": ()})), LIBVIRT)
    silent = changed(lambda host: host.model_copy(update={"reachable": False}), ("cmp2",))
    assert about(selected(silent), LIBVIRT)


def from_yoga(cloud: Cloud) -> Selection:
    return selected(cloud, source="yoga", target="zed")
