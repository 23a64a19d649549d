#!/usr/bin/env bash
# All tests, or one of: unit, live. Ends with the one line "N passed, N failed, N skipped".
set -u
cd "$(dirname "$0")/.." || exit 1
bun=${BUN:-node_modules/.bin/bun}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
case "${1:-all}" in
  unit) paths=$(find test -name '*.test.ts' -not -path 'test/live/*' | sort) ;;
  live) paths=$(find test/live -name '*.test.ts' | sort) ;;
  *) paths=$(find test -name '*.test.ts' | sort) ;;
esac
# shellcheck disable=SC2086 # the list is meant to be split; names hold no blanks
"$bun" test --timeout 60000 --reporter=junit --reporter-outfile="$out/junit.xml" $(printf './%s ' $paths)
status=$?
line=$(grep -m1 -o '<testsuites [^>]*>' "$out/junit.xml" 2>/dev/null)
number() { printf '%s' "$line" | sed -nE "s/.* $1=\"([0-9]+)\".*/\1/p"; }
if [ -z "$line" ]; then
  echo "the test runner left no report" >&2
  echo "0 passed, 1 failed, 0 skipped"
  exit 1
fi
failed=$(number failures)
skipped=$(number skipped)
echo "$(($(number tests) - failed - skipped)) passed, $failed failed, $skipped skipped"
exit $status
