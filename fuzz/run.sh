#!/usr/bin/env bash
#
# Builds the fuzz targets and runs one, until something is found or its time is up:
#
#   fuzz/run.sh TARGET [OPTION OF LIBFUZZER...]       such as -max_total_time=3600, -runs=1000000
#   fuzz/run.sh TARGET FILE                           one input again, such as one that was found
#   fuzz/run.sh                                       all targets, a few seconds each: a minute in all
#
# What it learns it keeps in target/fuzz/corpus, beside the seeds of fuzz/corpus; what breaks something is a
# file in target/fuzz/found.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=${CARGO_TARGET_DIR:-target}
learned=$target/fuzz
names=()
for file in fuzz/targets/*.rs; do
    name=${file##*/}
    names+=("${name%.rs}")
done

RUSTC_WORKSPACE_WRAPPER=$PWD/fuzz/instrument.sh cargo build --locked --release --package mien-fuzz --bins

# What targets read as files is written there: to memory where that is a folder, which takes a tenth of the time.
scratch=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export TMPDIR=$scratch

# fuzz NAME CORPUS [OPTION...]
fuzz() {
    local name=$1 corpus=$2 options=(-timeout=10 -rss_limit_mb=1024 -print_final_stats=1)
    shift 2
    if [ -f "fuzz/dictionaries/$name.dict" ]; then options+=("-dict=fuzz/dictionaries/$name.dict"); fi
    mkdir -p "$corpus" "$learned/found"
    "$target/release/$name" "${options[@]}" "-artifact_prefix=$learned/found/$name-" "$@" "$corpus" "fuzz/corpus/$name"
}

if [ $# -gt 0 ]; then
    name=$1
    shift
    [ -f "fuzz/targets/$name.rs" ] || {
        echo "There is no target $name; there are ${names[*]}." >&2
        exit 2
    }
    if [ $# -gt 0 ] && [ -f "$1" ]; then
        "$target/release/$name" -timeout=10 -rss_limit_mb=1024 "$@"
        exit
    fi
    fuzz "$name" "$learned/corpus/$name" "$@"
    exit
fi

for name in "${names[@]}"; do
    log=$scratch/$name.log
    if ! fuzz "$name" "$scratch/corpus/$name" "-max_total_time=$((60 / ${#names[@]}))" >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        echo "error: fuzzing found something; again: fuzz/run.sh $name $(sed -n 's/.*Test unit written to //p' "$log")" >&2
        exit 1
    fi
    printf '    %-12s %s executions\n' "$name" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")"
done
