from pathlib import Path

import pytest

from skipstone.archives import (
    CARRIED,
    Archive,
    for_suite,
    machine_archives,
    machine_suite,
    parse_list,
    parse_stanzas,
)
from skipstone.errors import InputError

STANZAS = """\
Types: deb deb-src
# a comment in a stanza
URIs: https://mirror.example/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main non-free-firmware
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: https://mirror.example/security
Suites: bookworm-security
Components: main
Signed-By: /etc/apt/keyrings/mirror.gpg

Enabled: no
Types: deb
URIs: https://off.example/debian
Suites: bookworm
Components: main

Types: deb-src
URIs: https://sources.example/debian
Suites: bookworm
Components: main
"""
LINES = """\
deb [arch=amd64 signed-by=/etc/apt/keyrings/mirror.gpg] http://a.example/debian bookworm main contrib # why
# deb http://off.example/debian bookworm main
deb-src http://src.example/debian bookworm main
deb http://tools.example/apt stable main
"""


def test_stanzas_give_one_archive_per_address_and_suite() -> None:
    found = list(parse_stanzas(STANZAS))
    assert [archive.suite for archive in found] == [
        "bookworm",
        "bookworm-updates",
        "bookworm-backports",
        "bookworm-security",
    ]
    assert found[0].signed_by == "", "Debian's own keyring is in every image"
    assert found[3].signed_by == "/etc/apt/keyrings/mirror.gpg"


def test_lines_are_read_without_comments_and_source_archives() -> None:
    first, second = parse_list(LINES)
    assert (
        first.line()
        == "deb [signed-by=/etc/apt/keyrings/mirror.gpg] http://a.example/debian bookworm main contrib"
    )
    assert second.suite == "stable"


def test_another_suite_replaces_every_part_and_drops_the_rest() -> None:
    lines = [archive.line() for archive in for_suite(tuple(parse_stanzas(STANZAS)), "bookworm", "trixie")]
    assert lines == [
        "deb https://mirror.example/debian trixie main",
        "deb https://mirror.example/debian trixie-updates main",
        "deb [signed-by=/etc/apt/keyrings/mirror.gpg] https://mirror.example/security trixie-security main",
    ]


def test_a_machine_without_its_own_suite_is_refused_with_a_remedy() -> None:
    archives = (Archive(uri="http://tools.example", suite="stable", components=("main",)),)
    with pytest.raises(InputError, match="bookworm") as caught:
        for_suite(archives, "bookworm", "trixie")
    assert "deb MIRROR bookworm main" in caught.value.remedy


def test_both_formats_are_found_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text(LINES)
    (tmp_path / "sources.list.d/debian.sources").write_text(STANZAS)
    (tmp_path / "sources.list.d/debian.sources.save").write_text(STANZAS)
    assert len(machine_archives(tmp_path)) == 2 + 4


@pytest.mark.parametrize(("text", "suite"), [("ID=debian\nVERSION_CODENAME=bookworm\n", "bookworm")])
def test_the_codename_of_debian_is_read(tmp_path: Path, text: str, suite: str) -> None:
    file = tmp_path / "os-release"
    file.write_text(text)
    assert machine_suite(file) == suite


def test_another_system_than_debian_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "os-release"
    file.write_text('ID=fedora\nPRETTY_NAME="Fedora"\n')
    with pytest.raises(InputError, match="Debian"):
        machine_suite(file)


@pytest.mark.parametrize(
    ("line", "carried"),
    [
        ('Acquire::http::Proxy "http://proxy.example:3128";', True),
        ('Acquire::https::Proxy::mirror.example "DIRECT";', True),
        ('Acquire::Check-Valid-Until "false";', True),
        ('Acquire::http::Proxy "";', False),
        ('Acquire::Languages "none";', False),
    ],
)
def test_only_settings_that_archives_need_are_carried(line: str, *, carried: bool) -> None:
    assert bool(CARRIED.match(line)) is carried
