"""Judge configuration files with the oslo.config and the code of a release; runs in the release's own Python.

Reads a question as JSON from stdin: ``files`` in the order in which they are read, ``patterns`` of
namespaces, ``like``: sections whose names an operator chose, with the groups whose options they take, and
``without``: sections that the validator cannot know. Writes the answer as JSON on stdout: what
``oslo-config-validator`` says of each file, and what fails when the release's own options are registered and
all files are loaded. No value of a file is in it.
"""

import contextlib
import fnmatch
import importlib
import importlib.metadata
import json
import logging
import os
import sys
from typing import Any
from unittest.mock import MagicMock

GROUP = "oslo.config.opts"
# what drivers of cinder import, though not for their options, and toolchains lack (2026.2, 2023.1, Train)
DRIVERS = (
    *("googleapiclient", "googleapiclient.discovery", "googleapiclient.errors", "googleapiclient.http"),
    "os_brick.constants",
    "mock",
)
OWN = ("config_file", "config_dir", "config_source")
"""Options that oslo.config registers itself when it is called."""


def stand_in() -> None:
    """Let code be imported that begins with importing a driver's absent library."""
    for name in DRIVERS:
        try:
            importlib.import_module(name)
        except ImportError:
            sys.modules[name] = MagicMock()


def namespaces(patterns: list[str]) -> list[str]:
    """Return the namespaces that fit, without those whose code is gone (neutron.ml2.xenapi of Xena)."""
    found = importlib.metadata.entry_points()
    named = found.select(group=GROUP) if hasattr(found, "select") else found.get(GROUP, ())
    fitting = {
        point.name: point
        for point in named
        if any(fnmatch.fnmatchcase(point.name, pattern) for pattern in patterns)
    }
    return [name for name in sorted(fitting) if _is_there(fitting[name])]


def _is_there(point: Any) -> bool:  # noqa: ANN401 - of another Python
    try:
        point.load()
    except AttributeError:
        return False
    return True


class Heard(logging.Handler):
    """Keeps what oslo-config-validator says: it names section and option apart from its words."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[dict[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record on an option of a section."""
        if record.levelno >= logging.WARNING and isinstance(record.args, tuple) and len(record.args) == 2:  # noqa: PLR2004 - section and option
            section, option = map(str, record.args)
            deprecated = "eprecated" in str(record.msg)
            self.said.append(
                {"section": section, "option": option, "what": "old" if deprecated else "unknown"}
            )


def validated(path: str, names: list[str], without: list[str]) -> list[dict[str, str]]:
    """Return what oslo-config-validator finds in a file; its own main is called."""
    from oslo_config import validator  # noqa: PLC0415 - since Stein

    heard, root = Heard(), logging.getLogger()
    root.addHandler(heard)
    words = [word for name in names for word in ("--namespace", name)]
    words += [word for name in without for word in ("--exclude-group", name)]
    sys.argv = ["oslo-config-validator", *words, "--input-file", path]
    try:
        validator.main()
    finally:
        root.removeHandler(heard)
    return heard.said


def registered(names: list[str], like: dict[str, list[str]]) -> tuple[Any, list[tuple[str, Any]]]:
    """Return a configuration with every option of the namespaces, and the options by group."""
    from oslo_config import cfg, generator  # noqa: PLC0415

    conf, options = cfg.ConfigOpts(), []
    for _, listed in generator._list_opts(names):  # noqa: SLF001 - what the generator itself begins with
        options += [
            (str(getattr(group, "name", group) or "DEFAULT"), each) for group, opts in listed for each in opts
        ]
    options += [("keystone_authtoken", each) for each in plugin_options()]
    options += [(own, each) for own, groups in like.items() for group, each in options if group in groups]
    kept = []
    for group, each in options:
        if group == "DEFAULT" and each.dest in OWN:
            continue
        try:
            conf.register_opt(each, group=None if group == "DEFAULT" else group)
        except cfg.DuplicateOptError:  # two libraries list it: the first counts
            continue
        kept.append((group, each))
    return conf, kept


def plugin_options() -> list[Any]:
    """Return the options of every authentication plugin, each once: keystonemiddleware does not list them."""
    from keystoneauth1 import loading  # noqa: PLC0415

    found: dict[str, Any] = {}
    for plugin in sorted(loading.get_available_plugin_names()):
        for option in loading.get_auth_plugin_conf_options(plugin):
            found.setdefault(option.dest, option)
    return [found[dest] for dest in sorted(found)]


def loaded(files: list[str], names: list[str], like: dict[str, list[str]]) -> list[dict[str, str]]:
    """Return the options that cannot be had once the files are loaded, and why, without their values."""
    from oslo_config import cfg  # noqa: PLC0415

    conf, options = registered(names, like)
    wrong = []
    # the files are read by then; what is required is so only where it is registered (oslo.limit, a plugin)
    with contextlib.suppress(cfg.RequiredOptError, cfg.ConfigFileValueError):
        conf(args=[], default_config_files=files, default_config_dirs=[])
    for group, option in options:
        try:
            getattr(conf if group == "DEFAULT" else conf[group], option.dest)
        except Exception as error:  # noqa: BLE001 - whatever a type raises: its words would hold the value
            # the option itself was registered: what is missing is what its value refers to
            lost = isinstance(error, cfg.NoSuchOptError)
            what, kind = ("reference", "") if lost else ("refused", str(option.type))
            wrong.append({"section": group, "option": option.dest, "what": what, "kind": kind})
    return wrong


def main() -> None:
    """Answer the question."""
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what services print while they are imported is no answer
    asked = json.load(sys.stdin)
    logging.basicConfig(level=logging.ERROR)
    stand_in()
    names = namespaces(asked["patterns"])
    files = [validated(path, names, sorted(asked["without"])) for path in asked["files"]]
    answer.write(json.dumps({"validator": files, "loading": loaded(asked["files"], names, asked["like"])}))
    answer.close()


if __name__ == "__main__":
    main()
