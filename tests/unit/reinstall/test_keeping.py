"""Which files are kept: those that somebody has made or changed."""

from hashlib import md5
from pathlib import Path

import pytest

from skipstone.catalog import load_catalog
from skipstone.errors import InputError
from skipstone.reinstall.identity import globs, keys_in
from skipstone.reinstall.scripts import keeping


def sum_of(text: str) -> str:
    return md5(text.encode()).hexdigest()  # noqa: S324 - dpkg has no other


def test_what_packages_ship_as_it_is_comes_with_the_targets_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A filter of the old release, kept and brought back, would stay for ever."""
    nova = tmp_path / "etc" / "nova"
    (nova / "rootwrap.d").mkdir(parents=True)
    for name, text in (
        ("as-shipped", "a"),
        ("changed", "b"),
        ("own", "c"),
        ("by-ucf", "d"),
        ("key.gpg", "e"),
    ):
        (nova / name).write_text(text)
    (nova / "rootwrap.d" / "compute.filters").write_text("f")
    (nova / "link").symlink_to("own")
    sums = {"as-shipped": "a", "changed": "before", "by-ucf": "d", "rootwrap.d/compute.filters": "f"}
    shipped = {str(nova / name): {sum_of(text)} for name, text in sums.items()}
    monkeypatch.setattr(keeping, "shipped", lambda: shipped)
    monkeypatch.setattr(keeping, "of_packages", lambda _: {*shipped, str(nova / "key.gpg")})
    found = keeping.chosen(tmp_path, ["etc/nova/**/*"])
    assert [path.name for path in found] == ["changed", "link", "own"]


def test_dpkg_s_and_ucf_s_sums_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "\n /etc/nova/rootwrap.conf 0123\n /etc/nova/gone 4567 obsolete\n"
    monkeypatch.setattr(keeping, "run", lambda *_: said)
    found = keeping.shipped()
    assert found["/etc/nova/rootwrap.conf"] == {"0123"}
    assert found["/etc/nova/gone"] == {"4567"}


def test_every_service_s_configuration_is_among_what_is_looked_at() -> None:
    found = globs(load_catalog())
    for wanted in (
        *("etc/nova/**/*", "etc/neutron/**/*", "etc/machine-id", "var/lib/nova/compute_id"),
        *("etc/systemd/system/nova-compute.service.d/*", "etc/systemd/system/libvirtd.service.d/*"),
    ):
        assert wanted in found or any(
            wanted.startswith(glob.partition("*")[0]) and "*" in glob for glob in found
        ), wanted


def test_only_keys_of_what_a_hook_says_are_trusted() -> None:
    said = "installed by FAI\nssh-ed25519 AAAAC3Nza root@cmp1\necdsa-sha2-nistp256 AAAAE2 x\n"
    assert keys_in(said) == b"* ssh-ed25519 AAAAC3Nza\n* ecdsa-sha2-nistp256 AAAAE2\n"
    with pytest.raises(InputError, match="no SSH host key"):
        keys_in("trixie\n")
