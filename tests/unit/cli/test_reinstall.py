"""The verbs of a reinstallation, on a cloud that is made up."""

import tarfile
from pathlib import Path
from typing import Any

import click
import pytest

from skipstone.drain.gear import DrainStopped
from skipstone.errors import InputError, SkipstoneError
from skipstone.reinstall.store import Kept, Names
from tests.unit.cli.test_drain import call, cloud
from tests.unit.drain.fake_cloud import DrainCloud

__all__ = ["cloud"]


@pytest.fixture
def kept(tmp_path: Path, cloud: DrainCloud) -> Kept:
    """Give what was kept of cmp1, whole."""
    found = Kept(tmp_path / "state/identities/p/cmp1", "cmp1")
    with found.written() as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name in ("facts.json", "etc/hostname", "etc/machine-id", "etc/ssh/ssh_host_rsa_key"):
            archive.addfile(tarfile.TarInfo(name))
    found.note(names(cloud))
    return found


def names(cloud: DrainCloud) -> Names:
    one: Any = cloud.hosts["cmp1"]
    return Names("service-cmp1", "cmp1.example.org", one.provider)


@pytest.mark.parametrize("verb", [("drain",), ("return",), ("reinstall", "allow")])
def test_a_plans_file_is_not_taken_for_its_id(verb: tuple[str, ...]) -> None:
    error = call(*verb, "cmp1", "--plan", "out/plan.yaml").exception
    assert isinstance(error, click.BadParameter)
    assert "give the `id`" in error.message


def test_disks_may_go_only_once_the_host_is_empty(cloud: DrainCloud, kept: Kept) -> None:
    off = cloud.add("off", status="SHUTOFF")
    assert isinstance(call("reinstall", "allow", "cmp1", "--plan", "p").exception, DrainStopped)
    assert not kept.allowed
    assert call("drain", "cmp1", "--plan", "p", "--empty", "--cold").return_value == 0
    assert list(cloud.truth(off)) != ["cmp1"]
    assert call("reinstall", "allow", "cmp1", "--plan", "p").exception is None
    assert kept.allowed


def test_once_allowed_it_is_not_asked_again(cloud: DrainCloud, kept: Kept) -> None:
    """The first attempt may have left no host to ask."""
    kept.allow()
    cloud.add("vm")
    assert call("reinstall", "allow", "cmp1", "--plan", "p").exception is None


def test_without_what_was_kept_nothing_is_allowed(kept: Kept) -> None:
    kept.archive.write_bytes(b"other")
    for verb in ("check", "allow"):
        error = call("reinstall", verb, "cmp1", "--plan", "p").exception
        assert isinstance(error, InputError)
        assert "gone or damaged" in error.what
    kept.forget()
    assert isinstance(call("reinstall", "check", "cmp1", "--plan", "p").exception, InputError)


@pytest.mark.usefixtures("kept")
def test_nova_and_placement_must_have_it_as_it_was(
    cloud: DrainCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skipstone.reinstall.naming.SECONDS", 0.0)
    done = call("reinstall", "confirm", "cmp1", "--plan", "p")
    assert done.exception is None, done.exception
    cloud.hosts["cmp1"].provider = "another"
    error = call("reinstall", "confirm", "cmp1", "--plan", "p").exception
    assert isinstance(error, SkipstoneError)
    assert "provider='another'" in error.evidence


def test_what_was_kept_can_be_removed_again_and_again(cloud: DrainCloud, kept: Kept) -> None:
    del cloud
    for _ in range(2):
        assert call("reinstall", "forget", "cmp1", "--plan", "p").exception is None
    assert not kept.directory.exists()


def test_nothing_may_be_left_on_a_host_that_is_to_be_empty(cloud: DrainCloud) -> None:
    del cloud
    done = call("drain", "cmp1", "--empty", "--on-stuck", "leave")
    assert "what is left on the host is not empty" in str(done.exception)
