uname -r
mkdir -p /tmp/r/bin; cp /usr/bin/busybox /tmp/r/bin/busybox; cp /usr/bin/busybox /tmp/r/bin/grep; ln -s busybox /tmp/r/bin/sh; /sbin/setcap cap_kill+ep /tmp/r/bin/grep
for o in "" --new-privileges; do node_modules/.bin/bun src/cmd/main.ts run $o --rootfs /tmp/r --user 1:1 -- /bin/grep CapPrm /proc/self/status; done
timeout 2400 node_modules/.bin/bun test --timeout 300000 ./test/live/security/joiner.test.ts ./test/live/memory-root.test.ts ./test/live/hostile-links.test.ts ./test/live/security/seccomp.test.ts ./test/live/plan.test.ts ./test/live/truth.test.ts ./test/live/run.test.ts ./test/live/rootfs.test.ts ./test/live/hostile-race.test.ts ./test/live/pasta.test.ts ./test/live/cleanup.test.ts $MORE
