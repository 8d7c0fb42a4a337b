# The habits of the house. `make test` is what a newcomer runs; `make check` is what a commit must pass.
CARGO ?= cargo

.PHONY: demo test check fmt clippy promtool bench

demo:
	$(CARGO) run --release -- demo

# promtool checks the metrics page and prometheus reads it; both come with Debian's package `prometheus`.
test: promtool
	$(CARGO) test --all-targets

check: promtool
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings
	$(CARGO) test --all-targets
	promtool check rules grafana/rules.yml
	python3 -m json.tool grafana/notafter.json > /dev/null
	$(CARGO) check --locked --manifest-path bench/Cargo.toml

fmt:
	$(CARGO) fmt

clippy:
	$(CARGO) clippy --all-targets -- -D warnings

bench:
	bench/run

promtool:
	@command -v promtool > /dev/null && command -v prometheus > /dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends prometheus; \
	  else \
	    echo "promtool or prometheus is missing: install the Debian package 'prometheus' (or Prometheus' own archive) and run again" >&2; exit 1; \
	  fi; }
