import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from skipstone.impact.clock import Clock
from skipstone.impact.instance import BootProbe
from skipstone.impact.sample import Kind, Probe, Reply, Sample
from skipstone.impact.wire import new_http

BOOT = "efb12b2f-3626-44d2-8725-4417ac8010f9"


def asked(status: int, text: str) -> Sample:
    """Return what a boot probe makes of one answer."""

    async def run() -> Sample:
        async def answer(_: web.Request) -> web.Response:
            return web.Response(status=status, text=text)

        app = web.Application()
        app.router.add_get("/", answer)
        async with TestServer(app) as server, new_http(tls=True) as http:
            probe = Probe(1, Kind.BOOT, "id", "vm", "127.0.0.1")
            return await BootProbe(probe, http, Clock(), server.port or 0, 1.0).ask()

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("text", "uptime"),
    [
        (f"boot={BOOT} tick=7 up=727.32\n", 727.32),
        (f"boot={BOOT}\n", None),
        (f'{{"boot_id": "{BOOT}", "uptime_seconds": 727.32}}', 727.32),
        (f'{{"uptime_seconds":12,"boot_id":"{BOOT}"}}', 12.0),
    ],
)
def test_a_boot_id_is_read_from_text_and_from_json(text: str, uptime: float | None) -> None:
    sample = asked(200, text)
    assert (sample.reply, sample.text, sample.uptime) == (Reply.GOOD, BOOT, uptime)


@pytest.mark.parametrize("text", ["", "<html>It works!</html>", "boot=x"])
def test_a_reply_without_one_is_good_and_says_nothing(text: str) -> None:
    sample = asked(200, text)
    assert (sample.reply, sample.text, sample.uptime) == (Reply.GOOD, "", None)


def test_another_status_is_bad() -> None:
    assert (asked(503, "").reply, asked(503, "").text) == (Reply.BAD, "HTTP 503")
