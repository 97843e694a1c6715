"""What the asking program takes out of an API's answers."""

from skipstone.rehearsal.scripts.ask import reduced, rows

SERVER = {
    "id": "1",
    "image": "",
    "OS-EXT-STS:vm_state": "active",
    "addresses": {"a": [{"addr": "10.0.0.1"}, {"addr": "10.0.0.2"}], "b": [{"addr": "fd00::1"}]},
    "os-extended-volumes:volumes_attached": [{"id": "v"}],
}


def test_rows_of_a_list() -> None:
    assert list(rows({"servers": [{"id": 1}, {"id": 2}]}, ["servers"], {})) == [{"id": 1}, {"id": 2}]


def test_rows_of_objects_keep_the_keys_that_lead_to_them() -> None:
    answer = {"allocations": {"c1": {"resources": {"VCPU": 2, "DISK_GB": 5}}, "c2": {"resources": {}}}}
    steps = ["allocations", "<consumer>", "resources", "<class>"]
    assert list(rows(answer, steps, {"parent": "p"})) == [
        {"value": 2, "parent": "p", "consumer": "c1", "class": "VCPU"},
        {"value": 5, "parent": "p", "consumer": "c1", "class": "DISK_GB"},
    ]


def test_fields_below_objects_and_in_lists() -> None:
    fields = ["id", "image.id", "OS-EXT-STS:vm_state", "addresses.*.*.addr", "nowhere", "user.id|id"]
    fields += ["os-extended-volumes:volumes_attached.*.id"]
    assert reduced(SERVER, fields) == {
        "id": "1",
        "image.id": None,
        "OS-EXT-STS:vm_state": "active",
        "addresses.*.*.addr": ["10.0.0.1", "10.0.0.2", "fd00::1"],
        "nowhere": None,
        "user.id|id": "1",
        "os-extended-volumes:volumes_attached.*.id": ["v"],
    }
