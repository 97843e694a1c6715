from hypothesis import given
from hypothesis import strategies as st

from skipstone.drain.model import Progress
from skipstone.drain.pace import GIB, PASSES, Patience, Watch, deadline, load, longest

PATIENCE = Patience()


def test_nova_s_own_limit_is_kept() -> None:
    assert longest(load(512, 0)) == 1600
    assert longest(load(512, 10)) == 9600
    assert longest(load(65536, 0)) == 51200


def test_the_rate_decides_once_it_is_known() -> None:
    # 16 GiB at 100 MiB/s: four passes take 656 s
    progress = Progress(16 * GIB, 1000 << 20, 15 * GIB)
    assert round(deadline(16, 10, progress, 120) - 120) == round(PASSES * 16 * 1024 / 100)
    assert deadline(16, 10, Progress(), 120) == longest(16)


def watched(rate: int, dirty: int, *, seconds: int, total: int = 4 * GIB) -> str:
    """Return what is said of a migration that carries ``rate``, whose guest writes ``dirty`` bytes/s."""
    watch = Watch(4, PATIENCE, asked=0.0)
    sent, left = 0, float(total)
    for now in range(seconds):
        sent += rate
        left += dirty - rate
        if left <= 0:
            return "done"
        if said := watch.stuck(float(now), Progress(total, sent, int(left))):
            return said
    return ""


@given(rate=st.integers(20 << 20, 2 << 30), share=st.floats(0, 0.7))
def test_what_converges_is_let_be(rate: int, share: float) -> None:
    assert watched(rate, int(rate * share), seconds=5000) == "done"


@given(rate=st.integers(20 << 20, 2 << 30), share=st.floats(1.05, 3))
def test_what_writes_faster_than_the_network_is_stuck(rate: int, share: float) -> None:
    assert "has crossed" in watched(rate, int(rate * share), seconds=5000)


def test_what_carries_nothing_is_stuck() -> None:
    watch = Watch(4, PATIENCE, asked=0.0)
    assert watch.stuck(10.0, Progress(GIB, 100, GIB)) == ""
    assert watch.stuck(159.0, Progress(GIB, 100, GIB)) == ""
    assert "nothing has crossed for 151 s" in watch.stuck(161.0, Progress(GIB, 100, GIB))


def test_what_waits_behind_others_is_not_stuck() -> None:
    watch = Watch(4, PATIENCE, asked=0.0)
    for now in range(0, 9000, 100):
        watch.queued(float(now))
        assert watch.stuck(float(now), Progress()) == ""
    assert watch.stuck(9500.0, Progress()) == ""
    assert watch.stuck(9900.0, Progress())


def test_what_was_told_to_complete_has_one_more_pass() -> None:
    watch = Watch(4, PATIENCE, asked=0.0)
    watch.stuck(0.0, Progress(4 * GIB, 1, 4 * GIB))
    assert round(watch.last_pass(100.0, Progress(4 * GIB, 8 * GIB, GIB))) == round(PATIENCE.grace + 50)


def test_what_never_begins_is_stuck() -> None:
    watch = Watch(4, PATIENCE, asked=0.0)
    assert watch.stuck(899.0, Progress()) == ""
    assert "no byte has crossed" in watch.stuck(901.0, Progress())
