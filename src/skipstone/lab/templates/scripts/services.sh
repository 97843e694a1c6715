# Schemas, then every unit of the control plane.
set -euo pipefail

as() {
    local user=$1
    shift
    runuser -u "$user" -- "$@" 2>&1 | tail -n 20
}

nova() {
    as nova nova-manage api_db sync
    as nova nova-manage cell_v2 map_cell0
    as nova nova-manage cell_v2 create_cell --name cell1
    as nova nova-manage db sync
}

neutron() {
    as neutron neutron-db-manage --config-file /etc/neutron/neutron.conf \
        --config-file /etc/neutron/plugins/ml2/ml2_conf.ini upgrade head
}

small() {
    as glance glance-manage db_sync
    as placement placement-manage db sync
{%- if "cinder" in projects %}
    as cinder cinder-manage db sync
{%- endif %}
{%- if "heat" in projects %}
    as heat heat-manage db_sync
{%- endif %}
}

nova &
nova=$!
neutron &
neutron=$!
small
wait $nova
wait $neutron
systemctl daemon-reload
systemctl enable -q{% for unit in units %} {{ unit }}{% endfor %}
# an agent that asks before the server listens waits for a whole RPC timeout
systemctl restart{% for unit in units if unit not in agents %} {{ unit }}{% endfor %}
for attempt in $(seq 120); do
    rabbitmqctl -q list_queues name consumers </dev/null | grep -q '^q-l3-plugin.*[1-9]$' && break
    sleep 1
done
systemctl restart{% for unit in units if unit in agents %} {{ unit }}{% endfor %}
