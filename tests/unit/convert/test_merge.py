"""The distribution's new file with what is the operator's: nothing of his lost, nothing twice, no marks."""

from functools import cache

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from skipstone.catalog import load_catalog
from skipstone.convert.conversion import Conversion, convert
from skipstone.convert.inifile import Kind, parse
from skipstone.convert.merge import Shipped, merge
from skipstone.convert.options import OptionHistory, ReleaseOptions, load_history
from skipstone.convert.remark import Matter

OLD = """\
[DEFAULT]

# Old words on the address. (string value)
#my_ip = <host_ipv4>

# Where the files are. (string value)
state_path = /var/lib/nova

[vnc]

# Old words on consoles. (boolean value)
#enabled = true
"""
NEW = """\
[DEFAULT]

# New words on the address. (string value)
#my_ip = <host_ipv4>

# Where the files are. (string value)
state_path = /var/lib/nova

[vnc]

# New words on consoles. (boolean value)
#enabled = true

[workarounds]

# New. (boolean value)
#disable_rootwrap = false
"""


@cache
def nova() -> tuple[OptionHistory, tuple[ReleaseOptions, ...]]:
    catalog, history = load_catalog(), load_history("nova")
    return history, history.between(catalog.release("zed"), catalog.release("2025.1"))


def merged(ours: str, new: str = NEW, base: str | None = None) -> Conversion:
    history, way = nova()
    shipped = Shipped("nova.conf.dpkg-dist", new, base)
    (conversion,) = convert({"nova.conf": ours}, history, way)
    done = merge(conversion, shipped, history, way)
    (again,) = convert({"nova.conf": done.text}, history, way)
    assert merge(again, shipped, history, way).text == done.text, "merging a merged file changes it"
    return done


def said(done: Conversion) -> list[tuple[Matter, int | None, str]]:
    matters = {Matter.MERGE_CONFLICT, Matter.SETTING_FOLLOWED, Matter.COMMENT_LEFT}
    return [(each.matter, each.line, each.option) for each in done.remarks if each.matter in matters]


@pytest.mark.parametrize("base", [OLD, None])
def test_a_file_that_nobody_touched_becomes_the_new_one(base: str | None) -> None:
    assert merged(OLD, base=base).text == NEW


@pytest.mark.parametrize("base", [OLD, None])
def test_settings_stand_below_their_samples_with_his_comments(base: str | None) -> None:
    ours = OLD.replace(
        "#my_ip = <host_ipv4>\n", "#my_ip = <host_ipv4>\n# rack 7\n#my_ip = 9\nmy_ip = 10.0.0.1\n"
    )
    done = merged(ours, base=base)
    wanted = "#my_ip = <host_ipv4>\n# rack 7\n#my_ip = 9\nmy_ip = 10.0.0.1\n"
    assert done.text == NEW.replace("#my_ip = <host_ipv4>\n", wanted)
    assert Matter.MERGE_CONFLICT not in {each.matter for each in done.remarks}


def test_what_the_new_file_does_not_show_stands_at_the_end_of_its_section() -> None:
    ours = "# mine\n\n[DEFAULT]\n# below\nhost = a\n# last\n\n# -- cache --\n[cache]\nbackend = b\n"
    done = merged(ours, base=OLD)
    assert done.text.startswith("# mine\n\n[DEFAULT]\n")
    assert "state_path: the distribution sets it, and you took it out\n# state_path = " in done.text
    assert "\n\n# below\nhost = a\n# last\n\n[vnc]\n" in done.text
    assert done.text.endswith("\n\n# -- cache --\n[cache]\nbackend = b\n")


def test_a_renamed_option_finds_its_new_place_and_a_removed_one_stays_a_comment() -> None:
    new = "[DEFAULT]\n#use_journal = false\n[ironic]\n#conductor_group = <None>\n#peer_list =\n"
    done = merged("[DEFAULT]\nuse_eventlog = 3\n[ironic]\npartition_key = a\n", new, "[DEFAULT]\n")
    assert "#conductor_group = <None>\nconductor_group = a\n#peer_list" in done.text
    assert "# use_eventlog = 3\n\n[ironic]" in done.text


