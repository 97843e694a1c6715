#!/bin/sh
# The first process of a machine that installs itself: lays its second disk out as Debian's installer does with
# "guided, LVM", copies the system it was started from there, and makes it boot.
# Its last word on the console is INSTALLED, or FAILED.
set -eu
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
disk=/dev/disk/by-id/virtio-system
target=/mnt

at_the_end() {
    code=$?
    if [ "$code" = 0 ]; then echo INSTALLED; else echo "FAILED: $code"; fi
    sync
    poweroff -f
}
trap at_the_end EXIT

# the ramdisk has left /dev, /proc, /run and /sys
mount -t tmpfs tmpfs /tmp
/usr/lib/systemd/systemd-udevd --daemon
udevadm trigger
udevadm settle

printf 'label: dos\nstart=1MiB, size=512MiB, type=83, bootable\ntype=8e\n' | sfdisk -q "$disk"
udevadm settle
pvcreate -q "$disk-part2"
vgcreate -q vg "$disk-part2"
lvcreate -q -L 6G -n root vg
udevadm settle
mkfs.ext4 -q /dev/vg/root
mkfs.ext4 -q "$disk-part1"

mount /dev/vg/root "$target"
mkdir "$target/boot"
mount "$disk-part1" "$target/boot"
cp -ax /. "$target"
rm "$target/install.sh"
cat >"$target/etc/fstab" <<EOF
/dev/mapper/vg-root / ext4 errors=remount-ro 0 1
UUID=$(blkid -s UUID -o value "$disk-part1") /boot ext4 defaults 0 2
EOF

for tree in proc sys dev run; do mount --rbind "/$tree" "$target/$tree"; done
echo "grub-pc grub-pc/install_devices multiselect $disk" | chroot "$target" debconf-set-selections
chroot "$target" grub-install "$disk"
chroot "$target" update-grub
for tree in proc sys dev run; do umount -l "$target/$tree"; done
umount "$target/boot" "$target"
vgchange -q -an vg
