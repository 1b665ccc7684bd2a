# syntax=docker/dockerfile:1
# The agent as an image: docker build -t anabranch .

FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --profile dist --locked --bin anabranch \
    && install -D -m 0755 target/dist/anabranch /image/usr/bin/anabranch \
    && install -D -m 0644 deploy/config/image.yaml /image/etc/anabranch/anabranch.yaml \
    && install -d -m 0750 -o 65532 -g 65532 /image/var/lib/anabranch

# The C library, libgcc and the public certificates, no shell; 65532 is its user `nonroot`.
FROM gcr.io/distroless/cc-debian12:nonroot
LABEL org.opencontainers.image.title="anabranch" \
    org.opencontainers.image.description="Log collection agent and data hub connector" \
    org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build --chown=0:0 /image/usr /usr
COPY --from=build --chown=0:0 /image/etc /etc
COPY --from=build --chown=65532:65532 /image/var/lib/anabranch /var/lib/anabranch
USER 65532:65532
WORKDIR /var/lib/anabranch
VOLUME /var/lib/anabranch
# HTTP source, syslog. Admin and hub listen inside alone, unless a configuration of your own says otherwise.
EXPOSE 8687 5514/udp 5514
# There is no HEALTHCHECK: there is no program in the image that could ask; /health is on port 9690.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/anabranch"]
CMD ["run", "/etc/anabranch/anabranch.yaml"]
