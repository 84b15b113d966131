# SPDX-License-Identifier: Apache-2.0
# The server alone; docker-compose.yml puts PostgreSQL beside it.
FROM debian:bookworm-slim AS build
WORKDIR /tantu
COPY scripts/packages scripts/lib.sh scripts/
RUN bash -c 'source scripts/lib.sh && install_packages build'
COPY CMakeLists.txt CMakePresets.json ./
COPY cmake cmake
COPY tests/CMakeLists.txt tests/
COPY service service
COPY db db
COPY api api
COPY workers workers
COPY commands commands
RUN bash -c 'source scripts/lib.sh && build release tantu'

FROM debian:bookworm-slim
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends ca-certificates libuv1 libpq5 libjansson4 libsodium23 libexpat1 \
    libminizip1 zlib1g libxlsxwriter4 tzdata \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /var/lib/tantu tantu \
 && install -d -o tantu -g tantu -m 0700 /var/lib/tantu
COPY --from=build /tantu/build/release/tantu /usr/bin/tantu
COPY docker/start /usr/lib/tantu/start
USER tantu
ENV TANTU_VAR=/var/lib/tantu TANTU_LISTEN=0.0.0.0:8080
VOLUME /var/lib/tantu
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["/usr/lib/tantu/start", "check"]
ENTRYPOINT ["/usr/lib/tantu/start"]
CMD ["serve"]
