"""Files of Zed and Victoria for 2025.1, line by line, with the options that the releases really have."""

import pytest

from skipstone.catalog import load_catalog
from skipstone.convert.conversion import Conversion, convert
from skipstone.convert.options import known_services, load_history
from skipstone.convert.remark import Matter


def carry(
    text: str, service: str = "nova", source: str = "zed", target: str = "2025.1", *, keep: bool = False
) -> Conversion:
    catalog, history = load_catalog(), load_history(service)
    way = history.between(catalog.release(source), catalog.release(target))
    (conversion,) = convert({"test.conf": text}, history, way, keep=keep)
    again = convert({"test.conf": conversion.text}, history, way, keep=keep)[0]
    assert again.text == conversion.text, "converting a converted file changes it"
    return conversion


def said(conversion: Conversion) -> list[tuple[Matter, int | None, str]]:
    ignored = {Matter.DEFAULT_CHANGED, Matter.DEFAULT_MATTERS, Matter.OPTION_NEEDED}
    return [
        (each.matter, each.line, each.option) for each in conversion.remarks if each.matter not in ignored
    ]


def test_a_renamed_option_changes_its_name_alone() -> None:
    done = carry("[ironic]\n# ours\npartition_key  =  rack1 \n\n[vnc]\nenabled=true\n")
    assert done.text == "[ironic]\n# ours\nconductor_group  =  rack1 \n\n[vnc]\nenabled=true\n"
    assert said(done) == [(Matter.OPTION_RENAMED, 3, "partition_key")]


def test_a_name_that_is_an_alias_already_is_followed() -> None:
    done = carry("[database]\nsql_connection = 9\n", "cinder")
    assert done.text == "[database]\nconnection = 9\n"


def test_an_option_moves_to_another_section_and_says_where() -> None:
    done = carry("[DEFAULT]\nsql_connection = mysql://x\n[cache]\n[database]\nmax_retries = 1\n", "cinder")
    assert done.text == (
        "[DEFAULT]\n# skipstone: sql_connection: it is [database] connection in Zed already\n[cache]\n"
        "[database]\nmax_retries = 1\nconnection = mysql://x\n"
    )


def test_a_section_is_made_where_the_new_one_is_missing() -> None:
    done = carry("[DEFAULT]\nsql_connection = mysql://x", "cinder")
    assert done.text == (
        "[DEFAULT]\n# skipstone: sql_connection: it is [database] connection in Zed already\n"
        "\n[database]\nconnection = mysql://x\n"
    )


def test_an_option_that_was_split_goes_to_every_place() -> None:
    done = carry("[DEFAULT]\nbind_host = ::\n[heat_api]\nbind_host = 10.0.0.1\n", "heat")
    assert done.text.endswith("[heat_api]\nbind_host = 10.0.0.1\n\n[heat_api_cfn]\nbind_host = ::\n")


def test_a_removed_option_stays_as_a_comment_with_the_reason() -> None:
    done = carry("[DEFAULT]\nuse_eventlog = 30\n  40\nuse_journal = true\n")
    first, reason, *old, last = done.text.splitlines()
    assert reason.startswith("# skipstone: use_eventlog: it is gone since ")
    assert (first, old, last) == ("[DEFAULT]", ["# use_eventlog = 30", "#   40"], "use_journal = true")
    assert said(done)[0] == (Matter.OPTION_REMOVED, 2, "use_eventlog")


def test_an_older_name_beside_the_newer_was_never_read() -> None:
    done = carry("[database]\nsql_connection = 1\nconnection = 2\n", "cinder")
    assert done.text == (
        "[database]\n"
        "# skipstone: sql_connection: it is not read: connection of line 3 sets the same and counts\n"
        "# sql_connection = 1\nconnection = 2\n"
    )


def test_a_mistyped_option_stays_and_the_nearest_is_named() -> None:
    done = carry("[DEFAULT]\nenabeld_apis = osapi_compute\n")
    assert not done.changed
    assert said(done) == [(Matter.OPTION_UNKNOWN, 2, "enabeld_apis")]
    assert "[DEFAULT] enabled_apis" in done.remarks[0].text


