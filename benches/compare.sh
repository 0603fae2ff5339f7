#!/usr/bin/env bash
# Whole processes side by side over the same generated configuration: reading the files (cat), proxylint, and what else is
# installed of nginx, crossplane and gixy. Prints each one's time, the ratio to cat, its speed and its peak memory.
#
#   benches/compare.sh [SITES…]      default: 2000 20000
#
# Times are the median of five runs after one to warm up: by hyperfine where it is installed, by a loop where it is not. What takes
# longer than five seconds is run once, and given up after two minutes.
set -euo pipefail
cd "$(dirname "$0")/.."

sizes=("$@")
[ ${#sizes[@]} -gt 0 ] || sizes=(2000 20000)
runs=5
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cargo build --quiet --release --bin proxylint --example generate
target=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
proxylint=$target/release/proxylint
generate=$target/release/examples/generate

has() { command -v "$1" >/dev/null 2>&1; }

# seconds COMMAND: the median wall time. A linter's exit code 1 is no failure; 2 and above are.
seconds() {
    if has hyperfine; then
        hyperfine --shell none --ignore-failure --warmup 1 --runs "$runs" --export-csv "$work/times.csv" "$1" >/dev/null 2>&1
        awk -F, 'NR == 2 { printf "%.4f", $(NF - 4) }' "$work/times.csv"
    else
        local run start
        eval "$1" >/dev/null 2>&1 || true
        for ((run = 0; run < runs; run++)); do
            start=$EPOCHREALTIME
            eval "$1" >/dev/null 2>&1 || true
            awk -v from="$start" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.4f\n", to - from }'
        done | sort -n | sed -n "$((runs / 2 + 1))p"
    fi
}

# peak COMMAND: the largest resident set in MiB, or "-" where nothing can measure it.
peak() {
    if [ -x /usr/bin/time ]; then
        /usr/bin/time --quiet -o "$work/peak" -f %M sh -c "exec $1" >/dev/null 2>&1 || true
        awk 'END { printf "%.0f", $1 / 1024 }' "$work/peak"
    elif has python3; then
        python3 - "$1" <<'PYTHON'
import resource, subprocess, sys
subprocess.run(["sh", "-c", "exec " + sys.argv[1]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024, end="")
PYTHON
    else
        printf -- -
    fi
}

# row NAME COMMAND: one line of the table. Sets `base` when it is the first.
row() {
    local time memory start status=0
    start=$EPOCHREALTIME
    timeout 120 sh -c "$2" >/dev/null 2>"$work/errors" || status=$?
    time=$(awk -v from="$start" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.4f", to - from }')
    if [ "$status" -eq 124 ]; then
        printf '  %-12s given up after 120 s\n' "$1"
        return
    fi
    if [ "$status" -gt 1 ] || { [ "$1" != proxylint ] && [ "$1" != gixy ] && [ "$status" -ne 0 ]; }; then
        printf '  %-12s failed: %s\n' "$1" "$(tail -n 1 "$work/errors")"
        return
    fi
    if awk -v time="$time" 'BEGIN { exit time > 5 }'; then time=$(seconds "$2"); fi
    memory=$(peak "$2")
    base=${base:-$time}
    awk -v name="$1" -v time="$time" -v base="$base" -v bytes="$bytes" -v memory="$memory" 'BEGIN {
        printf "  %-12s %9.3f s %8.1f × cat %9.1f MB/s %7s MiB\n", name, time, time / base, bytes / time / 1e6, memory
    }'
}

for dialect in nginx apache; do
    for sites in "${sizes[@]}"; do
        tree=$work/$dialect-$sites
        "$generate" "$dialect" "$tree" "$sites" >/dev/null
        find "$tree" -type f -print0 | sort -z >"$work/files"
        bytes=$(xargs -0 -a "$work/files" cat | wc -c)
        printf '%s, %s sites, %s files, %s bytes\n' "$dialect" "$sites" "$(tr -cd '\0' <"$work/files" | wc -c)" "$bytes"
        base=
        row cat "xargs -0 -a $work/files cat"
        row proxylint "$proxylint check --isolated --output-format concise $tree"
        if [ "$dialect" = nginx ]; then
            if has nginx; then
                # nginx opens the log files and the sockets even to test; give it neither /var/log nor port 80.
                cp -r "$tree" "$tree-tested"
                find "$tree-tested" -type f -exec sed -i 's#/var/log/nginx/[^ ;]*#/dev/null#; s/listen 80;/listen 127.0.0.1:18080;/' {} +
                row 'nginx -t' "nginx -t -q -p $tree-tested/ -c $tree-tested/nginx.conf -e /dev/null"
            fi
            if has crossplane; then row crossplane "crossplane parse --out /dev/null $tree/nginx.conf"; fi
            if has gixy; then row gixy "gixy $tree/nginx.conf"; fi
        fi
        rm -rf "$tree" "$tree-tested"
    done
done
