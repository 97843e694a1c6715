# Database, broker, cache and Keystone: what everything else stands on.
set -euo pipefail

bridge() {
    ovs-vsctl --may-exist add-br br-ex -- set bridge br-ex datapath_type=netdev
    ovs-vsctl --may-exist add-port br-ex eth1
}

broker() {
    systemctl start rabbitmq-server
    rabbitmqctl -q add_user openstack {{ password }}
    rabbitmqctl -q set_permissions openstack '.*' '.*' '.*'
}

cache() {
    sed -i 's/^-l .*/-l 0.0.0.0/' /etc/memcached.conf
    systemctl restart memcached
}

# Few processes, for a small machine. Keystone and Placement serve with threads; the others have eventlet's locks,
# and two threads of Neutron's API (Debian ships 32) hang each other for good: seen on Zed when ports were bound.
# Nova and Neutron call each other back, so each has two processes; Heat, too: from 2024.1 on it waits half a second
# for every reply of its engine (oslo.messaging, Launchpad bug 2035113).
# Without "Connection: close" clients see resets.
interfaces() {
    for file in /etc/*/*-uwsgi.ini; do
        case $file in
        */keystone-uwsgi.ini | */placement-api-uwsgi.ini) processes=1 threads=8 ;;
        */nova-api-uwsgi.ini | */neutron-api-uwsgi.ini | */heat-api-uwsgi.ini) processes=2 threads=1 ;;
        *) processes=1 threads=1 ;;
        esac
        sed -i "s/^processes = .*/processes = $processes/; s/^threads = .*/threads = $threads/" "$file"
        grep -q '^add-header' "$file" || echo 'add-header = Connection: close' >> "$file"
    done
}

databases() {
    systemctl restart mariadb
    mariadb <<'SQL'
{% for name, user in databases -%}
CREATE DATABASE {{ name }} CHARACTER SET utf8mb3 COLLATE utf8mb3_general_ci;
GRANT ALL ON {{ name }}.* TO '{{ user }}'@'%' IDENTIFIED BY '{{ password }}';
GRANT ALL ON {{ name }}.* TO '{{ user }}'@'localhost' IDENTIFIED BY '{{ password }}';
{% endfor -%}
SQL
}

keystone() {
    runuser -u keystone -- keystone-manage db_sync
    keystone-manage fernet_setup --keystone-user keystone --keystone-group keystone
    keystone-manage credential_setup --keystone-user keystone --keystone-group keystone
    keystone-manage bootstrap --bootstrap-password {{ password }} --bootstrap-region-id {{ region }} \
        --bootstrap-admin-url {{ identity_url }}/v3/ --bootstrap-internal-url {{ identity_url }}/v3/ \
        --bootstrap-public-url {{ identity_url }}/v3/
    chown -R keystone:keystone /var/log/keystone
    systemctl enable -q keystone
    systemctl restart keystone
}

bridge
cache
interfaces
broker </dev/null &
broker=$!
databases
keystone
wait $broker
