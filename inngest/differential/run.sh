#!/bin/sh
# Compares the answers of the official TypeScript SDK with ours. Needs node 20, npm and cargo. See README.md.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
pids=
# `end` stops only what was started here.
end() {
    for pid in $pids; do kill "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap end EXIT
trap 'exit 130' INT TERM

cp "$here/app.mjs" "$work"
(cd "$work" && npm init -y >/dev/null && npm install --silent --ignore-scripts "inngest@${INNGEST_TS:-4}")
node -p '"official: inngest " + JSON.parse(fs.readFileSync(process.argv[1])).version' \
    "$work/node_modules/inngest/package.json"

# The program itself, not `cargo run`: killing cargo would leave it running.
rust=$(cd "$here/../.." && cargo build --quiet -p inngest --no-default-features --features axum --example differential --message-format=json |
    sed -n 's/.*"executable":"\([^"]*differential[^"]*\)".*/\1/p')

official_port=${OFFICIAL_PORT:-3461} our_port=${OUR_PORT:-3462}
(cd "$work" && PORT=$official_port exec node app.mjs) >"$work/official.log" 2>&1 &
pids="$pids $!"
PORT=$our_port "$rust" >"$work/ours.log" 2>&1 &
pids="$pids $!"

for port in "$official_port" "$our_port"; do
    tries=0
    until curl -fs -o /dev/null "http://127.0.0.1:$port/api/inngest"; do
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] || { cat "$work"/*.log; exit 1; }
        sleep 0.1
    done
done
node "$here/compare.mjs" "http://127.0.0.1:$official_port/api/inngest" "http://127.0.0.1:$our_port/api/inngest"
