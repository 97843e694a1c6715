"""What a cloud makes of a route's notes: what comes first, what is left out, and that nothing else is."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skipstone.catalog import load_catalog
from skipstone.cloud.cloudfile import load_cloud
from skipstone.cloud.model import Cloud, ConfigFile, Host, Package
from skipstone.errors import InputError, UnknownRelease
from skipstone.notes.note import Kind
from skipstone.notes.selection import Entry, Reason, Selection, select, way
from skipstone.notes.topic import Topic, topics_of
from skipstone.notes.usage import usage_of

CATALOG = load_catalog()
SERVICES = tuple(service.name for service in CATALOG.services)
CLOUD = load_cloud(Path(__file__).parents[2] / "plans" / "zed-small" / "cloud.yaml")
SECRET = "hunter2hunter2"

Change = Callable[[Host], Host]


def selected(cloud: Cloud | None, source: str = "zed", target: str = "2025.1", **kinds: Kind) -> Selection:
    route = way(CATALOG, CATALOG.release(source), CATALOG.release(target))
    usage = usage_of(cloud, CATALOG) if cloud else None
    return select(CATALOG, route, SERVICES, tuple(kinds.values()) or tuple(Kind), usage)


def changed(change: Change, names: tuple[str, ...] = ("ctl1",)) -> Cloud:
    hosts = tuple(change(host) if host.name in names else host for host in CLOUD.hosts)
    return CLOUD.model_copy(update={"hosts": hosts})


def having(path: str, text: str | None) -> Cloud:
    """Return the cloud with another text in a file of the controller, or a new one."""
    file = ConfigFile(path=path, sha256="0" * 64, size=1, text=text)

    def change(host: Host) -> Host:
        rest = tuple(each for each in host.config_files if each.path != path)
        return host.model_copy(update={"config_files": (*rest, file)})

    return changed(change)


WHOLE = selected(None)
HERE = selected(CLOUD)


def about(selection: Selection, file: str) -> list[Entry]:
    return [each for each in selection.entries if each.note.file.startswith(file)]


def out(selection: Selection, file: str) -> list[Entry]:
    return [each for each in selection.left_out if each.note.file.startswith(file)]


def test_without_a_cloud_nothing_is_left_out() -> None:
    assert WHOLE.left_out == ()
    assert len(WHOLE.entries) > 300
    assert set(WHOLE.by_service) == set(SERVICES)


@pytest.mark.parametrize(
    ("file", "path", "text"),
    [
        (
            "remove-linuxbridge-driver",
            "/etc/neutron/plugins/ml2/ml2_conf.ini",
            "[ml2]\nmechanism_drivers = linuxbridge\n",
        ),
        (
            "pure",
            "/etc/cinder/cinder.conf",
            "[p]\nvolume_driver = cinder.volume.drivers.pure.PureISCSIDriver\n",
        ),
        ("bug-2017815-infinidat", "/etc/cinder/cinder.conf", "[i]\ninfinidat_pool_name = p\n"),
        ("rbd-flatten-child-volumes", "/etc/nova/nova.conf", "[libvirt]\nimages_type = rbd\n"),
        ("hyperv-experimental", "/etc/nova/nova.conf", "[DEFAULT]\ncompute_driver = hyperv.HyperVDriver\n"),
    ],
)
def test_notes_on_drivers_that_the_cloud_lacks_are_left_out_and_those_on_its_own_are_not(
    file: str, path: str, text: str
) -> None:
    without, with_it = HERE, selected(having(path, text))
    assert out(without, file)
    assert all(each.reason is Reason.OTHER_DRIVERS and each.absent for each in out(without, file))
    assert about(with_it, file)
    assert not out(with_it, file)


def test_an_empty_section_is_no_use_of_a_driver() -> None:
    assert out(selected(having("/etc/nova/extra.conf", "[hyperv]\n# hyperv\n")), "hyperv-experimental")


def test_nothing_is_left_out_for_its_drivers_where_configuration_is_not_known() -> None:
    for cloud in (
        having("/etc/nova/nova.conf", None),
        having("/etc/nova/nova.conf", "no configuration\n"),
        changed(lambda host: host.model_copy(update={"reachable": False, "config_files": ()})),
    ):
        found = selected(cloud)
        assert found.unread
        assert not [each for each in found.left_out if each.reason is Reason.OTHER_DRIVERS]


def test_options_that_the_cloud_sets_come_first_with_their_place_and_never_their_value() -> None:
    cloud = having("/etc/nova/nova.conf", f"[upgrade_levels]\ncert = {SECRET}\n")
    entries = selected(cloud, upgrade=Kind.UPGRADE).entries
    first = [each for each in entries if each.settings]
    assert tuple(first) == entries[: len(first)]
    (found,) = [each for each in first if "[upgrade_levels] cert" in str(each.settings)]
    assert "ctl1:/etc/nova/nova.conf [upgrade_levels] cert" in found.settings
    assert SECRET not in str(entries)


def test_a_note_that_names_a_set_option_stays_whatever_driver_it_is_about() -> None:
    assert out(HERE, "enable-ovn_emit_need_to_frag")
    cloud = having("/etc/neutron/neutron.conf", "[ovn]\novn_emit_need_to_frag = true\n")
    assert about(selected(cloud), "enable-ovn_emit_need_to_frag")[0].settings


def test_what_the_installed_version_has_already_is_left_out() -> None:
    assert out(HERE, "token_expiration_to_match")[0].reason is Reason.INSTALLED

    def older(host: Host) -> Host:
        packages = tuple(
            package.model_copy(update={"version": "2:22.0.0-1"}) if package.source == "keystone" else package
            for package in host.packages
        )
        return host.model_copy(update={"packages": packages})

    assert about(selected(changed(older)), "token_expiration_to_match")
    assert about(selected(CLOUD, source="yoga"), "service-user-token")
    assert about(selected(CLOUD, source="yoga"), "token_expiration_to_match")


def test_the_versions_of_the_database_and_the_broker_stand_by_notes_about_them() -> None:
    found = selected(CLOUD, target="2026.1").entries
    broker, database = "RabbitMQ 3.10.8 on ctl1", "10.11.19-MariaDB-0+deb12u1 on ctl1"
    assert {server for each in found for server in each.servers} == {broker, database}
    named = [each.note.text.lower() for each in found if each.servers == (broker,)]
    assert all("rabbit" in text for text in named)


def test_a_driver_that_is_nobodys_topic_keeps_its_notes() -> None:
    cloud = having("/etc/cinder/cinder.conf", "[x]\nvolume_driver = vendor.purity.PurityDriver\n")
    assert usage_of(cloud, CATALOG).drivers("cinder") == {"vendor", "purity", "puritydriver"}
    assert about(selected(cloud), "purestorage_rest_upgrade")


@settings(deadline=None, max_examples=6)
@given(
    st.lists(st.sampled_from([t for name in SERVICES for t in topics_of(name)]), max_size=4), st.booleans()
)
def test_every_note_is_either_shown_or_left_out_with_its_reason(topics: list[Topic], lost: bool) -> None:
    names = tuple(Package(name=topic.topic.lower(), version="1", source="x") for topic in topics)
    cloud = changed(
        lambda host: host.model_copy(update={"packages": (*host.packages, *names), "reachable": not lost})
    )
    found = selected(cloud)
    shown, left = ({each.note.id for each in part} for part in (found.entries, found.left_out))
    assert shown | left == {each.note.id for each in WHOLE.entries}
    assert not shown & left
    assert all(each.reason for each in found.left_out)
    assert {each.note.id for each in found.with_all().entries} == shown | left


def test_a_way_goes_forward() -> None:
    for source, target in (("2025.1", "zed"), ("zed", "zed")):
        with pytest.raises(UnknownRelease, match="not newer"):
            way(CATALOG, CATALOG.release(source), CATALOG.release(target))


def test_what_is_not_known_is_told() -> None:
    route = way(CATALOG, CATALOG.release("queens"), CATALOG.release("stein"))
    found = select(CATALOG, route, ("glance", "nova"), (Kind.UPGRADE,))
    assert found.gaps == {
        "glance": "the notes of glance in Rocky are not known; those of Stein to 2026.2 Hibiscus are"
    }
    with pytest.raises(InputError, match="no release notes of this route are known"):
        select(
            CATALOG, way(CATALOG, CATALOG.release("mitaka"), CATALOG.release("ocata")), SERVICES, tuple(Kind)
        )


def test_the_same_input_makes_the_same_selection() -> None:
    assert selected(CLOUD).model_dump_json() == HERE.model_dump_json()
