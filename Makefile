# The habits of the house. `make test` is what a newcomer runs; `make check` is what a commit must pass.
CARGO ?= cargo

.PHONY: demo test check fmt clippy tools bench packages

demo:
	$(CARGO) run --release -- demo

# promtool checks the metrics page, prometheus reads it, alertmanager takes alerts, and a private PostgreSQL server takes
# the store; Chromium looks at the pages, driven by packages from npm. They come with Debian's packages.
test: tools
	$(CARGO) test --all-targets

check: tools
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings
	$(CARGO) test --all-targets
	promtool check rules grafana/rules.yml
	promtool test rules grafana/rules_test.yml
	python3 -m json.tool grafana/notafter.json > /dev/null
	$(CARGO) check --locked --manifest-path bench/Cargo.toml

fmt:
	$(CARGO) fmt

clippy:
	$(CARGO) clippy --all-targets -- -D warnings

# target/debian and target/rpm
packages:
	packaging/build
	packaging/deb
	packaging/rpm

bench:
	bench/run

# PostgreSQL's programs are not on the PATH: Debian keeps each version in a folder of its own.
tools:
	@missing=; \
	{ command -v promtool && command -v prometheus; } > /dev/null || missing="$$missing prometheus"; \
	command -v prometheus-alertmanager > /dev/null || missing="$$missing prometheus-alertmanager"; \
	ls /usr/lib/postgresql/*/bin/initdb > /dev/null 2>&1 || missing="$$missing postgresql"; \
	command -v chromium > /dev/null || missing="$$missing chromium"; \
	command -v npm > /dev/null || missing="$$missing npm"; \
	[ -z "$$missing" ] || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; \
	  else \
	    echo "missing:$$missing; install these Debian packages and run again" >&2; exit 1; \
	  fi; }
