"""Bridges and ports of Open vSwitch, as its JSON has them, made into commands that make them again."""

from typing import Any

from skipstone.reinstall.scripts.bringing import commands


def uuid(name: str) -> list[str]:
    return ["uuid", name]


def table(*rows: dict[str, Any]) -> dict[str, Any]:
    headings = sorted({key for row in rows for key in row})
    return {"headings": headings, "data": [[row.get(key, ["set", []]) for key in headings] for row in rows]}


def interface(name: str, **more: Any) -> dict[str, Any]:
    return {"_uuid": uuid(f"i-{name}"), "name": name, "type": "", "external_ids": ["map", []], **more}


def port(name: str, *parts: str, **more: Any) -> dict[str, Any]:
    own = [uuid(f"i-{part}") for part in parts or (name,)]
    return {
        "_uuid": uuid(f"p-{name}"),
        "name": name,
        "interfaces": own[0] if len(own) == 1 else ["set", own],
        **more,
    }


def bridge(name: str, *ports: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "ports": ["set", [uuid(f"p-{one}") for one in ports]], **more}


def told(
    bridges: list[Any], ports: list[Any], interfaces: list[Any], root: dict[str, Any] | None = None
) -> list[str]:
    tables = {
        "Open_vSwitch": table(root or {"external_ids": ["map", []]}),
        "Bridge": table(*bridges),
        "Port": table(*ports),
        "Interface": table(*interfaces),
    }
    return [" ".join(words) for words in commands(tables)]


def test_a_bridge_with_its_card_is_made_in_one_go() -> None:
    """A bridge of the kernel's datapath, if only for a moment, fails where the kernel has none."""
    assert told(
        [bridge("br-ex", "br-ex", "eth1", datapath_type="netdev", fail_mode="secure")],
        [port("br-ex"), port("eth1", tag=7)],
        [interface("br-ex", type="internal"), interface("eth1")],
    ) == [
        '--may-exist add-br br-ex -- set Bridge br-ex datapath_type="netdev"',
        "--may-exist add-port br-ex eth1",
        "set Port eth1 tag=7",
    ]


def test_what_neutron_and_nova_make_is_left_to_them() -> None:
    assert told(
        [bridge("br-int", "tap1"), bridge("br-tun"), bridge("br-ex", "br-ex", "phy-br-ex", "vm", "vx")],
        [port("br-ex"), port("phy-br-ex"), port("vm"), port("vx"), port("tap1")],
        [
            interface("br-ex", type="internal"),
            interface("phy-br-ex", type="patch"),
            interface("vm", external_ids=["map", [["iface-id", "x"]]]),
            interface("vx", type="vxlan"),
            interface("tap1"),
        ],
    ) == ["--may-exist add-br br-ex"]


def test_a_bond_and_an_operators_own_port_come_back() -> None:
    assert told(
        [bridge("br-ex", "bond0", "mgmt")],
        [
            port(
                "bond0",
                "eth2",
                "eth3",
                bond_mode="balance-slb",
                other_config=["map", [["lacp-time", "fast"]]],
            ),
            port("mgmt", trunks=["set", [3, 4]]),
        ],
        [interface("eth2"), interface("eth3", mtu_request=9000), interface("mgmt", type="internal")],
    ) == [
        "--may-exist add-br br-ex",
        "--may-exist add-bond br-ex bond0 eth2 eth3 -- set Interface eth3 mtu_request=9000",
        'set Port bond0 bond_mode="balance-slb"',
        'set Port bond0 other_config:"lacp-time"="fast"',
        '--may-exist add-port br-ex mgmt -- set Interface mgmt type="internal"',
        "set Port mgmt trunks=3,4",
    ]


def test_who_the_host_is_for_ovn_comes_back_and_what_the_switch_says_of_itself_does_not() -> None:
    ids = [["ovn-remote", "tcp:192.0.2.1:6642"], ["hostname", "cmp1"], ["system-id", "s"]]
    assert told([], [], [], {"external_ids": ["map", ids]}) == [
        'set Open_vSwitch . external_ids:"ovn-remote"="tcp:192.0.2.1:6642"',
        'set Open_vSwitch . external_ids:"system-id"="s"',
    ]
