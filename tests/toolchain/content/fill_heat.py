"""Stacks with resources, events and deleted ones among them: written by heat's own objects."""

import sys
import uuid

from heat.common import config, context
from heat.objects import event, raw_template, resource, stack
from oslo_config import cfg

config  # noqa: B018 - registers the options
cfg.CONF([], project="heat", default_config_files=[sys.argv[1]])
admin = context.get_admin_context()
TENANTS = [uuid.uuid4().hex for _ in range(3)]
TEMPLATE = {
    "heat_template_version": "2016-10-14",
    "resources": {"server": {"type": "OS::Nova::Server"}, "volume": {"type": "OS::Cinder::Volume"}},
}


def stack_of(number, owner=None):
    template = raw_template.RawTemplate.create(
        admin, {"template": TEMPLATE, "files": {"a.yaml": "b"}, "environment": {}}
    )
    made = stack.Stack.create(
        admin,
        {
            "id": str(uuid.uuid4()),
            "name": "stack-%d" % number,
            "raw_template_id": template.id,
            "tenant": TENANTS[number % 3],
            "username": "user",
            "action": "CREATE",
            "status": ("COMPLETE", "FAILED")[number % 5 == 4],
            "status_reason": "",
            "disable_rollback": True,
            "convergence": number % 2 == 0,
            "owner_id": owner,
            "nested_depth": 1 if owner else 0,
        },
    )
    for name, known in TEMPLATE["resources"].items():
        add_resource(made, template, name, known["type"])
    return made


def add_resource(owner, template, name, kind):
    physical = str(uuid.uuid4())
    made = resource.Resource.create(
        admin,
        {
            "name": name,
            "uuid": str(uuid.uuid4()),
            "stack_id": owner.id,
            "physical_resource_id": physical,
            "action": "CREATE",
            "status": "COMPLETE",
            "rsrc_metadata": {},
            "root_stack_id": owner.id,
            "current_template_id": template.id,
        },
    )
    event.Event.create(
        admin,
        {
            "stack_id": owner.id,
            "uuid": str(uuid.uuid4()),
            "resource_name": made.name,
            "physical_resource_id": physical,
            "resource_action": "CREATE",
            "resource_status": "COMPLETE",
            "resource_status_reason": "",
            "resource_type": kind,
        },
    )


for number in range(15):
    parent = stack_of(number)
    if number % 4 == 0:
        stack_of(100 + number, owner=parent.id)
    if number % 5 == 3:
        stack.Stack.delete(admin, parent.id)
