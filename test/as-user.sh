#!/usr/bin/env bash
# as-user.sh DIR COMMAND…: COMMAND in a copy of this checkout below DIR, as an ordinary user made for it. The user exists in a
# mount namespace only, where /etc/passwd, /etc/group, /etc/subuid and /etc/subgid are other files: the machine is not changed.
set -eu
cd "$(dirname "$0")/.."
dir=$1
shift
id=61234
chmod 755 "$dir"
umask 022
mkdir "$dir/etc" "$dir/home" "$dir/home/nsrun"
cp -r src test fixtures examples scripts package.json tsconfig.json bunfig.toml "$dir/home/nsrun/"
mkdir "$dir/home/nsrun/node_modules"
for package in bun commander picocolors; do cp -r "node_modules/$package" "$dir/home/nsrun/node_modules/"; done
[ -d dist ] && cp -r dist "$dir/home/nsrun/"
# the executable that is tested instead of the sources may lie where only root can look
program=
if [ -n "${NSRUN_TEST_PROGRAM:-}" ]; then
  program=$dir/home/program
  cp "$NSRUN_TEST_PROGRAM" "$program"
  chmod 755 "$program"
fi
for file in passwd group; do cp "/etc/$file" "$dir/etc/"; done
echo "nsrun-test:x:$id:$id::$dir/home:/bin/sh" >>"$dir/etc/passwd"
echo "nsrun-test:x:$id:" >>"$dir/etc/group"
# as test/live/user.ts has them
printf 'nsrun-test:200000:65536\n%s:300000:10\n' "$id" >"$dir/etc/subuid"
printf 'nsrun-test:500000:65536\n' >"$dir/etc/subgid"
mkdir -m 711 "$dir/home/tmp"
chown -R "$id:$id" "$dir/home"
# shellcheck disable=SC2016 # expanded by the inner shell
exec unshare -m --propagation private sh -c '
  dir=$1 id=$2 program=$3; shift 3
  for file in passwd group subuid subgid; do
    [ ! -e "/etc/$file" ] || mount --bind "$dir/etc/$file" "/etc/$file"
  done
  # the device that pasta and slirp4netns want, with the mode that udev gives it; only root can make one
  if [ -d /dev/net ] && mount -t tmpfs -o mode=755 tmpfs /dev/net; then mknod -m 666 /dev/net/tun c 10 200 && chmod 666 /dev/net/tun; fi
  cd "$dir/home/nsrun"
  exec setpriv --reuid "$id" --regid "$id" --clear-groups env -i PATH="$PATH" HOME="$dir/home" TMPDIR="$dir/home/tmp" \
    USER=nsrun-test LANG=C.UTF-8 ${program:+"NSRUN_TEST_PROGRAM=$program"} "$@"' sh "$dir" "$id" "$program" "$@"
