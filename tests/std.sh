#!/usr/bin/env bash
# Runs the tests of packages of the standard library, bare and in gosandbox, by the same toolchain
# and user, and lists the tests whose verdicts differ. Slow: not part of `cargo test`.
#
#   tests/std.sh GOSANDBOX [PACKAGE]...
#
# docs/differences.md says why those that differ do.
set -euo pipefail
[ $# -ge 1 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 2; }
gosandbox=$(realpath "$1")
shift
packages=("$@")
[ $# -gt 0 ] || packages=(os net net/http os/exec syscall time)

goroot=$(go env GOROOT)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
export CGO_ENABLED=0 GOFLAGS= GOTOOLCHAIN=local

# Lines of "verdict package test", sorted.
verdicts() {
    sed -n 's/.*"Action":"\(pass\|fail\|skip\)","Package":"\([^"]*\)","Test":"\([^"]*\)".*/\2 \3 \1/p' |
        sort -u
}

cd "$goroot/src"
status=0
for package in "${packages[@]}"; do
    go test -short -count=1 -json "$package" 2>"$out/bare.err" | verdicts >"$out/bare" || true
    "$gosandbox" -- go test -short -count=1 -json "$package" 2>"$out/inside.err" >"$out/inside.json" || true
    verdicts <"$out/inside.json" >"$out/inside"
    printf '%s: %s tests bare, %s inside\n' "$package" "$(wc -l <"$out/bare")" "$(wc -l <"$out/inside")"
    if ! diff "$out/bare" "$out/inside" >"$out/diff"; then
        status=1
        sed -n 's/^</  bare  /p; s/^>/  inside/p' "$out/diff"
        head -c 2000 "$out/inside.err"
    fi
done
exit $status
