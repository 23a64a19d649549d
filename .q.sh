export NSRUN_CACHE=/tmp/c
N="node_modules/.bin/bun src/cmd/main.ts"
uname -r
mount | wc -l
$N run -- sh -c 'cat /proc/self/uid_map; ls -ld / /bin /dev /dev/null /dev/fd /proc; cat /proc/mounts | head -4; rm -r /var/log && mkdir /var/log && mv /home /home2; echo $?; echo x >/etc/passwd; chown 33 /etc/passwd; ls -l /etc/passwd'
mkdir -p /tmp/v; touch /tmp/v/a; chown 33:33 /tmp/v/a
$N run -v /tmp/v:/v -- sh -c 'ls -ln /v; touch /v/b'; ls -ln /tmp/v
mkdir -p /tmp/r; cp -a /tmp/c/busybox-root*/. /tmp/r/; mknod -m 666 /tmp/r/zero c 1 5
$N run --rw --rootfs /tmp/r -- sh -c 'touch /made; ls -l /dev/null; ls -ln /made'; ls -ln /tmp/r/made
$N run --rootfs /tmp/r --cap-add sys_admin --seccomp none -- sh -c 'head -c1 /zero; mount -o remount,bind,dev /; head -c1 /zero; grep " / " /proc/mounts; umount -l /dev; umount /proc/keys; echo $?'
$N --net veth -- true; $N -- sh -c 'id; ping -c1 $(ip r | sed -n "s/default via \([^ ]*\).*/\1/p")' </dev/null
$N run --timings true 2>&1 | tail -10
mount | wc -l
$N doctor
setpriv --reuid 65534 --regid 65534 --clear-groups env HOME=/tmp/h NSRUN_CACHE=/tmp/cu $N run -- sh -c 'rm -r /var/log; mkdir /var/log; ls -ld /var/log'
