"""Ansible inventories, through the real ansible-inventory."""

from pathlib import Path

import pytest

from skipstone.cloud.inventory import Group, load_inventory
from skipstone.errors import InventoryError

INI = """\
[all:vars]
ansible_user=debian
ansible_become=true

[controllers]
c1 ansible_host=10.0.0.1 ansible_port=2222 ansible_ssh_private_key_file=/keys/c1
[compute]
n[1:2].example ansible_ssh_common_args='-o StrictHostKeyChecking=no -o ProxyJump=jump@b:22'
[galera]
c1
[monitoring]
m1
[cloud:children]
controllers
compute
"""

YAML = """\
all:
  children:
    control: {hosts: {c1: {ansible_host: 10.0.0.1}}}
    computes: {children: {rack1: {hosts: {n1: {}}}}}
"""


def refused(path: Path) -> InventoryError:
    with pytest.raises(InventoryError) as caught:
        load_inventory(path)
    assert caught.value.remedy
    return caught.value


def test_an_ini_inventory(tmp_path: Path) -> None:
    path = tmp_path / "hosts.ini"
    path.write_text(INI)
    found = load_inventory(path)
    assert [host.name for host in found.hosts] == ["c1", "n1.example", "n2.example"]
    c1, n1, _ = found.hosts
    assert (c1.address, c1.port, c1.user, c1.sudo, c1.key_file) == (
        "10.0.0.1",
        2222,
        "debian",
        True,
        Path("/keys/c1"),
    )
    assert c1.groups == (Group.CONTROL, Group.DATABASE)
    assert (n1.address, n1.proxy_jump, n1.groups) == ("n1.example", "jump@b:22", (Group.COMPUTE,))


def test_a_yaml_inventory_is_told_from_our_own(tmp_path: Path) -> None:
    path = tmp_path / "hosts.yaml"
    path.write_text(YAML)
    found = load_inventory(path)
    assert {host.name: host.groups for host in found.hosts} == {
        "c1": (Group.CONTROL,),
        "n1": (Group.COMPUTE,),
    }


def test_our_own_file_can_name_an_ansible_inventory_and_its_groups(tmp_path: Path) -> None:
    (tmp_path / "hosts.ini").write_text(INI)
    path = tmp_path / "inventory.yaml"
    path.write_text("name: prod\ncloud: prod\nansible: hosts.ini\ngroup_map: {network: [monitoring]}\n")
    found = load_inventory(path)
    assert (found.name, found.cloud) == ("prod", "prod")
    assert [host.name for host in found.hosts_in(Group.NETWORK)] == ["m1"]


def test_groups_that_nobody_knows(tmp_path: Path) -> None:
    path = tmp_path / "hosts.ini"
    path.write_text("[web]\nw1\n")
    error = refused(path)
    assert "web" in error.evidence
    assert "group_map" in error.remedy


def test_a_file_that_ansible_cannot_read(tmp_path: Path) -> None:
    path = tmp_path / "hosts.ini"
    path.write_text("[unclosed\nhost\n")
    error = refused(path)
    assert error.what == "ansible-inventory cannot read this inventory"
    assert error.evidence


@pytest.mark.parametrize(
    ("variables", "name", "what"),
    [
        ({"ansible_host": "{{ lookup }}"}, "ansible_host", "template or a vault value"),
        ({"ansible_host": {"__ansible_vault": "x"}}, "ansible_host", "template or a vault value"),
        ({"ansible_connection": "local"}, "ansible_connection", "over SSH only"),
        ({"ansible_become": "yes", "ansible_become_method": "su"}, "ansible_become_method", "with sudo only"),
        ({"ansible_ssh_common_args": "-o ProxyCommand='nc %h'"}, "ansible_ssh_common_args", "ProxyCommand"),
        ({"ansible_port": "ssh"}, "ansible_port", "not a port number"),
    ],
)
def test_what_cannot_be_honoured_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, object], name: str, what: str
) -> None:
    path = tmp_path / "hosts.ini"
    path.write_text("[control]\nc1\n")
    listing = {"_meta": {"hostvars": {"c1": variables}}, "control": {"hosts": ["c1"]}}
    monkeypatch.setattr("skipstone.cloud.ansible._list", lambda _: listing)
    error = refused(path)
    assert error.where == f"{path}: c1.{name}"
    assert what in error.what


def test_without_ansible_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "hosts.ini"
    path.write_text(INI)
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "install ansible-core" in refused(path).remedy
