# Sourced by the tests of the packages. Each check says what it found; the first one that fails ends the test.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
: "${ROOT:?}" "${OUT:?}" "${PROGRAM:?}"

fail() {
  echo "failed: $*" >&2
  exit 1
}

# equal NAME WANT GOT
equal() { [ "$2" = "$3" ] || fail "$1: wanted '$2', got '$3'"; }

# Owner, group and mode of a path inside the root.
rights() { chroot "$ROOT" stat -c '%U:%G %a' "$1"; }

# Quiet unless it fails.
quietly() { "$@" > "$OUT/log" 2>&1 || { cat "$OUT/log" >&2; fail "$*"; }; }

# What is in the root: paths, owners and modes, without what package managers write down for themselves.
listing() {
  (cd "$ROOT" && find . -xdev \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./tmp -o -path ./run -o -path ./var/lib/dpkg -o -path ./var/lib/rpm \
    -o -path ./var/log -o -path ./var/cache -o -path ./var/lib/systemd \) -prune -o -printf '%p %u:%g %m\n' | LC_ALL=C sort)
}

# A systemctl that writes down what it is asked, as if systemd ran: started units count as active.
fake_systemd() {
  [ ! -e "$ROOT/usr/sbin/systemctl" ] || fail "this Debian has a systemctl of its own"
  mkdir -p "$ROOT/run/systemd/system"
  cat > "$ROOT/usr/sbin/systemctl" << 'STUB'
#!/bin/sh
echo "$*" >> /run/systemctl.log
case " $* " in
*" is-active "*) test -e /run/active ;;
*" is-enabled "*) echo enabled ;;
*" start "* | *" restart "*) touch /run/active ;;
*" stop "*) rm -f /run/active ;;
esac
STUB
  chmod 755 "$ROOT/usr/sbin/systemctl"
  forget
}

forget() { : > "$ROOT/run/systemctl.log"; }
# What systemd was asked about running the service since then.
asked() { grep -oE '^(--[a-z-]+ )*(start|stop|restart) ' "$ROOT/run/systemctl.log" | sed 's/--[a-z-]* //g' | tr -d '\n' || true; }

no_systemd() {
  rm -rf "$ROOT/usr/sbin/systemctl" "$ROOT/run/systemd" "$ROOT/run/systemctl.log" "$ROOT/run/active"
}

# An account that needs nothing from outside: its keys lie in files, and nothing listens where its cloud should be.
configure() {
  cat > "$ROOT/etc/notafter/config.toml" << 'CONFIG'
# ours
[[account]]
name = "prod"
provider = "alibaba"
regions = ["cn-hangzhou"]
credentials = { access_key_id = { file = "/etc/notafter/id" }, access_key_secret = { file = "/etc/notafter/secret" } }
endpoints = { redis = "http://127.0.0.1:9", rds = "http://127.0.0.1:9", mongodb = "http://127.0.0.1:9" }
[web]
listen = ["127.0.0.1:19811"]
control_socket = "/var/lib/notafter/control.sock"
[store]
url = "sqlite:/var/lib/notafter/notafter.db"
CONFIG
  for file in id secret; do
    echo "some-$file" > "$ROOT/etc/notafter/$file"
    chroot "$ROOT" chown root:notafter "/etc/notafter/$file"
    chmod 640 "$ROOT/etc/notafter/$file"
  done
}

as_service() { chroot --userspec=notafter:notafter "$ROOT" "$@"; }

# The installed program runs in its place, as its user, with its configuration, and ends when it is told to.
runs() {
  equal "the program's version" "$("$PROGRAM" --version)" "$(chroot "$ROOT" notafter --version)"
  configure
  as_service notafter config > "$OUT/effective" || fail "the configuration is refused"
  ! grep -q some-secret "$OUT/effective" || fail "a secret is shown"
  # not the function: the signal below must reach the program itself
  chroot --userspec=notafter:notafter "$ROOT" notafter run > "$OUT/run.log" 2>&1 &
  daemon=$!
  for _ in $(seq 100); do as_service notafter status > "$OUT/status" 2>&1 && break; sleep 0.1; done
  grep -q '^store .* in use' "$OUT/status" || { cat "$OUT/run.log" "$OUT/status" >&2; kill "$daemon"; fail "the daemon does not answer"; }
  kill -TERM "$daemon"
  wait "$daemon" || { cat "$OUT/run.log" >&2; fail "the daemon does not end well"; }
  equal "its store" "notafter:notafter 600" "$(rights /var/lib/notafter/notafter.db)"
}
