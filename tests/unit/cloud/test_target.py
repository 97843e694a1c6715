"""Targets: how jump hosts are written, and which host keys count."""

import asyncio
from pathlib import Path

import pytest

from skipstone.cloud.target import Target, client_options, known_hosts


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("b", Target("b")),
        ("me@b:2222", Target("b", user="me", port=2222)),
        ("me@b,you@c:22", Target("c", user="you", port=22, jump="me@b")),
        ("fe80::1", Target("fe80::1")),
        ("[fe80::1]:22", Target("fe80::1", port=22)),
    ],
)
def test_jump_hosts_are_written_as_for_ssh(text: str, target: Target) -> None:
    assert Target.parse(text) == target


def test_the_inventorys_jump_host_comes_before_ssh_configs() -> None:
    assert Target("a", jump="b").hop("c") == Target("b")
    assert Target("a").hop("c") == Target("c")
    assert Target("a").hop(None) is None
    assert Target("a", jump="none").hop("c") is None


def test_a_jump_host_needs_none_to_itself() -> None:
    assert Target("b").hop("b") is None
    assert Target("b", port=22).hop("b:2222") == Target("b", port=2222)


def test_a_label_names_host_and_address() -> None:
    assert Target("10.0.0.1", alias="cmp1", user="root", port=22).label == "cmp1 (root@10.0.0.1:22)"
    assert Target("cmp1", alias="cmp1").label == "cmp1"


def test_ssh_config_is_asked_by_name_where_its_entry_is_of_this_address(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host cmp1\n  HostName 10.0.0.1\n  User one\nHost 10.0.0.2\n  User two\n")

    def user(target: Target) -> str:
        return asyncio.run(client_options(target, config)).username

    assert user(Target("10.0.0.1", alias="cmp1")) == "one"
    assert user(Target("10.0.0.2", alias="cmp1")) == "two"
    assert user(Target("10.0.0.2", alias="cmp1", user="three")) == "three"


def test_known_hosts_are_those_of_the_configuration_and_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own").write_text("own-key\n")
    (tmp_path / "machine").write_text("machine-key\n")
    monkeypatch.setattr("skipstone.cloud.target.GLOBAL_KNOWN_HOSTS", tmp_path / "machine")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    def keys(line: str) -> bytes:
        (tmp_path / "config").write_text(f"Host *\n  {line}\n")
        return known_hosts(asyncio.run(client_options(Target("a"), tmp_path / "config")))

    assert b"own-key" in keys(f"UserKnownHostsFile {tmp_path}/missing {tmp_path}/own")
    assert b"machine-key" in keys(f"UserKnownHostsFile {tmp_path}/own")
    assert b"own-key" not in keys("UserKnownHostsFile none")
    assert keys("UserKnownHostsFile none").strip()  # never empty, which asyncssh takes for its default
