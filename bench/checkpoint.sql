-- A cloud's databases as bench/checkpoint.py fills them: the tables that are large in large clouds, and their
-- kind of text. Each round adds instances FIRST to LAST.
create database if not exists nova;
use nova;
create table if not exists instances (id int primary key auto_increment, created_at datetime,
     updated_at datetime, deleted_at datetime,
 uuid varchar(36) not null, user_id varchar(255), project_id varchar(255), image_ref varchar(255),
     host varchar(255), node varchar(255),
 vm_state varchar(255), hostname varchar(255), display_name varchar(255), display_description varchar(255),
     availability_zone varchar(255),
 key_name varchar(255), key_data mediumtext, memory_mb int, vcpus int, deleted int,
 unique key u (uuid), key p (project_id), key h (host), key d (deleted, created_at)) engine=innodb default charset=utf8mb3;
create table if not exists instance_extra (id int primary key auto_increment, created_at datetime,
     updated_at datetime, deleted int, instance_uuid varchar(36) not null,
 flavor text, numa_topology text, vcpu_model text, device_metadata text, trusted_certs text,
     resources text, key u (instance_uuid)) engine=innodb default charset=utf8mb3;
create table if not exists instance_system_metadata (id int primary key auto_increment,
     created_at datetime, deleted int, instance_uuid varchar(36) not null,
 `key` varchar(255) not null, value varchar(255), key u (instance_uuid)) engine=innodb default charset=utf8mb3;
create table if not exists instance_actions_events (id int primary key auto_increment,
     created_at datetime, updated_at datetime, event varchar(255), action_id int,
 start_time datetime, finish_time datetime, result varchar(255), traceback text, host varchar(255),
     details text, key a (action_id)) engine=innodb default charset=utf8mb3;
create table if not exists instance_info_caches (id int primary key auto_increment,
     created_at datetime, network_info mediumtext, instance_uuid varchar(36) not null,
     unique key u (instance_uuid)) engine=innodb default charset=utf8mb3;
create table if not exists block_device_mapping (id int primary key auto_increment,
     created_at datetime, device_name varchar(255), volume_id varchar(36), connection_info mediumtext,
 instance_uuid varchar(36), uuid varchar(36), key u (instance_uuid), key v (volume_id)) engine=innodb default charset=utf8mb3;
insert into instances select seq,t,t,if(seq%2,t,null),UUID,g,md5(seq%900),md5(seq%300),
    concat('compute-',seq%2000,'.example.org'),concat('compute-',seq%2000,'.example.org'),
    'active',concat('web-',seq),concat('web-',seq),concat('Server ',seq,' of project ',
    seq%900),'nova',concat('key-',seq%4000),concat('ssh-rsa AAAAB3NzaC1yc2E',to_base64(sha2(seq%4000,
    512)),to_base64(sha2(seq%4000+1,512))),4096,2,if(seq%2,seq,0) from ROWS;
insert into instance_extra select seq,t,t,if(seq%2,seq,0),UUID,concat('{"cur": {"nova_object.name": "Flavor", "nova_object.namespace": "nova", "nova_object.version": "1.2", "nova_object.data": {"id": ',
    seq%40,', "name": "m1.',seq%40,'", "memory_mb": 4096, "vcpus": 2, "root_gb": 40, "ephemeral_gb": 0, "flavorid": "',
    md5(seq%40),'", "swap": 0, "rxtx_factor": 1.0, "vcpu_weight": 0, "disabled": false, "is_public": true, "extra_specs": {"hw:cpu_policy": "shared", "trait:CUSTOM_',
    seq%40,'": "required"}, "description": null, "created_at": "2019-03-04T10:00:00Z", "updated_at": null, "deleted_at": null, "deleted": false}}, "old": null, "new": null}'),
    concat('{"nova_object.name": "InstanceNUMATopology", "nova_object.data": {"cells": [{"nova_object.name": "InstanceNUMACell", "nova_object.data": {"id": 0, "cpuset": [0, 1], "memory": 4096, "pagesize": null, "cpu_pinning_raw": {"0": ',
    seq%64,', "1": ',seq%63,'}}}], "instance_uuid": "',UUID,'"}}'),concat('{"nova_object.name": "VirtCPUModel", "nova_object.data": {"arch": null, "vendor": null, "topology": {"sockets": 2, "cores": 1, "threads": 1}, "features": [], "mode": "host-model"}}'),
    concat('{"nova_object.name": "InstanceDeviceMetadata", "devices": [{"mac": "fa:16:3e:',
    left(g,2),':',substr(g,3,2),':',substr(g,5,2),'", "serial": "',g,h,'"}]}'),null,
    null from ROWS;
