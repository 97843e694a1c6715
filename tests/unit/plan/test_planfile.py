import json
from hashlib import sha256
from pathlib import Path

import pytest
import yaml

from skipstone.checks.finding import Finding, Severity
from skipstone.errors import InputError, PlanRefused
from skipstone.plan.plan import Plan, Stage
from skipstone.plan.planfile import load_plan, plan_digest, renew_plan, save_plan
from skipstone.steps.configuration import PlaceFile
from skipstone.steps.packages import UpgradePackages
from skipstone.steps.services import WaitForApi
from skipstone.steps.step import Reversibility


def a_plan() -> Plan:
    place = PlaceFile(
        id="prepare.file", title="Place", host="ctl1", deadline=5, estimate=1, path="/etc/x", text="a\nb\n"
    )
    upgrade = UpgradePackages(
        id="packages.ctl1",
        title="Upgrade",
        host="ctl1",
        deadline=5,
        estimate=100,
        reversibility=Reversibility.NONE,
        directory="/var/lib/skipstone/p/apt",
        old_suite="bookworm",
        new_suite="trixie",
    )
    ask = WaitForApi(
        id="packages.ask",
        title="Ask",
        needs=("packages.ctl1",),
        deadline=9,
        estimate=3,
        url="http://192.0.2.1/",
        statuses=(200,),
        server="ctl1",
        units=("nova-api",),
    )
    return Plan(
        id="lab-zed",
        skipstone="0",
        strategy="in-place",
        cloud="lab",
        fingerprint={"cloud": {"release": "0" * 16}},
        source="zed",
        target="epoxy",
        stages=(
            Stage(name="prepare", title="Prepare", steps=(place,)),
            Stage(name="packages", title="Packages", steps=(upgrade, ask)),
        ),
    )


@pytest.fixture
def plan_file(tmp_path: Path) -> Path:
    path = tmp_path / "plan.yaml"
    save_plan(a_plan(), path)
    return path


def test_a_saved_plan_comes_back_whole(plan_file: Path) -> None:
    assert load_plan(plan_file) == a_plan()