def test_a_value_that_the_target_refuses_is_told_but_not_printed() -> None:
    assert said(carry("[DEFAULT]\nlog_rotate_interval_type = days\n")) == []
    done = carry("[libvirt]\nvirt_type = s3cret\n[vnc]\nnovncproxy_port = 99999\n")
    assert [each[0] for each in said(done)] == [Matter.VALUE_REFUSED, Matter.VALUE_REFUSED]
    assert all("s3cret" not in each.text for each in done.remarks)


@pytest.mark.parametrize(
    ("value", "fits"), [("True", True), ("off", True), ("1", True), ("2", False), ("", False)]
)
def test_a_boolean_is_what_oslo_config_takes_for_one(value: str, fits: bool) -> None:
    done = carry(f"[DEFAULT]\nresume_guests_state_on_host_boot = {value}\n")
    assert (said(done) == []) == fits


def test_a_comment_behind_a_value_is_told_where_it_spoils_it() -> None:
    (told,) = [each for each in carry("[DEFAULT]\ndebug = true  # for now\n").remarks if each.line]
    assert told.matter is Matter.VALUE_REFUSED
    assert told.text.endswith("oslo.config takes what follows # on its line for a part of it")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[libvrit]\nx = 1\n", "[libvirt]?"),
        ("[default]\nmy_ip = 1\n", "[DEFAULT]?"),
        ("[hyperplug]\nx = 1\n", "is it a plugin's?"),
        ("[DEFAULT]\nMy_IP = 1\n", "[DEFAULT] my_ip?"),
        ("[placement]\nos_region_name = 1\n", "[placement] region_name?"),
        ("[vnc]\nmy_ip = 1\n", "[DEFAULT] my_ip?"),
    ],
)
def test_the_nearest_name_is_offered(text: str, hint: str) -> None:
    (told,) = [each for each in carry(text).remarks if each.line]
    assert told.text.endswith(hint)


def test_the_login_of_old_is_no_riddle() -> None:
    done = carry("[keystone_authtoken]\nadmin_user = nova\nidentity_uri = http://x\n", target="2026.2")
    assert said(done) == [(Matter.OPTION_DEAD, 2, "admin_user"), (Matter.OPTION_DEAD, 3, "identity_uri")]


def test_another_type_is_told_with_its_release() -> None:
    text = "[DEFAULT]\nenabled_backends = a\n[a]\nhitachi_pools = x\n"
    done = carry(text.replace("pools", "pool"), "cinder")
    (told,) = [each for each in done.remarks if each.matter is Matter.TYPE_CHANGED]
    assert told.line == 4
    assert told.text == "it is a list value since 2023.1 Antelope, and was a string value"
    assert said(carry(text, "cinder", source="2023.1")) == []


def test_what_an_older_release_lost_is_told_with_what_it_is_now() -> None:
    done = carry("[DEFAULT]\nenabled_backends = lvm\n[lvm]\niscsi_helper = lioadm\n", "cinder")
    assert said(done) == [(Matter.OPTION_DEAD, 4, "iscsi_helper")]
    assert done.remarks[0].text == "no release since Rocky reads it; it is [lvm] target_helper now"


def test_a_default_that_only_looks_otherwise_is_not_told() -> None:
    """Neutron made a list of an address in 2025.1, nova's log format lost a blank."""
    told = {each.option for each in carry("[DEFAULT]\n[ovn]\n", "neutron").remarks}
    assert "ovn_nb_connection" not in told
    told = {each.option for each in carry("[DEFAULT]\n[wsgi]\n", target="2026.2").remarks}
    assert "wsgi_log_format" not in told


@pytest.mark.parametrize("service", known_services())
def test_both_defaults_are_told_apart(service: str) -> None:
    history = load_history(service)
    text = "".join(f"[{group}]\n" for group in history.at("victoria").groups)
    for target in ("zed", "2025.1", "2026.2"):
        for each in carry(text, service, source="victoria", target=target).remarks:
            if each.matter in {Matter.DEFAULT_CHANGED, Matter.DEFAULT_MATTERS}:
                was, _, now = (
                    each.text.removeprefix("the default was ").partition(" since ")[0].partition(" and is ")
                )
                assert was != now, each