insert into instance_info_caches select seq,t,concat('[{"id": "',UUID,'", "address": "fa:16:3e:',
    left(g,2),':',substr(g,3,2),':',substr(g,5,2),'", "network": {"id": "',md5(seq%900),
    '", "bridge": "br-int", "label": "private", "subnets": [{"cidr": "10.',seq%255,
    '.0.0/16", "dns": [{"address": "10.0.0.2", "type": "dns", "version": 4, "meta": {}}], "gateway": {"address": "10.',
    seq%255,'.0.1", "type": "gateway", "version": 4, "meta": {}}, "ips": [{"address": "10.',
    seq%255,'.',(seq div 250)%250,'.',seq%250,'", "type": "fixed", "version": 4, "meta": {}, "floating_ips": []}], "routes": [], "version": 4, "meta": {"dhcp_server": "10.0.0.3"}}], "meta": {"injected": false, "tenant_id": "',
    md5(seq%900+5),'", "mtu": 1450, "physical_network": null, "tunneled": true}}, "type": "ovs", "details": {"port_filter": true, "connectivity": "l2", "bridge_name": "br-int"}, "devname": "tap',
    left(g,11),'", "ovs_interfaceid": "',UUID,'", "active": true, "vnic_type": "normal", "profile": {}}]'),
    UUID from ROWS;
insert into block_device_mapping select seq,t,'/dev/vda',g,concat('{"driver_volume_type": "rbd", "data": {"name": "volumes/volume-',
    g,'", "hosts": ["10.1.0.1", "10.1.0.2", "10.1.0.3"], "ports": ["6789", "6789", "6789"], "cluster_name": "ceph", "auth_enabled": true, "auth_username": "cinder", "secret_type": "ceph", "secret_uuid": "457eb676-33da-42ec-9a8c-9293d545c337", "volume_id": "',
    g,'", "discard": true, "qos_specs": null, "access_mode": "rw", "encrypted": false, "cacheable": false}, "status": "reserved", "instance": "',
    UUID,'", "attached_at": "',t,'", "detached_at": "", "volume_id": "',g,'", "serial": "',
    g,'"}'),UUID,g from ROWS;
insert into instance_system_metadata (created_at,deleted,instance_uuid,`key`,value) select t,
    if(seq%2,seq,0),UUID,elt(kind,'image_hw_disk_bus','image_base_image_ref','image_container_format',
    'image_disk_format','image_min_disk','image_min_ram','image_os_distro','owner_project_name',
    'owner_user_name','boot_roles','image_hw_vif_model','image_description'),if(kind in (2,
    8,12),concat('value of ',md5(seq%300+kind)),'virtio') from ROWS cross join (select seq kind from seq_1_to_12) k;
insert into instance_actions_events (created_at,updated_at,event,action_id,start_time,
    finish_time,result,traceback,host,details) select t,t,elt(kind,'conductor_schedule',
    'compute__do_build','compute_stop','compute_start','compute_reboot','compute_attach',
    'compute_detach','compute_live_migration','compute_check','compute_rollback',
    'compute_shelve','compute_terminate'),seq,t,t,if(seq%50,'Success','Error'),if(seq%50,
    null,concat('Traceback (most recent call last): File "/usr/lib/python3/dist-packages/nova/compute/utils.py", line 1439, in decorated_function return function(self, context, *args, **kwargs) ',
    repeat(g,8))),concat('compute-',(seq+kind)%2000,'.example.org'),null from ROWS cross join (select seq kind from seq_1_to_12) k;
create database if not exists neutron;
create table if not exists neutron.ports like nova.instance_info_caches;
insert into neutron.ports select * from nova.instance_info_caches where id between FIRST and LAST and id % 3 = 0;
create database if not exists keystone;
create table if not exists keystone.project like nova.instances;
insert into keystone.project select * from nova.instances where id between FIRST and LAST and id % 20 = 0;
create database if not exists heat;
create table if not exists heat.resource like nova.instance_extra;
insert into heat.resource select * from nova.instance_extra where id between FIRST and LAST and id % 7 = 0;
