#!/bin/bash
# The baseline: the lab's Zed cloud upgraded to 2025.1 by a plain script in the order of the Operations Guide
# (back up, stop, packages, schemas, start; then the computes), with the repairs that a person finds on the
# way. No checks, no resume, no proof. Prints a line of seconds per part.
#   bench/by_hand.sh SSH_CONFIG
set -euo pipefail
config=$1
part() { now=$(date +%s); [ -z "${name:-}" ] || echo "$name $((now - began))"; name=${1:-}; began=$now; }
on() { ssh -q -n -F "$config" "$1" "$2"; }
sh_on() { ssh -q -F "$config" "$1" 'sh -s'; }

apt='export DEBIAN_FRONTEND=noninteractive; apt-get -q -y -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold'
packages() {
    on "$1" "sed -i 's/bookworm/trixie/g' /etc/apt/sources.list; apt-get -q update >/dev/null"
    on "$1" "$apt upgrade --without-new-pkgs >/dev/null; $apt dist-upgrade >/dev/null"
}
control='nova-api nova-api-metadata nova-conductor nova-scheduler neutron-api neutron-rpc-server glance-api placement-api cinder-api cinder-scheduler heat-api heat-engine keystone'
agents='neutron-openvswitch-agent neutron-dhcp-agent neutron-l3-agent neutron-metadata-agent'

part backup
on ctl1 'mkdir -p /root/backup; tar czf /root/backup/etc.tar.gz -C / etc
    mariadb-dump --single-transaction --all-databases > /root/backup/all.sql
    rabbitmqctl -q export_definitions /root/backup/rabbit.json </dev/null'
part stop
on ctl1 "systemctl mask --now -q $control $agents rabbitmq-server 2>/dev/null"
part packages
on ctl1 "printf '[mariadbd]\nloose_character_set_collations = utf8mb3=utf8mb3_general_ci,utf8mb4=utf8mb4_general_ci\n' > /etc/mysql/mariadb.conf.d/90-hand.cnf"
packages ctl1
part databases
on ctl1 "systemctl unmask -q rabbitmq-server; mv /var/lib/rabbitmq/mnesia /var/lib/rabbitmq/mnesia.old
    systemctl start rabbitmq-server; rabbitmqctl -q import_definitions /root/backup/rabbit.json </dev/null"
for host in ctl1 cmp1 cmp2; do
    on "$host" "mkdir -p /etc/nova/nova.conf.d
        printf '[workarounds]\ndisable_compute_service_check_for_ffu = true\n' > /etc/nova/nova.conf.d/hand.conf"
done
sh_on ctl1 <<'SYNC'
set -e
as() { user=$1; shift; runuser -u "$user" -- "$@" >/dev/null 2>&1; }
as keystone keystone-manage db_sync
as glance glance-manage db sync
as placement placement-manage db sync
as nova nova-manage api_db sync
as nova nova-manage db sync
as nova nova-manage db online_data_migrations
as neutron neutron-db-manage --config-file /etc/neutron/neutron.conf --config-file /etc/neutron/plugins/ml2/ml2_conf.ini upgrade heads
as cinder cinder-manage db sync
as cinder cinder-manage db online_data_migrations
as heat heat-manage db_sync
SYNC
part services
on ctl1 "systemctl unmask -q $control $agents; systemctl restart openvswitch-switch
    for unit in keystone placement-api glance-api neutron-api neutron-rpc-server nova-conductor nova-scheduler nova-api nova-api-metadata cinder-scheduler cinder-api heat-engine heat-api $agents; do
        systemctl start \$unit; done"
for host in cmp1 cmp2; do
    part "$host"
    on "$host" "systemctl mask --now -q nova-compute neutron-openvswitch-agent; systemctl mask -q openvswitch-switch ovs-vswitchd ovsdb-server"
    packages "$host"
    on "$host" "systemctl unmask -q nova-compute neutron-openvswitch-agent openvswitch-switch ovs-vswitchd ovsdb-server
        systemctl restart openvswitch-switch libvirtd; systemctl start neutron-openvswitch-agent nova-compute"
done
part finish
for host in ctl1 cmp1 cmp2; do on "$host" 'rm -f /etc/nova/nova.conf.d/hand.conf'; done
on ctl1 'systemctl restart nova-conductor nova-scheduler nova-api
    runuser -u nova -- nova-manage db online_data_migrations >/dev/null 2>&1'
part
