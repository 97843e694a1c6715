import configparser
import re
import subprocess

import pytest

from skipstone.lab.configuration import PASSWORD, Configuration, template_sources
from skipstone.lab.release import load_release, parse_without, release_names
from skipstone.lab.topology import load_topology

SCRIPTS = (("identity", "ctl1"), ("services", "ctl1"), ("compute", "cmp1"))


def configuration(release: str = "zed", without: str = "") -> Configuration:
    return Configuration(load_release(release), parse_without(without), load_topology("small"), 1400)


def parsed(text: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.read_string(text)
    return parser


@pytest.mark.parametrize("release", release_names())
@pytest.mark.parametrize("host", ["ctl1", "cmp1", "cmp2"])
def test_every_service_file_is_valid_and_has_each_section_once(release: str, host: str) -> None:
    cloud = configuration(release)
    for path, text in cloud.files(cloud.topology.node(host)).items():
        assert "{{" not in text, path
        assert text.endswith("\n"), path
        if re.search(r"etc/(keystone|glance|placement|nova|neutron|cinder|heat)/.*\.(conf|ini)$", path):
            parsed(text)


@pytest.mark.parametrize(("name", "host"), SCRIPTS)
@pytest.mark.parametrize("without", ["", "cinder", "cinder,heat"])
def test_scripts_are_shell(name: str, host: str, without: str) -> None:
    cloud = configuration(without=without)
    script = cloud.script(name, cloud.topology.node(host))
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_a_host_has_its_own_name_and_addresses() -> None:
    cloud = configuration()
    files = cloud.files(cloud.topology.node("cmp2"))
    nova = parsed(files["etc/nova/nova.conf"])
    assert files["etc/hostname"] == "cmp2\n"
    assert nova["DEFAULT"]["my_ip"] == "10.77.0.22"
    assert nova["libvirt"]["live_migration_inbound_addr"] == "10.77.0.22"
    assert "Address=10.77.0.22/24" in files["etc/systemd/network/10-eth0.network"]


def test_computes_know_no_database() -> None:
    cloud = configuration()
    files = cloud.files(cloud.topology.node("cmp1"))
    assert not any("mysql+pymysql" in text for text in files.values())


def test_instances_start_again_with_their_host_and_migrate_live() -> None:
    cloud = configuration()
    nova = parsed(cloud.files(cloud.topology.node("cmp1"))["etc/nova/nova.conf"])
    assert nova["DEFAULT"].getboolean("resume_guests_state_on_host_boot")
    assert nova["libvirt"]["live_migration_uri"] == "qemu+tcp://%s/system"


def test_the_uplinks_mtu_reaches_hosts_and_neutron() -> None:
    cloud = configuration()
    files = cloud.files(cloud.topology.controller)
    assert parsed(files["etc/neutron/neutron.conf"])["DEFAULT"]["global_physnet_mtu"] == "1400"
    assert "MTUBytes=1400" in files["etc/systemd/network/10-eth1.network"]


def test_what_is_left_out_leaves_no_trace() -> None:
    cloud = configuration(without="cinder,heat")
    node = cloud.topology.controller
    everything = "\n".join([*cloud.files(node).values(), *(cloud.script(name, node) for name, _ in SCRIPTS)])
    assert not any(path.startswith(("etc/cinder", "etc/heat")) for path in cloud.files(node))
    assert "cinder" not in everything
    assert "heat-manage" not in everything
    assert "heat-engine" not in everything
    assert "cinder-scheduler on ctl1" not in cloud.agents()


def test_agents_that_must_report_are_named_with_their_hosts() -> None:
    agents = configuration().agents()
    assert {"nova-compute on cmp1", "nova-compute on cmp2", "neutron-l3-agent on ctl1"} <= set(agents)
    assert "nova-api on ctl1" not in agents


def test_no_secret_is_written_into_a_template() -> None:
    assert not [path for path, text in template_sources() if PASSWORD in text]
