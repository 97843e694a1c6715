# The hypervisor and its network.
set -euo pipefail
ovs-vsctl --may-exist add-br br-ex -- set bridge br-ex datapath_type=netdev
ovs-vsctl --may-exist add-port br-ex eth1
chmod 755 /etc/libvirt/hooks/qemu  # before libvirtd starts, or it does not look there
# the plain TCP socket is how live migration reaches the other libvirtd; it must listen before libvirtd starts
systemctl stop libvirtd libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket
systemctl enable -q --now libvirtd-tcp.socket libvirtd.socket
systemctl enable -q libvirtd
systemctl restart libvirtd
systemctl daemon-reload
systemctl enable -q{% for unit in units %} {{ unit }}{% endfor %}
systemctl restart{% for unit in units %} {{ unit }}{% endfor %}
