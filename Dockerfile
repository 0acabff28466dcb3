# The dependencies stand in a layer of their own: a change of the service's own code does not build them again.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY functions/Cargo.toml functions/
COPY inngest/Cargo.toml inngest/
COPY inngest/dev-server/Cargo.toml inngest/dev-server/
COPY sandbox/Cargo.toml sandbox/
COPY benches/serve/Cargo.toml benches/serve/
# The manifests name these files. Empty ones are enough for the dependencies.
RUN mkdir -p src functions/src inngest/src inngest/dev-server/src inngest/dev-server/tests/it sandbox/src \
    inngest/examples/conformance benches/serve/src benches/serve/benches \
    && touch src/lib.rs functions/src/lib.rs inngest/src/lib.rs inngest/dev-server/src/lib.rs sandbox/src/lib.rs \
    inngest/dev-server/tests/it/main.rs benches/serve/benches/instructions.rs benches/serve/benches/parts.rs \
    inngest/examples/conformance/main.rs inngest/examples/differential.rs inngest/examples/hello.rs inngest/examples/trace.rs \
    && echo 'fn main() {}' | tee src/main.rs > benches/serve/src/main.rs \
    && cargo build --release --locked -p prometei-flow
COPY functions functions
COPY inngest inngest
COPY sandbox sandbox
COPY src src
# Cargo goes by the times of the files, and those of the repository may be older than the empty ones.
RUN find src functions inngest sandbox -name '*.rs' -exec touch {} + \
    && cargo build --release --locked -p prometei-flow

FROM debian:bookworm-slim
# The roots of TLS are those of the system.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -o 10001 -g 10001 -m 0700 /data
COPY --from=build /build/target/release/prometei-flow /usr/local/bin/
USER 10001:10001
# The only place that it writes to, and that only with SQLite: all else may be read-only.
VOLUME /data
WORKDIR /data
# The admin listener stays on the container's own loopback. To let Prometheus in: ADMIN_ADDR=0.0.0.0:3001 and ADMIN_TOKEN.
ENV HOST=0.0.0.0 LOG_FORMAT=json DATABASE_URL=sqlite:///data/prometei-flow.db
EXPOSE 3000
HEALTHCHECK --interval=30s --timeout=10s --start-period=20s CMD ["prometei-flow", "healthcheck"]
ENTRYPOINT ["prometei-flow"]
CMD ["serve"]