def test_references_follow_the_options_they_name() -> None:
    text = "[DEFAULT]\nmy_ip = 10.0.0.1\n[ironic]\npartition_key = a\npeer_list = $my_ip,${partition_key}\n"
    done = carry(text)
    assert "peer_list = $my_ip,${conductor_group}\n" in done.text


def test_a_reference_to_what_is_gone_needs_a_decision() -> None:
    done = carry("[DEFAULT]\nstate_path = /x/$use_eventlog\n")
    assert (Matter.REFERENCE_LOST, 2, "state_path") in said(done)


def test_repetitions_are_told_with_both_lines() -> None:
    done = carry("[DEFAULT]\nmy_ip = 1\nmy_ip = 2\n[vnc]\n[DEFAULT]\n[pci]\nalias = {}\nalias = {}\n")
    assert said(done) == [(Matter.OPTION_TWICE, 3, "my_ip"), (Matter.SECTION_TWICE, 5, "")]
    assert "line 2" in done.remarks[0].text


def test_a_section_of_a_plugin_is_told_once() -> None:
    done = carry("[hyperplug]\na = 1\nb = 2\n")
    assert said(done) == [(Matter.SECTION_UNKNOWN, 1, "")]


def test_a_section_that_sets_nothing_is_not_asked_about() -> None:
    assert said(carry("[hyperplug]\n# a = 1\n")) == []


def test_an_option_that_its_library_lists_elsewhere_goes_where_it_was_read() -> None:
    done = carry("[DEFAULT]\nrpc_conn_pool_size = 9\n")
    assert "[oslo_messaging_rabbit]\nrpc_conn_pool_size = 9" in done.text
    assert said(done) == [(Matter.OPTION_MOVED, 2, "rpc_conn_pool_size")]


@pytest.mark.parametrize(
    ("service", "text"),
    [
        (
            "cinder",
            "[DEFAULT]\nenabled_backends = lvm, Fast\n[lvm]\nvolume_driver = x\n[fast]\nhitachi_pools = 1\n",
        ),
        (
            "glance",
            "[DEFAULT]\nenabled_backends = one:file,two:swift\n[one]\nfilesystem_store_datadir = /x\n",
        ),
        ("glance", "[os_glance_tasks_store]\nfilesystem_store_datadir = /x\n"),
        ("nova", "[mdev_nvidia-35]\ndevice_addresses = x\n"),
        ("neutron", "[ml2_arista]\neapi_host = x\n[ml2_type_vlan]\nnetwork_vlan_ranges = a:1:2\n"),
        ("nova", "[keystone_authtoken]\nauth_url = x\nusername = y\npassword = z\nproject_domain_name = d\n"),
    ],
)
def test_sections_with_names_of_the_operator_are_not_strange(service: str, text: str) -> None:
    done = carry(text, service)
    assert said(done) == []
    assert not done.changed


def test_options_in_a_back_end_follow_too() -> None:
    done = carry("[DEFAULT]\nenabled_backends = a\n[a]\nhitachi_pool = 1\n", "cinder")
    assert done.text == "[DEFAULT]\nenabled_backends = a\n[a]\nhitachi_pools = 1\n"


def test_changed_defaults_are_told_and_kept_on_request() -> None:
    text = "[DEFAULT]\n[oslo_messaging_rabbit]\n# end\n"
    told = [each.option for each in carry(text).remarks]
    assert "heartbeat_rate" in told
    assert "enforce_scope" not in told, "the file has no such section"
    kept = carry(text, keep=True)
    lines = kept.text.splitlines()
    assert "heartbeat_rate = 2" in lines
    assert lines[lines.index("heartbeat_rate = 2") - 1].startswith(
        "# skipstone: the default was 2 and is 3 since"
    )
    assert not carry("[DEFAULT]\n[oslo_messaging_rabbit]\nheartbeat_rate = 9\n").changed


def test_the_same_release_changes_nothing() -> None:
    text = "# a\r\n[DEFAULT]\r\nmy_ip : 1 \r\n[ironic]\r\npartition_key = x"
    assert not carry(text, target="zed").changed
