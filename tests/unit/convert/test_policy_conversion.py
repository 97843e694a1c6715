"""Policy carried over made-up releases: each case that an operator meets, and what the new file says."""

from collections.abc import Mapping
from typing import Any

import yaml

from skipstone.catalog import load_catalog
from skipstone.convert.policy.catalog import RuleHistory
from skipstone.convert.policy.conversion import PolicyConversion, convert
from skipstone.convert.policy.enforcement import Enforcement
from skipstone.convert.remark import Matter

RELEASES = ("xena", "yoga", "zed", "antelope")
ADMIN, MEMBER, READER = ({"check": f"role:{role}"} for role in ("admin", "member", "reader"))
GET = {"operations": [["GET", "/things"]]}

HISTORY: Mapping[str, Mapping[str, Any]] = {
    "admin_only": {"xena": ADMIN, "zed": None},
    "thing:get": {"xena": MEMBER | GET, "antelope": READER | GET},
    # new default in zed, beside which the old one counts until antelope
    "thing:list": {
        "xena": MEMBER | GET,
        "zed": READER | GET | {"old": ["thing:list", "role:member"]},
        "antelope": READER | GET,
    },
    "thing:put": {"xena": MEMBER, "yoga": None},
    # split in yoga, whose old name is forgotten in antelope
    "thing:change": {"xena": ADMIN, "yoga": None},
    "thing:update": {"yoga": ADMIN | {"old": ["thing:change", "role:admin"]}, "antelope": ADMIN},
    "thing:rename": {"yoga": ADMIN | {"old": ["thing:change", "role:admin"]}, "antelope": ADMIN},
    # renamed twice
    "thing:a": {"xena": ADMIN, "yoga": None},
    "thing:b": {"yoga": ADMIN | {"old": ["thing:a", "role:admin"]}, "zed": None},
    "thing:c": {"zed": ADMIN | {"old": ["thing:b", "role:admin"]}},
    # renamed, with another default than before
    "thing:show": {"xena": ADMIN, "yoga": None},
    "thing:read": {"yoga": MEMBER | {"old": ["thing:show", "role:admin"]}},
    "thing:new": {"antelope": ADMIN},
    "thing:last": {"xena": {"check": "role:admin", "removal": True, "reason": "Nobody wants it."}},
}


def carried(
    text: str | Mapping[str, str],
    target: str = "antelope",
    *,
    source: str = "xena",
    take: bool = False,
    new: bool = True,
    ignoring: bool = False,
) -> PolicyConversion:
    history = RuleHistory("thing", RELEASES, HISTORY)
    catalog = load_catalog()
    way = history.between(catalog.release(source), catalog.release(target))
    enforced = {
        each.release: Enforcement(
            new_defaults=new, scope=False, file="policy.yaml", repetitions_ignored=ignoring
        )
        for each in way
    }
    files = {"policy.yaml": text} if isinstance(text, str) else text
    return convert(files, history, way, enforced, take=take)


def told(conversion: PolicyConversion) -> list[tuple[Matter, int | None, str]]:
    return [(each.matter, each.line, each.option) for file in conversion.files for each in file.remarks]


def rules(conversion: PolicyConversion) -> dict[str, object]:
    return {
        name: value for file in conversion.files for name, value in (yaml.safe_load(file.text) or {}).items()
    }


def test_a_rule_has_its_new_name_and_its_own_quotes_check_and_comments() -> None:
    done = carried("# mine\n'thing:a' :   role:x   # why\nthing:get: role:y\n")
    assert done.files[0].text == "# mine\n'thing:c' :   role:x   # why\nthing:get: role:y\n"
    assert told(done) == [(Matter.RULE_RENAMED, 2, "thing:a")]
    assert "since Zed" in done.files[0].remarks[0].text


def test_a_name_that_is_written_with_escapes_is_followed() -> None:
    assert carried('"thing\\x3aa": role:x  # why\n').files[0].text == '"thing:c": "role:x"\n'


def test_a_rule_that_became_several_stands_for_each() -> None:
    done = carried("thing:change: >-\n  role:x\n  or role:y")
    assert rules(done) == {"thing:rename": "role:x or role:y", "thing:update": "role:x or role:y"}
    assert carried("thing:change: role:x\nthing:rename: role:z\n").files[0].text == (
        "thing:update: role:x\nthing:rename: role:z\n"
    )


def test_an_alias_of_the_new_rule_is_not_taken_for_an_override() -> None:
    done = carried("thing:a: rule:thing:b\n", "yoga")
    assert rules(done) == {}
    assert told(done) == [(Matter.RULE_REDUNDANT, 1, "thing:a")]


def test_a_rule_that_is_gone_is_a_comment_with_its_release() -> None:
    done = carried("thing:put: role:x\n")
    assert done.files[0].text == (
        "# skipstone: thing:put: no request asks for it since Yoga\n# thing:put: role:x\n"
    )
    assert done.files[0].undecided


def test_the_new_name_outdoes_the_old_one() -> None:
    done = carried("thing:a: role:x\nthing:b: role:y\n", "yoga")
    assert rules(done) == {"thing:b": "role:y"}
    assert told(done) == [(Matter.RULE_SHADOWED, 1, "thing:a"), (Matter.RULE_WAKES, 2, "thing:b")]