def test_the_same_plan_gives_the_same_bytes(plan_file: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    again = tmp_path / "other" / "plan.yaml"
    save_plan(load_plan(plan_file), again)
    assert again.read_bytes() == plan_file.read_bytes()


def test_the_digest_is_that_of_the_whole_plan_as_json() -> None:
    text = json.dumps(a_plan().model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    assert plan_digest(a_plan()) == sha256(text.encode()).hexdigest()


def test_what_was_not_there_before_is_left_out_of_plans() -> None:
    """A run that an earlier Skipstone has begun goes on: its plan has the digest that it had."""
    (stage, _) = a_plan().model_dump(mode="json")["stages"]
    assert stage.keys() == {"name", "title", "steps", "at_once", "per_zone"}
    assert "group" not in stage["steps"][0]


def on_hosts(*names: str) -> Plan:
    plan = a_plan()
    _, stage = plan.stages
    upgrades = tuple(
        stage.steps[0].model_copy(update={"id": f"packages.{name}", "host": name}) for name in names
    )
    return plan.model_copy(update={"stages": (stage.model_copy(update={"steps": upgrades}),)})


def test_a_step_that_is_another_hosts_but_for_its_name_is_shown_once(tmp_path: Path) -> None:
    plan, path = on_hosts("cmp1", "cmp2", "cmp10"), tmp_path / "plan.yaml"
    save_plan(plan, path)
    save_plan(on_hosts("cmp1"), tmp_path / "one.yaml")
    shown = (tmp_path / "one.yaml").read_text().count("dist-upgrade")
    assert path.read_text().count("dist-upgrade") == shown > 0
    assert path.read_text().count("{like: packages.cmp1, host: ") == 2
    assert load_plan(path) == plan


@pytest.mark.parametrize("name", ["false", "null", "5", "id", "exact", "n"])
def test_a_host_may_be_called_as_what_plans_are_written_with(tmp_path: Path, name: str) -> None:
    plan, path = on_hosts(name, "cmp2", "cmp3"), tmp_path / "plan.yaml"
    save_plan(plan, path)
    assert "host: cmp3}" in path.read_text()
    assert load_plan(path) == plan


def test_the_same_finding_on_many_hosts_is_shown_once(tmp_path: Path) -> None:
    old = Finding(id="old", severity=Severity.WARNING, title="Old", evidence="1 < 2", remedy="", where="cmp1")
    found = [old, *(old.model_copy(update={"where": name}) for name in ("cmp2", "cmp3"))]
    other = old.model_copy(update={"evidence": "0 < 2", "where": "cmp4"})
    findings = (*found, other, old.model_copy(update={"where": "cmp5"}))
    plan, path = a_plan().model_copy(update={"findings": findings}), tmp_path / "plan.yaml"
    save_plan(plan, path)
    shown = yaml.safe_load(path.read_text())["findings"]
    assert [one["where"] for one in shown] == [["cmp1", "cmp2", "cmp3"], "cmp4", "cmp5"]
    assert load_plan(path) == plan


def test_what_differs_otherwise_is_told(tmp_path: Path) -> None:
    plan, path = on_hosts("cmp1", "cmp2", "cmp3"), tmp_path / "plan.yaml"
    (stage,) = plan.stages
    first, second, third = stage.steps
    steps = (
        first,
        second.model_copy(update={"estimate": 3, "new_suite": "cmp1"}),
        third.model_copy(update={"needs": ("packages.cmp1",)}),
    )
    plan = plan.model_copy(update={"stages": (stage.model_copy(update={"steps": steps}),)})
    save_plan(plan, path)
    assert "{like: packages.cmp1, host: cmp2, but: {estimate: 3, new_suite: cmp1}}" in path.read_text()
    assert "id: packages.cmp3" in path.read_text(), "one need more is more than another value"
    assert load_plan(path) == plan


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("{like: packages.cmp1, host: cmp2}", "{like: packages.cmp3, host: cmp2}", "damaged"),
        ("{like: packages.cmp1, host: cmp2}", "{like: packages.cmp1, host: cmp4}", "changed"),
        ("{like: packages.cmp1, host: cmp2}", "{like: packages.cmp1}", "damaged"),
        (
            "{like: packages.cmp1, host: cmp2}",
            "{like: packages.cmp1, host: cmp2, but: {deadline: 1}}",
            "changed",
        ),
        (
            "{like: packages.cmp1, host: cmp2}",
            "{like: packages.cmp1, host: cmp2, but: {no.thing: 1}}",
            "damaged",
        ),
    ],
)
def test_an_edited_likeness_is_refused(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = tmp_path / "plan.yaml"
    save_plan(on_hosts("cmp1", "cmp2"), path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(PlanRefused, match=says):
        load_plan(path)


def test_estimate_follows_the_longest_chain() -> None:
    assert a_plan().stages[1].estimate == 103
    assert a_plan().point_of_no_return == "packages.ctl1"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("dist-upgrade", "dist-upgrade --allow-downgrades", "packages.ctl1"),
        ("deadline: 9", "deadline: 90", "changed"),
        ("target: epoxy", "target: caracal", "changed"),
        ("kind: place-file", "kind: place-bomb", "place-bomb"),
        ("format: 1", "format: 2", "damaged"),
        ("id: prepare.file", "id: prepare.other", "changed"),
    ],
)
def test_an_edited_plan_is_refused(plan_file: Path, old: str, new: str, says: str) -> None:
    text = plan_file.read_text()
    assert old in text
    plan_file.write_text(text.replace(old, new))
    with pytest.raises(PlanRefused, match=says):
        load_plan(plan_file)


def test_a_plan_of_another_version_is_renewed_and_stays_the_same_plan(plan_file: Path) -> None:
    plan_file.write_text(plan_file.read_text().replace("dist-upgrade", "full-upgrade"))
    with pytest.raises(PlanRefused) as caught:
        load_plan(plan_file)
    assert "skipstone renew" in caught.value.remedy
    renewed, difference = renew_plan(plan_file)
    assert plan_digest(renewed) == plan_digest(a_plan())
    assert "--- packages.ctl1 apply" in difference
    changed = [line for line in difference.splitlines() if line.startswith("+") and "dist-upgrade" in line]
    assert changed
    save_plan(renewed, plan_file)
    assert renew_plan(plan_file) == (load_plan(plan_file), "")


def test_a_plan_with_edited_parameters_is_not_renewed(plan_file: Path) -> None:
    plan_file.write_text(plan_file.read_text().replace("deadline: 9", "deadline: 90"))
    with pytest.raises(PlanRefused, match="changed"):
        renew_plan(plan_file)


@pytest.mark.parametrize("text", ["", "- a\n", "a: [", "hosts: {}\n", "\x00"])
def test_a_file_that_is_no_plan_is_an_input_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load_plan(path)
    assert caught.value.where == str(path)


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        load_plan(tmp_path / "no.yaml")
