#!/bin/bash
# The baseline: the lab's Zed cloud upgraded to 2025.1 by a plain script in the order of the Operations Guide
# (back up, stop, packages, schemas, start; then the computes), with the repairs that a person finds on the way.
# No checks, no proof, no resume; Open vSwitch goes down with its packages. Prints the seconds of each part.
#   bench/by_hand.sh SSH_CONFIG        OS_CLOUD and OS_CLIENT_CONFIG_FILE lead to the cloud's API
set -euo pipefail
config=$1
part() { now=$(date +%s); [ -z "${name:-}" ] || echo "$name $((now - began))"; name=${1:-}; began=$now; }
on() { ssh -q -n -F "$config" "$1" "set -e; $2"; }

control='nova-api nova-api-metadata nova-conductor nova-scheduler neutron-api neutron-rpc-server glance-api
    placement-api cinder-api cinder-scheduler heat-api heat-engine keystone'
agents='neutron-openvswitch-agent neutron-dhcp-agent neutron-l3-agent neutron-metadata-agent'
control=$(echo $control)

# policy-rc.d keeps packages from starting anything; sshd has to restart, or nobody logs in any more, and MariaDB's
# package insists on stopping the old server
packages() {
    on "$1" "printf '#!/bin/sh\ncase \" \$* \" in *ssh*|*mariadb*|*mysql*) exit 0 ;; esac\nexit 101\n' > /usr/sbin/policy-rc.d
        chmod 755 /usr/sbin/policy-rc.d
        sed -i 's/bookworm/trixie/g' /etc/apt/sources.list
        export DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1
        apt='apt-get -q -y -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold'
        { \$apt update && \$apt upgrade --without-new-pkgs && \$apt dist-upgrade $2; } > /root/upgrade.log 2>&1 ||
            { tail -n 20 /root/upgrade.log >&2; exit 1; }
        rm /usr/sbin/policy-rc.d; systemctl daemon-reload"
}

wait_for() {
    limit=$(($(date +%s) + 300))
    until "$@"; do
        if [ "$(date +%s)" -ge "$limit" ]; then echo "not in time: $*" >&2; exit 1; fi
        sleep 2
    done
}
answers() { openstack "$@" > /dev/null 2>&1; }
all() { [ "$(openstack "${@:2}" -f value | sort -u)" = "$1" ]; }

part backup
on ctl1 'mkdir -p /root/backup; tar czf /root/backup/etc.tar.gz -C / etc
    mariadb-dump --single-transaction --all-databases > /root/backup/all.sql
    rabbitmqctl -q export_definitions - < /dev/null > /var/lib/rabbitmq/definitions.json'
openstack role create --or-show service > /dev/null
for user in nova neutron glance placement cinder heat; do
    openstack role add --user "$user" --project service service
done
part stop
on ctl1 "systemctl stop $control $agents rabbitmq-server"
part packages
on ctl1 "printf '[mariadbd]\nloose_character_set_collations = utf8mb3=utf8mb3_general_ci,utf8mb4=utf8mb4_general_ci\n' \
    > /etc/mysql/mariadb.conf.d/90-hand.cnf"
packages ctl1 neutron-periodic-workers
part databases
on ctl1 "systemctl restart mariadb
    mv /var/lib/rabbitmq/mnesia /var/lib/rabbitmq/mnesia.old
    systemctl restart rabbitmq-server; rabbitmqctl -q await_startup < /dev/null
    rabbitmqctl -q import_definitions /var/lib/rabbitmq/definitions.json < /dev/null"
for host in ctl1 cmp1 cmp2; do
    on "$host" "mkdir -p /etc/nova/nova.conf.d
        printf '[workarounds]\ndisable_compute_service_check_for_ffu = true\n[upgrade_levels]\ncompute = auto\n' \
            > /etc/nova/nova.conf.d/hand.conf"
done
on ctl1 'as() { user=$1; shift; runuser -u "$user" -- "$@" > /root/sync.log 2>&1 || { tail -n 20 /root/sync.log >&2; exit 1; }; }
    as keystone keystone-manage db_sync
    as glance glance-manage db sync
    as placement placement-manage db sync
    as placement placement-manage db online_data_migrations
    as nova nova-manage api_db sync
    as nova nova-manage db sync
    as nova nova-manage db online_data_migrations
    as neutron neutron-db-manage --config-file /etc/neutron/neutron.conf --config-file /etc/neutron/plugins/ml2/ml2_conf.ini upgrade heads
    as cinder cinder-manage db sync --bump-versions
    as cinder cinder-manage db online_data_migrations
    as heat heat-manage db_sync'
part services
on ctl1 "systemctl restart openvswitch-switch
    for unit in keystone placement-api glance-api neutron-api neutron-rpc-server neutron-periodic-workers nova-conductor \
        nova-scheduler nova-api nova-api-metadata cinder-scheduler cinder-api heat-engine heat-api $agents; do
        systemctl restart \$unit; done"
part verify
for kind in project image network server volume stack; do wait_for answers "$kind" list; done
for host in cmp1 cmp2; do
    part "$host"
    on "$host" 'systemctl stop nova-compute neutron-openvswitch-agent'
    packages "$host" ''
    on "$host" 'systemctl restart openvswitch-switch libvirtd; systemctl start neutron-openvswitch-agent nova-compute'
done
part finish
wait_for all up compute service list -c State
for host in ctl1 cmp1 cmp2; do on "$host" 'rm -f /etc/nova/nova.conf.d/hand.conf'; done
on ctl1 'systemctl restart nova-conductor nova-scheduler nova-api
    runuser -u nova -- nova-manage db online_data_migrations > /root/sync.log 2>&1'
wait_for all up compute service list -c State
wait_for all True network agent list -c Alive
part
