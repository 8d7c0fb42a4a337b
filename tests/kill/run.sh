#!/usr/bin/env bash
# Kills the real daemon so many times (default 1000), from a seed of its own (default: by chance), however long it takes.
#
#   tests/kill/run.sh 10000
#   tests/kill/run.sh 1000 7
#
# NOTAFTER_KILL_PROGRAM=target/release/notafter tries another build than the one of the tests.
set -euo pipefail
cd "$(dirname "$0")/../.."
export NOTAFTER_KILLS=${1:-1000} NOTAFTER_KILL_SEED=${2:-$RANDOM}
[ -z "${NOTAFTER_KILL_PROGRAM:-}" ] || NOTAFTER_KILL_PROGRAM=$(realpath "$NOTAFTER_KILL_PROGRAM")
exec cargo test --test kill -- --nocapture
