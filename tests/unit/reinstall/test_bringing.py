"""What is brought back to a new system, cut off on the way: nothing is taken for done that is not."""

import io
import json
import os
import shutil
import tarfile
from pathlib import Path

import pytest

from skipstone.reinstall.scripts import bringing
from skipstone.reinstall.scripts.bringing import Identity


class Cut(Exception):  # noqa: N818 - what happens to the host
    """Power is lost."""


def cut(*_: object) -> None:
    raise Cut


@pytest.fixture
def identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Identity:
    with tarfile.open(tmp_path / "identity.tar.gz", "w:gz") as archive:
        told = tarfile.TarInfo("facts.json")
        told.size = 2
        archive.addfile(told, io.BytesIO(b"{}"))
    (tmp_path / "wanted.json").write_text(json.dumps({"compute_id": "of-before"}))
    monkeypatch.setattr(bringing, "COMPUTE_ID", tmp_path / "compute_id")
    for step in ("expect_new", "bring_accounts", "extract"):
        monkeypatch.setattr(Identity, step, lambda _: None)
    monkeypatch.setattr(bringing, "trust", lambda: None)
    monkeypatch.setattr(bringing, "SOURCES", (str(tmp_path / "sources").lstrip("/"),))
    return Identity(tmp_path)


def test_files_that_are_not_on_the_disk_yet_do_not_count_as_restored(
    identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as power:
        power.setattr(os, "sync", cut)
        with pytest.raises(Cut):
            identity.restore()
    done = identity.directory / "restored"
    assert not done.exists()
    identity.restore()
    assert done.read_text() == bringing.BOOT_ID.read_text()


def test_the_nodes_uuid_is_there_wholly_or_not_at_all(
    identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "chown", cut)
    with pytest.raises(Cut):
        identity.bring_compute_id()
    assert not bringing.COMPUTE_ID.exists()
    monkeypatch.setattr(shutil, "chown", lambda *_: None)
    identity.bring_compute_id()
    assert bringing.COMPUTE_ID.read_text() == "of-before\n"
    assert bringing.COMPUTE_ID.stat().st_mode & 0o777 == 0o640


def test_the_images_package_sources_go_though_they_were_put_aside_before(identity: Identity) -> None:
    place = identity.directory / "sources"
    aside = identity.directory / "of-image" / str(place).lstrip("/")
    for _ in range(2):
        place.mkdir()
        (place / "image.list").write_text("deb")
        identity.put_sources_aside()
        assert not place.exists()
        assert (aside / "image.list").exists()
