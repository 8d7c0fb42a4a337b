#!/usr/bin/env bash
# Kills the real daemon so many times (default 1000) while it renews, from a seed of its own (default: by chance), however
# long it takes.
#
#   tests/renewal/kills.sh 10000
#   tests/renewal/kills.sh 1000 7
#
# NOTAFTER_KILL_PROGRAM=target/release/notafter tries another build than the one of the tests.
set -euo pipefail
cd "$(dirname "$0")/../.."
export NOTAFTER_RENEWAL_KILLS=${1:-1000} NOTAFTER_RENEWAL_KILL_SEED=${2:-$RANDOM}
[ -z "${NOTAFTER_KILL_PROGRAM:-}" ] || NOTAFTER_KILL_PROGRAM=$(realpath "$NOTAFTER_KILL_PROGRAM")
exec cargo test --test renewal -- --nocapture a_daemon_that_is_killed
