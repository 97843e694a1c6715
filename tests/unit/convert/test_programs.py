"""What starts the services: uWSGI files, units and paste files for releases that lack what they name."""

import pytest

from skipstone.catalog import load_catalog
from skipstone.convert.carrying import carry
from skipstone.convert.conversion import Conversion
from skipstone.convert.options import load_history
from skipstone.convert.programs import Factory, Need, Script, load_programs
from skipstone.convert.remark import Matter
from skipstone.errors import InputError
from skipstone.views.conversion_page import render

UWSGI = """\
# ours
[uwsgi]
name = nova-api
processes = 16
wsgi-file = /usr/bin/nova-api-wsgi
\t
exec-asap = /bin/true
"""
UNIT = """\
[Unit]
Description=nova-api

[Service]
Environment=OS_PASSWORD=hunter2hunter2
ExecStart=/usr/bin/uwsgi --http-socket :8774 \\
    --wsgi-file /opt/nova/bin/nova-api-wsgi
ExecReload=/bin/kill -HUP $MAINPID
"""
PASTE = """\
[composite:osapi_volume]
use = call:cinder.api:root_app_factory
/: apiversions
/v2: openstack_volume_api_v2
/v3: openstack_volume_api_v3

[composite:openstack_volume_api_v2]
use = call:cinder.api.middleware.auth:pipeline_factory
keystone = cors mine apiv2

[composite:openstack_volume_api_v3]
use = call:cinder.api.middleware.auth:pipeline_factory
keystone = cors mine apiv3

[app:apiv2]
paste.app_factory = cinder.api.v2.router:APIRouter.factory

[app:apiv3]
paste.app_factory = cinder.api.v3.router:APIRouter.factory

[filter:mine]
paste.filter_factory = our.module:Filter.factory
"""


def carried(text: str, service: str, source: str, target: str) -> Conversion:
    catalog, history = load_catalog(), load_history(service)
    way = history.between(catalog.release(source), catalog.release(target))
    (done,) = carry({"file": text}, history, way)
    (again,) = carry({"file": done.text}, history, way)
    assert again.text == done.text, "converting a converted file changes it"
    (same,) = carry({"file": text}, history, way[:1])
    assert same.text == text, "the same release changes it"
    return done


def matters(done: Conversion) -> list[tuple[Matter, int | None]]:
    return [(each.matter, each.line) for each in done.remarks]


def test_a_script_of_uwsgi_becomes_the_module_and_nothing_else_changes() -> None:
    done = carried(UWSGI, "nova", "2025.1", "2026.1")
    old, new = "wsgi-file = /usr/bin/nova-api-wsgi", "module = nova.wsgi.osapi_compute:application"
    assert done.text == UWSGI.replace(old, new)
    assert matters(done) == [(Matter.PROGRAM_REPLACED, 5)]


def test_a_script_that_is_still_there_stays_and_its_end_is_told() -> None:
    done = carried(UWSGI, "nova", "zed", "2025.1")
    assert not done.changed
    assert matters(done) == [(Matter.PROGRAM_LEAVES, 5)]
    assert matters(carried(UWSGI, "nova", "zed", "2024.1")) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("wsgi-file=/v/bin/keystone-wsgi-public", "module=keystone.wsgi.api:application"),
        ("mount = /identity=/v/bin/keystone-wsgi-public", "mount = /identity=keystone.wsgi.api:application"),
        ("wsgi-file = /v/bin/keystone-wsgi-admin\r", "module = keystone.wsgi.api:application\r"),
    ],
)
def test_every_way_to_name_a_script_is_followed(before: str, after: str) -> None:
    done = carried(f"[uwsgi]\n{before}\n", "keystone", "zed", "2025.2")
    assert done.text == f"[uwsgi]\n{after}\n"


def test_neutron_gets_the_moment_of_its_start() -> None:
    done = carried("[uwsgi]\nwsgi-file = /usr/bin/neutron-api", "neutron", "zed", "2025.1")
    assert done.text.endswith(
        "neutron-api\n# skipstone: start-time: neutron needs it since 2025.1 Epoxy\nstart-time = %t\n"
    )
    assert not carried(
        "[uwsgi]\nmodule = neutron.wsgi.api:application\nstart-time=%t\n", "neutron", "zed", "2026.1"
    ).changed


def test_a_unit_runs_the_module_and_one_without_a_server_needs_a_decision() -> None:
    done = carried(UNIT, "nova", "2025.1", "2026.1")
    assert done.text == UNIT.replace(
        "--wsgi-file /opt/nova/bin/nova-api-wsgi", "--module nova.wsgi.osapi_compute:application"
    )
    alone = carried(
        "[Service]\nExecStart=\nExecStart=-/usr/bin/neutron-server --config-file /etc/x\n",
        "neutron",
        "zed",
        "2025.2",
    )
    assert matters(alone) == [(Matter.PROGRAM_GONE, 3)]
    assert "neutron-rpc-server" in alone.remarks[0].text
    assert not alone.changed


def test_names_and_paths_of_files_are_no_programs() -> None:
    text = "[Service]\nExecStart=/etc/init.d/nova-api systemd-start --log-file /var/log/nova-api\n"
    assert matters(carried(text, "nova", "zed", "2026.1")) == []


def test_what_paste_cannot_load_is_taken_out_with_all_that_leads_to_it() -> None:
    done = carried(PASTE, "cinder", "victoria", "zed")
    gone = [line for line in PASTE.splitlines() if line not in done.text.splitlines()]
    assert gone == [
        "/v2: openstack_volume_api_v2",
        "keystone = cors mine apiv2",
        "paste.app_factory = cinder.api.v2.router:APIRouter.factory",
    ]
    assert done.text.count("# skipstone: ") == 4
    assert matters(done) == [
        (Matter.PASTE_CUT, 4),
        (Matter.PASTE_CUT, 8),
        (Matter.PASTE_CUT, 9),
        (Matter.FACTORY_GONE, 16),
    ]
    assert "\n[filter:mine]\npaste.filter_factory = our.module:Filter.factory\n" in done.text


@pytest.mark.parametrize(
    "text",
    [
        "[loggers]\nkeys = root\n[handlers]\nkeys = x\n[formatters]\nkeys = y\n[handler_x]\nargs = ('a',)\n",
        "[DEFAULT]\nfilters_path=/etc/nova/rootwrap.d\nexec_dirs=/sbin,/bin\nuse_syslog=False\n",
        "[Filters]\nmount: CommandFilter, mount, root\n",
    ],
)
def test_files_of_logging_and_of_rootwrap_stay(text: str) -> None:
    done = carried(text, "nova", "zed", "2026.1")
    assert not done.changed
    assert done.remarks == ()


def test_a_unit_shows_no_secret_of_its_environment() -> None:
    done = carried(UNIT, "nova", "2025.1", "2026.1")
    assert done.changed
    assert "hunter2" not in render([done], "x")


def test_another_services_starter_is_refused() -> None:
    with pytest.raises(InputError, match="starts nova, not cinder"):
        carried(UWSGI, "cinder", "zed", "2025.1")


def test_every_fact_names_releases_and_services_of_the_catalog() -> None:
    catalog, known = load_catalog(), load_programs()
    facts: list[Script | Factory | Need] = [*known.scripts.values(), *known.factories.values(), *known.needs]
    for fact in facts:
        assert catalog.release(fact.since)
        assert catalog.service(fact.service)
    for script in known.scripts.values():
        assert bool(script.module) != bool(script.instead)
        assert not script.module or catalog.release(script.offered) < catalog.release(script.since)
