from pathlib import Path

from skipstone.cloud.inventory import Inventory
from skipstone.cloud.local import operator_environment


def test_an_operator_s_command_finds_the_inventory_and_the_cloud(tmp_path: Path) -> None:
    inventory = Inventory(
        name="lab", path=tmp_path / "i.yaml", hosts=(), cloud="lab", clouds_file=tmp_path / "c.yaml"
    )
    found = operator_environment(inventory, {"HOME": "/root", "SKIPSTONE_INVENTORY": "another"})
    assert found["SKIPSTONE_INVENTORY"] == str(tmp_path / "i.yaml")
    assert found["OS_CLOUD"] == "lab"
    assert found["OS_CLIENT_CONFIG_FILE"] == str(tmp_path / "c.yaml")
    assert found["HOME"] == "/root"
