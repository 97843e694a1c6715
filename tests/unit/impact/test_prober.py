"""The prober against a fake cloud that breaks."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path

import pytest

from skipstone.errors import SkipstoneError
from skipstone.impact.credentials import CloudAccess
from skipstone.impact.measurement import Impact, measure
from skipstone.impact.outage import Stream
from skipstone.impact.prober import Prober, repeat
from skipstone.impact.process import want_probes, wanted_since
from skipstone.impact.recording import Mark, Recording
from skipstone.impact.sample import Kind
from skipstone.impact.spec import ApiTarget, InstanceTarget, ProbeSpec
from tests.unit.impact.fake_cloud import FakeCloud, clouds_file

PATHS = {
    "keystone": "identity",
    "glance": "image",
    "placement": "placement",
    "nova": "compute",
    "neutron": "network",
    "cinder": "volume",
    "heat": "orchestration",
}


def spec_of(cloud: FakeCloud, directory: Path, **changes: object) -> ProbeSpec:
    facts: dict[str, object] = {
        "cloud": "fake",
        "clouds_file": clouds_file(cloud, directory),
        "apis": tuple(ApiTarget(service=name, url=f"{cloud.url}/{path}") for name, path in PATHS.items()),
        "instances": (InstanceTarget(id="i1", name="vm1", address="127.0.0.1"),),
        "read_interval": 0.1,
        "write_interval": 0.1,
        "ping_interval": 0.05,
        "boot_interval": 0.1,
        "timeout": 0.5,
        "boot_port": int(cloud.url.rsplit(":", 1)[1]),
    }
    return ProbeSpec.model_validate(facts | changes)


async def _begun(recording: Recording, earlier: int, probing: asyncio.Task[None]) -> None:
    """Wait until the prober says that it began, or failed."""
    for _ in range(600):
        if probing.done() or Mark.BEGAN in {note.mark for note in recording.notes()[earlier:]}:
            return
        await asyncio.sleep(0.05)
    pytest.fail("the prober did not begin")


def probe(spec: ProbeSpec, directory: Path, during: Callable[[], Awaitable[None]]) -> Impact:
    """Probe while something happens, and return what was measured."""

    async def run() -> None:
        stop = asyncio.Event()
        access = CloudAccess.load(spec.cloud, spec.clouds_file)
        with Recording.create(directory) as recording:
            began = len(recording.notes())
            probing = asyncio.create_task(Prober(spec, recording, access).run(stop))
            try:
                await _begun(recording, began, probing)
                await during()
            finally:
                stop.set()
                await probing

    asyncio.run(run())
    return measure(directory)


def stream(impact: Impact, service: str, kind: Kind) -> Stream:
    return next(one for one in impact.apis if (one.subject, one.kind) == (service, kind))


def test_a_quiet_cloud_has_no_outage_and_nothing_is_left_in_it(cloud: FakeCloud, tmp_path: Path) -> None:
    impact = probe(spec_of(cloud, tmp_path), tmp_path, lambda: asyncio.sleep(2))
    assert len(impact.apis) == 14
    assert {one.bad for one in impact.apis} == {0}
    assert min(one.asked for one in impact.apis) >= 5
    assert not impact.left_behind
    assert cloud.left == 0
    (instance,) = impact.instances
    assert instance.ping is not None
    assert instance.ping.bad == 0
    assert [boot.boot_id for boot in instance.boots] == [cloud.boot]
    assert not instance.rebooted


def test_writes_change_what_they_write_to(cloud: FakeCloud, tmp_path: Path) -> None:
    probe(spec_of(cloud, tmp_path), tmp_path, lambda: asyncio.sleep(1))
    asked = {(service, method) for service, method, _ in cloud.seen}
    assert {
        ("compute", "POST"),
        ("compute", "DELETE"),
        ("placement", "PUT"),
        ("placement", "DELETE"),
    } <= asked
    assert {("orchestration", "POST"), ("network", "PUT"), ("volume", "PUT"), ("image", "PATCH")} <= asked


@pytest.mark.parametrize(
    ("status", "reason", "late"), [(503, "HTTP 503", 0.7), (None, "no reply in 0.5 s", 2)]
)
def test_an_outage_is_measured_where_it_is(
    cloud: FakeCloud, tmp_path: Path, status: int | None, reason: str, late: float
) -> None:
    """After silence an API is left alone for a while, so the end of it is seen later."""

    async def during() -> None:
        await asyncio.sleep(0.7)
        cloud.broken["compute"] = status
        await asyncio.sleep(1.2)
        del cloud.broken["compute"]
        await asyncio.sleep(late)

    impact = probe(spec_of(cloud, tmp_path), tmp_path, during)
    for kind in (Kind.READ, Kind.WRITE):
        (outage,) = stream(impact, "nova", kind).outages
        assert outage.ended
        assert 0.5 < outage.seconds < 1.2 + late
        assert list(outage.reasons) == [reason]
    assert not stream(impact, "glance", Kind.READ).outages


def test_an_api_that_does_not_answer_is_asked_ever_less_and_at_once_when_it_does(
    cloud: FakeCloud, tmp_path: Path
) -> None:
    """A server works on what nobody waits for: asked on, one that takes long for each would only do that."""

    async def during() -> None:
        cloud.broken["compute"] = None
        await asyncio.sleep(3)
        del cloud.broken["compute"]
        await asyncio.sleep(2.5)

    spec = spec_of(cloud, tmp_path, timeout=0.2)
    nova = stream(probe(spec, tmp_path, during), "nova", Kind.READ)
    assert 2 <= nova.bad <= 5, "0.2 s of silence each, and rests of 0.2, 0.4, 0.8, 1.6 s; it was 15"
    assert nova.asked - nova.bad >= 5
    assert nova.outages[-1].ended


def test_no_question_is_lost_however_long_its_answer_takes(cloud: FakeCloud, tmp_path: Path) -> None:
    # longer than the second between two writes to the disk
    targets = (InstanceTarget(id="i", name="vm", address="127.0.0.1"),)
    spec = spec_of(cloud, tmp_path, timeout=1.1, instances=targets)

    async def during() -> None:
        await asyncio.sleep(0.5)
        cloud.broken |= {"compute": None, "image": None}
        await asyncio.sleep(2.6)
        cloud.broken.clear()
        await asyncio.sleep(4)

    impact = probe(spec, tmp_path, during)
    for name in ("nova", "glance"):
        for kind in (Kind.READ, Kind.WRITE):
            (outage,) = stream(impact, name, kind).outages
            assert outage.reasons.keys() == {"no reply in 1.1 s"}
            # two waits, a rest of one and one of two: while a question waits there is no other
            assert outage.bad == 2
            assert outage.seconds == pytest.approx(5 * 1.1, abs=1)


def test_keystones_outage_is_keystones_alone(cloud: FakeCloud, tmp_path: Path) -> None:
    async def during() -> None:
        await asyncio.sleep(0.5)
        cloud.broken["identity"] = 503
        await asyncio.sleep(0.8)
        del cloud.broken["identity"]
        await asyncio.sleep(0.5)

    impact = probe(spec_of(cloud, tmp_path), tmp_path, during)
    assert {one.subject for one in impact.apis if one.outages} == {"keystone"}
    assert {one.not_asked for one in impact.apis} == {0}


def test_without_a_token_an_api_that_nobody_reaches_is_out_and_another_is_not_asked(
    cloud: FakeCloud, tmp_path: Path
) -> None:
    spec = spec_of(cloud, tmp_path)
    probe(spec, tmp_path, lambda: asyncio.sleep(0.5))

    async def during() -> None:
        await asyncio.sleep(1)
        cloud.broken.clear()
        await asyncio.sleep(2)

    # as when a run goes on in the middle of an upgrade
    cloud.broken |= {"identity": 503, "image": 503}
    impact = probe(spec, tmp_path, during)
    for name in ("keystone", "glance"):
        for kind in (Kind.READ, Kind.WRITE):
            (outage,) = stream(impact, name, kind).outages
            assert outage.ended
            assert outage.reasons.keys() == {"HTTP 503"}
    assert stream(impact, "nova", Kind.READ).excuses.keys() == {"no valid token"}
    assert not stream(impact, "nova", Kind.READ).outages


def test_a_service_that_rejects_every_token_is_out(cloud: FakeCloud, tmp_path: Path) -> None:
    async def during() -> None:
        await asyncio.sleep(0.5)
        cloud.broken["image"] = 401
        await asyncio.sleep(1.5)

    impact = probe(spec_of(cloud, tmp_path), tmp_path, during)
    assert stream(impact, "glance", Kind.READ).outages[0].reasons == {"HTTP 401": pytest.approx(15, abs=8)}


def test_what_a_restored_database_forgot_is_made_again(cloud: FakeCloud, tmp_path: Path) -> None:
    async def during() -> None:
        await asyncio.sleep(1)
        cloud.images.clear()
        await asyncio.sleep(0.5)

    impact = probe(spec_of(cloud, tmp_path), tmp_path, during)
    (outage,) = stream(impact, "glance", Kind.WRITE).outages
    assert outage.ended
    assert outage.bad == 1


def test_a_reboot_is_seen(cloud: FakeCloud, tmp_path: Path) -> None:
    async def during() -> None:
        await asyncio.sleep(1)
        cloud.boot = "0f3c7a1e-boot-two"
        await asyncio.sleep(0.5)

    (instance,) = probe(spec_of(cloud, tmp_path), tmp_path, during).instances
    assert instance.rebooted
    assert [boot.boot_id[-3:] for boot in instance.boots] == ["one", "two"]


def test_addresses_that_never_answered_are_listed_and_not_counted(cloud: FakeCloud, tmp_path: Path) -> None:
    targets = tuple(
        InstanceTarget(id=id_, name=id_, address=address)
        for id_, address in (("a", "127.0.0.1"), ("b", "240.0.0.1"), ("c", "127.0.0.9"), ("d", "127.0.0.9"))
    )
    spec = spec_of(cloud, tmp_path, instances=targets, timeout=0.1)
    impact = probe(spec, tmp_path, lambda: asyncio.sleep(2.5))
    assert [instance.name for instance in impact.instances] == ["a"]
    assert impact.left_out == (
        "b 240.0.0.1: no answer before the start",
        "c 127.0.0.9: several instances have this address",
        "d 127.0.0.9: several instances have this address",
    )


def test_what_cannot_be_removed_is_named(cloud: FakeCloud, tmp_path: Path) -> None:
    async def during() -> None:
        await asyncio.sleep(1)
        cloud.broken["image"] = 503

    impact = probe(spec_of(cloud, tmp_path), tmp_path, during)
    (line,) = impact.left_behind
    assert line.startswith("glance: /v2/images/")
    assert line.endswith("HTTP 503")
    assert cloud.left == 1


def test_a_first_start_without_a_login_says_so(cloud: FakeCloud, tmp_path: Path) -> None:
    spec = spec_of(cloud, tmp_path)
    clouds_file(cloud, tmp_path, password="wrong")
    with pytest.raises(SkipstoneError, match="keystone gives no token"):
        probe(spec, tmp_path, lambda: asyncio.sleep(0))


def test_a_prober_goes_on_while_it_is_wanted_and_ends_when_nobody_has_wanted_it_for_its_hours(
    cloud: FakeCloud, tmp_path: Path
) -> None:
    """So it ends some time after its run has crashed, and not in the middle of a run of several nights."""
    spec = spec_of(cloud, tmp_path, apis=(), hours=2 / 3600)
    ended: list[float] = []

    async def run() -> None:
        with Recording.create(tmp_path) as recording:
            access = CloudAccess.load(spec.cloud, spec.clouds_file)
            prober = Prober(spec, recording, access, wanted=lambda: wanted_since(tmp_path))
            probing = asyncio.create_task(prober.run(asyncio.Event()))
            for _ in range(6):
                want_probes(tmp_path)
                await asyncio.sleep(1)
                ended.append(float(probing.done()))
            await asyncio.wait_for(probing, 20)

    asyncio.run(run())
    assert not any(ended)


def test_repeating_ends_by_itself_and_makes_up_for_nothing() -> None:
    asked: list[float] = []

    async def run() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()

        async def ask() -> None:
            asked.append(loop.time())
            # the second answer takes as long as three questions
            await asyncio.sleep(0.3 if len(asked) == 2 else 0)

        repeating = asyncio.create_task(repeat(ask, 0.1, 0.05, stop))
        await asyncio.sleep(0.75)
        stop.set()
        async with asyncio.timeout(1):
            await repeating

    asyncio.run(run())
    assert 4 <= len(asked) <= 6
    assert min(after - before for before, after in pairwise(asked)) > 0.08
