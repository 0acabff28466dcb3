#!/bin/sh
# Fuzzes one target after the other: `inngest/fuzz/run.sh [seconds] [target...]`.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-60}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- request signature duration memo encrypted paths expressions sizes
# cargo-fuzz needs flags of the nightly compiler; this lets the stable one have them.
export RUSTC_BOOTSTRAP=1
for target; do
    mkdir -p "fuzz/corpus/$target"
    # No sanitizer: the crate forbids unsafe code, and the executions are worth more.
    cargo fuzz run --sanitizer none "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
        -dict=fuzz/json.dict -max_total_time="$seconds" -timeout=10 -print_final_stats=1
done
