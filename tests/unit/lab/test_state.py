from pathlib import Path

import pytest

from skipstone.errors import LabError
from skipstone.lab.place import Place
from skipstone.lab.release import Project
from skipstone.lab.state import LabState, Phase, Wanted, load_state, locked, save_state


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    place = Place(tmp_path)
    wanted = Wanted(release="zed", topology="small", projects=frozenset({Project.HEAT}), mtu=1400)
    state = LabState(wanted=wanted, phase=Phase.STARTING, forward=False)
    assert load_state(place) is None
    save_state(place, state)
    assert load_state(place) == state


def test_two_changing_verbs_exclude_each_other(tmp_path: Path) -> None:
    place = Place(tmp_path / "lab")
    with locked(place), pytest.raises(LabError, match="another lab command"), locked(place):
        pass
    with locked(place):
        pass


def test_a_damaged_state_has_a_remedy(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.state_file.write_text('{"phase": "up"')
    with pytest.raises(LabError, match="damaged") as caught:
        load_state(place)
    assert "lab down" in caught.value.remedy
