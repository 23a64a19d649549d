#!/usr/bin/env bash
# All tests, or one of: unit, live, attack. Ends with the one line "N passed, N failed, N skipped".
# attack: every known failure of runners of containers, by its name, and the negative controls (SECURITY.md).
# NSRUN_TEST_PROGRAM=/path/to/dist/nsrun: that executable instead of the sources, where a test starts nsrun as a program.
set -u
cd "$(dirname "$0")/.." || exit 1
bun=${BUN:-node_modules/.bin/bun}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
attacks() {
  find test/live/security test/rootfs/hostile*.test.ts test/rootfs/archive.test.ts test/security/compile.test.ts test/security/default-policy.test.ts \
    test/live/hostile-*.test.ts -name '*.test.ts' | sort
  for name in compiled faults kill-random orphans read-back rootless-ids signals-kill userns; do echo "test/live/$name.test.ts"; done
}
case "${1:-all}" in
  unit) paths=$(find test -name '*.test.ts' -not -path 'test/live/*' | sort) ;;
  live) paths=$(find test/live -name '*.test.ts' | sort) ;;
  attack) paths=$(attacks) ;;
  *) paths=$(find test -name '*.test.ts' | sort) ;;
esac
# The live tests run once more as an ordinary user, when root can make one: what needs real root skips itself there.
twice=
[ "$(id -u)" = 0 ] && [ "${1:-all}" != unit ] && [ -z "${NSRUN_TEST_ONCE:-}" ] && twice=yes

# run REPORT COMMAND…: a test run with its report
status=0
run() {
  report=$1
  shift
  # shellcheck disable=SC2046,SC2086 # the list is meant to be split; names hold no blanks
  "$@" test --timeout 60000 --reporter=junit --reporter-outfile="$report" $(printf './%s ' $paths) || status=$?
}
run "$out/junit.xml" "$bun"
reports="$out/junit.xml"
if [ -n "$twice" ]; then
  echo "once more as an ordinary user"
  paths=$(echo "$paths" | grep '^test/live/')
  user=$(mktemp -d)
  trap 'rm -rf "$out" "$user"' EXIT
  run ../tmp/junit.xml bash test/as-user.sh "$user" node_modules/bun/bin/bun.exe
  reports="$reports $user/home/tmp/junit.xml"
fi
# the <testsuites> line of each report holds the sums
for report in $reports; do
  if ! grep -q '<testsuites ' "$report" 2>/dev/null; then
    echo "the test runner left no report" >&2
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
  fi
done
number() {
  # shellcheck disable=SC2086 # a list of files
  grep -hm1 -o '<testsuites [^>]*>' $reports | sed -nE "s/.* $1=\"([0-9]+)\".*/\1/p" | { total=0; while read -r n; do total=$((total + n)); done; echo "$total"; }
}
tests=$(number tests)
failed=$(number failures)
skipped=$(number skipped)
echo "$((tests - failed - skipped)) passed, $failed failed, $skipped skipped"
exit "$status"
