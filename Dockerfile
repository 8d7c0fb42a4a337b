# docker build --build-arg REVISION="$(git rev-parse --short=12 HEAD)" -t notafter .
#
# Nothing but the program, its C library and the authorities it trusts; no shell, no root, a file system that may be
# read-only. How to run it: docs/install.md.
FROM rust:1.95-bookworm AS build
WORKDIR /notafter
# For the list of parts (packaging/supply), and for what the program trusts.
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 ca-certificates \
 && rm -rf /var/lib/apt/lists/*
COPY . .
ARG REVISION=unknown
ARG SOURCE_DATE_EPOCH
RUN NOTAFTER_REVISION="$REVISION" packaging/build \
 && packaging/image /image target/release/notafter

FROM scratch
ARG REVISION=unknown
LABEL org.opencontainers.image.title="notafter" \
      org.opencontainers.image.description="Watches the TLS certificates that clouds issue for managed databases, caches and load balancers" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=build /image/ /
# A number, so that a cluster can see that it is not root.
USER 65532:65532
# Where systemd would say so: the store, and the socket that the commands use.
ENV STATE_DIRECTORY=/var/lib/notafter RUNTIME_DIRECTORY=/run/notafter
VOLUME ["/var/lib/notafter"]
EXPOSE 9809
# Asks the daemon over its socket; fails when nobody answers there.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["/usr/bin/notafter", "status"]
ENTRYPOINT ["/usr/bin/notafter"]
CMD ["run"]
