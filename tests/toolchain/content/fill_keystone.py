"""What a keystone holds after some years: written by the release's own managers."""

import sys
import uuid

import keystone.conf
from keystone.common import sql
from keystone.server import backends

keystone.conf.configure()
sql.initialize()
keystone.conf.set_config_defaults()
keystone.conf.CONF([], project="keystone", default_config_files=[sys.argv[1]])
apis = backends.load_backends()


def new():
    return uuid.uuid4().hex


def named(name, **more):
    return dict(more, id=new(), name=name, enabled=True)


def domain(name):
    ref = named(name)
    return apis["resource_api"].create_domain(ref["id"], ref)["id"]


def project(name, home, parent):
    ref = named(name, domain_id=home, parent_id=parent, description="", is_domain=False)
    return apis["resource_api"].create_project(ref["id"], ref)["id"]


def user(name, home):
    return apis["identity_api"].create_user(named(name, domain_id=home, password="s3cret " + name))["id"]


def role(name):
    ref = {"id": new(), "name": name}
    return apis["role_api"].create_role(ref["id"], ref)["id"]


def trust(trustor, trustee, scope, given):
    ref = {
        "id": new(),
        "trustor_user_id": trustor,
        "trustee_user_id": trustee,
        "project_id": scope,
        "impersonation": True,
        "expires_at": None,
        "remaining_uses": None,
    }
    return apis["trust_api"].create_trust(ref["id"], ref, [{"id": given}])["id"]


def federated(home):
    """Create users who come from elsewhere, as they come from there for the first time."""
    rules = [{"local": [{"user": {"name": "{0}"}}], "remote": [{"type": "UserName"}]}]
    provider = {"id": "corp", "enabled": True, "remote_ids": ["https://idp.example"], "domain_id": home}
    apis["federation_api"].create_idp("corp", provider)
    apis["federation_api"].create_mapping("corp", {"id": "corp", "rules": rules})
    apis["federation_api"].create_protocol("corp", "saml2", {"id": "saml2", "mapping_id": "corp"})
    for number in range(5):
        who = {
            "idp_id": "corp",
            "protocol_id": "saml2",
            "unique_id": "guest%d@example" % number,
            "display_name": "guest%d" % number,
        }
        apis["shadow_users_api"].create_federated_user(home, who)


def endpoint(kind):
    service = named(kind, type=kind)
    apis["catalog_api"].create_service(service["id"], service)
    for interface in ("public", "internal", "admin"):
        ref = {
            "id": new(),
            "region_id": "here",
            "service_id": service["id"],
            "interface": interface,
            "url": "http://%s.example/%%(project_id)s" % kind,
            "enabled": True,
        }
        apis["catalog_api"].create_endpoint(ref["id"], ref)


member = role("customer")
for name in ("customers", "staff"):
    home = domain(name)
    users = [user("%s-%d" % (name, number), home) for number in range(10)]
    group = apis["identity_api"].create_group({"name": name, "domain_id": home})["id"]
    parent = home
    for number in range(5):
        # each one the child of the one before: trees are what sync has to keep
        parent = project("%s-%d" % (name, number), home, parent)
        apis["assignment_api"].create_grant(member, user_id=users[number], project_id=parent)
        apis["assignment_api"].create_grant(member, group_id=group, project_id=parent)
        apis["identity_api"].add_user_to_group(users[number], group)
    kept = trust(users[4], users[5], parent, member)
    apis["trust_api"].delete_trust(trust(users[4], users[6], parent, member))
federated(home)
apis["catalog_api"].create_region({"id": "here", "description": ""})
for kind in ("volumev2", "volumev3", "network"):
    endpoint(kind)