@pytest.mark.parametrize(
    ("ours", "new", "base", "stands", "matter"),
    [
        ("a", "b", "a", "b", Matter.SETTING_FOLLOWED),
        ("a", "b", "b", "a", None),
        ("a", "b", "c", "a", Matter.MERGE_CONFLICT),
        ("a", "b", None, "a", Matter.MERGE_CONFLICT),
        ("a", "b", "", "a", Matter.MERGE_CONFLICT),
        ("a", "a", "b", "a", None),
        ("", "b", None, "b", Matter.MERGE_CONFLICT),
        ("", "b", "", "b", Matter.SETTING_FOLLOWED),
        ("", "b", "b", "", None),
        ("", "c", "b", "", Matter.MERGE_CONFLICT),
        ("a", "", "a", "", Matter.SETTING_FOLLOWED),
        ("a", "", "b", "a", None),
        ("a", "", None, "a", None),
    ],
)
def test_whose_setting_stands(
    ours: str, new: str, base: str | None, stands: str, matter: Matter | None
) -> None:
    def text(value: str | None) -> str:
        return f"[DEFAULT]\nhost = {value}\n" if value else "[DEFAULT]\n"

    done = merged(text(ours), text(new), None if base is None else text(base))
    values = [line.value for line in parse(done.text, "x") if line.kind is Kind.OPTION]
    assert values == ([stands] if stands else [])
    assert [each[0] for each in said(done)] == ([matter] if matter else [])
    assert all("nova.conf.dpkg-dist" in each.text for each in done.remarks if each.matter is matter)


def test_a_conflict_names_both_lines_and_no_value() -> None:
    done = merged("[DEFAULT]\n\nhost = hunter2\n", "[DEFAULT]\nhost = swordfish\n", "[DEFAULT]\nhost = x\n")
    (conflict,) = (each for each in done.remarks if each.matter is Matter.MERGE_CONFLICT)
    assert (conflict.line, "line 2 of nova.conf.dpkg-dist" in conflict.text) == (3, True)
    assert "hunter2" not in conflict.text + done.name
    assert "swordfish" not in conflict.text
    assert done.text == "[DEFAULT]\nhost = hunter2\n"


def test_without_the_old_file_help_that_is_left_out_is_told_with_its_lines() -> None:
    done = merged(OLD)
    assert said(done) == [(Matter.COMMENT_LEFT, 3, "")]
    assert "lines 3, 11 " in next(each.text for each in done.remarks if each.matter is Matter.COMMENT_LEFT)


def test_options_that_add_up_stay_together() -> None:
    ours = "[pci]\n# one\nalias = {1}\n# two\nalias = {2}\n"
    assert "#alias =\n# one\nalias = {1}\n# two\nalias = {2}\n" in merged(ours, "[pci]\n#alias =\n").text


LINE = st.sampled_from(
    ["my_ip = 1", "host = 2\n  3", "state_path=4", "# mine", "#", "", "# my_ip = 5", "#host = 6", "odd = 7"]
)
PART = st.tuples(st.sampled_from(["[DEFAULT]", "[vnc]", "[mine]"]), st.lists(LINE, max_size=5))
FILE = st.lists(PART, max_size=4).map(
    lambda parts: "".join(f"{head}\n" + "".join(f"{line}\n" for line in lines) for head, lines in parts)
)
"""Files of a few lines that mean something to each other."""


@settings(max_examples=60, deadline=None)
@example("[DEFAULT]\n# mine\n\n#\n# mine\n[DEFAULT]\n", "", None)
@given(FILE, FILE, st.one_of(st.none(), FILE))
def test_any_three_files_become_one_that_is_stable_and_loses_nothing(
    ours: str, new: str, base: str | None
) -> None:
    done = merged(ours, new, base)
    result = parse(done.text, "merged")
    before = {(line.section, line.key, line.value) for line in parse(ours, "o") if line.kind is Kind.OPTION}
    theirs = {(line.section, line.key, line.value) for line in parse(new, "n") if line.kind is Kind.OPTION}
    after = {(line.section, line.key, line.value) for line in result if line.kind is Kind.OPTION}
    assert after <= before | theirs
    followed = {each.option for each in done.remarks if each.matter is Matter.SETTING_FOLLOWED}
    assert {each for each in before - after if each[1] not in followed} == set()
    if "# mine" in ours and "# mine" not in (base or ""):
        assert "# mine" in done.text
