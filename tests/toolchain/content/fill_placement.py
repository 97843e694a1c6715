"""Providers with inventories, traits, aggregates and allocations: put through the release's own API."""

import json
import sys
import uuid

import webob
from oslo_config import cfg
from oslo_policy import opts
from placement import conf, db_api, deploy

config = cfg.ConfigOpts()
conf.register_opts(config)
opts.set_defaults(config)
config([], project="placement", default_config_files=[sys.argv[1]])
config.set_override("auth_strategy", "noauth2", group="api")
db_api.configure(config)
api = deploy.loadapp(config)


def put(path, body, method="PUT"):
    request = webob.Request.blank(path, method=method, environ={"REMOTE_ADDR": ""})
    request.headers.update(
        {
            "x-auth-token": "admin:admin",
            "content-type": "application/json",
            "openstack-api-version": "placement 1.28",
        }
    )
    request.body = json.dumps(body).encode()
    answer = request.get_response(api)
    if answer.status_int >= 300:
        raise SystemExit("%s: %s" % (path, answer.text))


def provider(number):
    known = str(uuid.uuid4())
    put("/resource_providers", {"name": "compute-%d" % number, "uuid": known}, "POST")
    inventories = {"VCPU": {"total": 64}, "MEMORY_MB": {"total": 262144}, "DISK_GB": {"total": 2000}}
    at = "/resource_providers/" + known
    put(at + "/inventories", {"resource_provider_generation": 0, "inventories": inventories})
    put(at + "/traits", {"resource_provider_generation": 1, "traits": ["HW_CPU_X86_VMX", "CUSTOM_GOLD"]})
    put(at + "/aggregates", {"resource_provider_generation": 2, "aggregates": [str(uuid.uuid4())]})
    return known


put("/traits/CUSTOM_GOLD", {})
put("/resource_classes/CUSTOM_FPGA", {})
providers = [provider(number) for number in range(5)]
for number in range(40):
    resources = {"VCPU": 1, "MEMORY_MB": 512, "DISK_GB": 10}
    body = {
        "allocations": {providers[number % 5]: {"resources": resources}},
        "project_id": "project-%d" % (number % 3),
        "user_id": "user-%d" % (number % 4),
        "consumer_generation": None,
    }
    put("/allocations/" + str(uuid.uuid4()), body)
