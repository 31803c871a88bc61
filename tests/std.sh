#!/usr/bin/env bash
# Runs the tests of packages of the standard library, bare and in gosandbox, by the same toolchain
# and user, and lists the tests whose verdicts differ. Fails where one that passes bare does not inside,
# and docs/differences.md does not name it. Slow: CI has two packages.
#
#   tests/std.sh GOSANDBOX [PACKAGE]...
set -euo pipefail
[ $# -ge 1 ] || { sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 2; }
gosandbox=$(realpath "$1")
differences=$(realpath "$(dirname "$0")/../docs/differences.md")
shift
packages=("$@")
[ $# -gt 0 ] || packages=(os net net/http os/exec syscall time)

goroot=$(go env GOROOT)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
export CGO_ENABLED=0 GOFLAGS= GOTOOLCHAIN=local

# Lines of "package test verdict", sorted.
verdicts() {
    sed -n 's/.*"Action":"\(pass\|fail\|skip\)","Package":"\([^"]*\)","Test":"\([^"]*\)".*/\2 \3 \1/p' |
        LC_ALL=C sort -u
}

cd "$goroot/src"
status=0
for package in "${packages[@]}"; do
    go test -short -count=1 -json "$package" 2>"$out/bare.err" | verdicts >"$out/bare" || true
    "$gosandbox" -- go test -short -count=1 -json "$package" 2>"$out/inside.err" >"$out/inside.json" || true
    verdicts <"$out/inside.json" >"$out/inside"
    printf '%s: %s tests bare, %s inside\n' "$package" "$(wc -l <"$out/bare")" "$(wc -l <"$out/inside")"
    [ -s "$out/bare" ] && [ -s "$out/inside" ] || {
        echo 'std: no test ran' >&2
        cat "$out/bare.err" "$out/inside.err" >&2
        exit 2
    }
    LC_ALL=C diff "$out/bare" "$out/inside" >"$out/diff" && continue
    sed -n 's/^</  bare  /p; s/^>/  inside/p' "$out/diff"
    # What passes bare and not inside; subtests go with the test that the page names.
    while read -r _ test _; do
        grep -qF "\`$test\`" "$differences" || grep -qF "\`${test%%/*}\`" "$differences" && continue
        printf 'std: docs/differences.md does not say why %s of %s does not pass inside\n' "$test" "$package" >&2
        status=1
    done < <(sed -n 's/^< \(.* pass\)$/\1/p' "$out/diff")
    head -c 2000 "$out/inside.err"
done
exit $status
