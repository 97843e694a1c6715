"""Options in the many ways in which notes write them; the texts are upstream's."""

import pytest

from skipstone.convert.option import Name
from skipstone.notes.mention import Vocabulary, commands

NOVA = Vocabulary("nova")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("the ``[libvirt]live_migration_tunnelled`` option is", Name("libvirt", "live_migration_tunnelled")),
        ("the ``[vnc] keymap`` and", Name("vnc", "keymap")),
        ("``[compute]/max_disk_devices_to_attach`` defaults", Name("compute", "max_disk_devices_to_attach")),
        ("Config option ``libvirt.file_backed_memory`` is", Name("libvirt", "file_backed_memory")),
        ("set ``[DEFAULT] reserved_host_memory_mb = 0`` first", Name("DEFAULT", "reserved_host_memory_mb")),
        ("The ``osapi_compute_workers`` are", Name("DEFAULT", "osapi_compute_workers")),
        (
            ":oslo.config:option:`compute.max_disk_devices_to_attach`",
            Name("compute", "max_disk_devices_to_attach"),
        ),
        ("the [cinder]/catalog_info is read", Name("cinder", "catalog_info")),
        ("``[oslo_policy]`` ``policy_file`` has", Name("oslo_policy", "policy_file")),
        ("the ``debug`` option", Name("DEFAULT", "debug")),
    ],
)
def test_an_option_is_recognised(text: str, named: Name) -> None:
    assert named in NOVA.named(text)


@pytest.mark.parametrize(
    "text",
    [
        "a server's ``host`` is shown",
        "``[libvirt] live_migration_tunneled_away`` never was",
        "images_type without quotes",
        "``GET /servers/{server_id}/os-volume_attachments``",
    ],
)
def test_what_is_no_option_is_none(text: str) -> None:
    assert not NOVA.named(text)


def test_sections_of_backends_have_the_options_of_drivers() -> None:
    cinder = Vocabulary("cinder")
    names = set(cinder.known("my-filer", "netapp_login"))
    assert names
    assert names <= cinder.named("The ``netapp_login`` option is")


def test_commands_are_found() -> None:
    assert commands("Run ``nova-manage db online_data_migrations`` first") == (
        "nova-manage db online_data_migrations",
    )
    assert commands("nova-compute manages") == ()