def test_a_rule_that_is_the_default_is_a_comment() -> None:
    done = carried("thing:get: 'role:reader'\nthing:update: ( role:admin )\n", source="yoga")
    assert rules(done) == {}
    assert [matter for matter, _, _ in told(done)] == [Matter.RULE_REDUNDANT] * 2
    assert not done.files[0].undecided


def test_a_default_that_keeps_a_deprecated_one_out_is_not_redundant() -> None:
    text = "thing:list: role:reader\n"
    assert told(carried(text, "zed", new=True)) == [(Matter.RULE_REDUNDANT, 1, "thing:list")]
    kept = carried(text, "zed", new=False)
    assert kept.files[0].text == text
    assert told(kept) == [(Matter.RULE_GUARDS, 1, "thing:list")]


def test_a_repeated_old_default_is_kept_unless_new_ones_are_wanted() -> None:
    text = "thing:get: role:member\nthing:list: role:mine\n"
    kept = carried(text)
    assert kept.files[0].text == text
    assert told(kept) == [(Matter.RULE_PINNED, 1, "thing:get")]
    assert rules(carried(text, take=True)) == {"thing:list": "role:mine"}
    needed = "admin_only: role:admin\nthing:get: rule:admin_only\n"
    assert rules(carried(needed, take=True)) == {"admin_only": "role:admin", "thing:get": "rule:admin_only"}


def test_an_old_default_by_its_old_name_does_not_begin_to_count() -> None:
    text = "thing:show: role:admin\n"
    done = carried(text, source="yoga", ignoring=True)
    assert rules(done) == {}
    assert told(done) == [(Matter.RULE_REDUNDANT, 1, "thing:show")]
    assert "for Yoga it is not thing:read" in done.files[0].remarks[0].text
    needed = f"{text}thing:get: rule:thing:show\n"
    assert carried(needed, source="yoga", ignoring=True).files[0].text == needed


def test_an_old_default_that_counts_stays() -> None:
    text, news = "thing:show: role:admin\n", {"thing:read": "role:admin"}
    assert rules(carried(text, source="yoga")) == news
    assert rules(carried(text, source="xena", ignoring=True)) == news
    other = carried("thing:show: role:mine\n", source="yoga", ignoring=True)
    assert rules(other) == {"thing:read": "role:mine"}


def test_what_others_refer_to_is_kept_or_written_down() -> None:
    done = carried("thing:get: rule:mine or rule:admin_only\nmine: rule:theirs\ntheirs: role:x\n")
    assert rules(done) == {
        "thing:get": "rule:mine or rule:admin_only",
        "mine": "rule:theirs",
        "theirs": "role:x",
        "admin_only": "role:admin",
    }
    assert told(done) == [(Matter.RULE_DEFINED, None, "admin_only")]
    own = carried("admin_only: role:me\nthing:get: rule:admin_only\n")
    assert rules(own) == {"admin_only": "role:me", "thing:get": "rule:admin_only"}
    assert Matter.RULE_REMOVED in {matter for matter, _, _ in told(carried("admin_only: role:me\n"))}


def test_what_is_asked_for_by_nobody_is_told_with_the_nearest_name() -> None:
    done = carried("thing:gett: role:x\nthing:new: role:y\nthing:get: rule:nowhere\n")
    assert rules(done) == {"thing:gett": "role:x", "thing:new": "role:y", "thing:get": "rule:nowhere"}
    assert told(done) == [
        (Matter.RULE_UNKNOWN, 1, "thing:gett"),
        (Matter.RULE_WAKES, 2, "thing:new"),
        (Matter.RULE_LOST, 3, "thing:get"),
    ]
    assert "thing:get?" in done.files[0].remarks[0].text
    assert told(carried("thing:put: role:x\n", source="zed")) == [(Matter.RULE_DEAD, 1, "thing:put")]


def test_no_check_and_a_rule_about_to_go_are_told() -> None:
    assert told(carried("thing:get:\nthing:last: role:x\n")) == [
        (Matter.RULE_OPEN, 1, "thing:get"),
        (Matter.RULE_DEPRECATED, 2, "thing:last"),
    ]


def test_of_several_files_the_last_counts() -> None:
    files = {"policy.yaml": "thing:get: role:x\n", "policy.d/10": "thing:get: role:reader\n"}
    done = carried(files)
    # as a default it would be redundant, and is so once the other is a comment
    assert rules(done) == {}
    assert told(done) == [(Matter.RULE_SHADOWED, 1, "thing:get"), (Matter.RULE_REDUNDANT, 1, "thing:get")]


def test_json_becomes_yaml_and_is_told() -> None:
    done = carried({"policy.json": '{"thing:a": "role:x"}'})
    assert done.files[0].text == '"thing:c": "role:x"\n'
    assert (Matter.POLICY_FILE, None, "") in told(done)
    same = carried({"policy.json": '{"thing:a": "role:x",\n "thing:get": "role:member"}'}, "xena")
    assert same.files[0].text == '"thing:a": "role:x"\n"thing:get": "role:member"\n'


def test_the_same_release_changes_nothing() -> None:
    text = "thing:get: role:member\nthing:put: rule:gone\nthing:gett: role:x"
    same = carried(text, "xena")
    assert same.files[0].text == text
    assert not same.files[0].changed
    assert len(same.stages) == 1
