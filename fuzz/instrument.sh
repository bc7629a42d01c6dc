#!/usr/bin/env bash
#
# A compiler that counts which way a program goes, which libFuzzer needs, and checks every sum for overflow. As
# RUSTC_WORKSPACE_WRAPPER it compiles Mien and the targets so, and nothing that they depend on.
#
# These are the options of `cargo fuzz`, without a sanitizer, which takes another compiler: safe code needs none.
#
# Not with `trace-compares`, as that has it: it would take three quarters of the time of the kernels' loops. What
# is compared with is in the dictionaries.

exec "$@" -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=3 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Ccodegen-units=1 -Cdebug-assertions=on -Coverflow-checks=on
