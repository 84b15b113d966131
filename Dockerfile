# SPDX-License-Identifier: Apache-2.0
# The server alone, installed from its Debian package; docker-compose.yml puts PostgreSQL beside it.
# It runs with a read-only root; its data is in /var/lib/tantu.
FROM debian:bookworm-slim AS build
WORKDIR /tantu
COPY scripts/packages scripts/lib.sh scripts/
RUN bash -c 'source scripts/lib.sh && install_packages build package'
COPY . .
RUN scripts/package

FROM debian:bookworm-slim
COPY --from=build /tantu/build/package/tantu_*.deb /tmp/
RUN groupadd --gid 10001 tantu \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/tantu --shell /usr/sbin/nologin tantu \
 && apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends /tmp/tantu_*.deb ca-certificates \
 && rm -rf /tmp/tantu_*.deb /var/lib/apt/lists/*
USER 10001:10001
ENV TANTU_CONFIG="" TANTU_VAR=/var/lib/tantu TANTU_LISTEN=0.0.0.0:8080
VOLUME /var/lib/tantu
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["/usr/bin/tantu", "health"]
ENTRYPOINT ["/usr/bin/tantu"]
CMD ["serve"]
