"""``python -m skipstone.impact --spec SPEC.json --out DIR``: probe until SIGTERM.

Started by ``process.start_probes``; exits with the code of the error that stopped it.
"""

import argparse
import asyncio
import logging
import signal
import sys
from pathlib import Path

from pydantic import ValidationError

from skipstone.errors import ExitCode, InputError, SkipstoneError
from skipstone.impact.credentials import CloudAccess
from skipstone.impact.prober import Prober
from skipstone.impact.process import claim, wanted_since
from skipstone.impact.recording import Recording
from skipstone.impact.spec import ProbeSpec


def main(argv: list[str] | None = None) -> int:
    """Probe, or with ``--clean`` only remove what an earlier prober left; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m skipstone.impact", description=__doc__)
    parser.add_argument("--spec", type=Path, required=True, help="what to ask: a ProbeSpec as JSON")
    parser.add_argument("--out", type=Path, required=True, help="directory of the recording")
    parser.add_argument("--clean", action="store_true", help="only remove what an earlier prober left")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        with claim(options.out), Recording.create(options.out) as recording:
            spec = _read(options.spec)
            access = CloudAccess.load_apart(spec.cloud, spec.clouds_file)
            prober = Prober(spec, recording, access, wanted=lambda: wanted_since(options.out))
            asyncio.run(prober.clean() if options.clean else _until_told(prober))
    except SkipstoneError as fault:
        sys.stderr.write("\n".join(filter(None, (f"error: {fault}", fault.evidence, fault.remedy))) + "\n")
        return fault.exit_code
    return ExitCode.DONE


def _read(path: Path) -> ProbeSpec:
    try:
        return ProbeSpec.model_validate_json(path.read_text())
    except (OSError, ValidationError) as fault:
        raise InputError("not a specification of probes", where=str(path), evidence=str(fault)) from fault


async def _until_told(prober: Prober) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await prober.run(stop)


if __name__ == "__main__":
    sys.exit(main())
