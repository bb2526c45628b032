# Builds a static binary and puts it alone into an image: no shell, no libc, nothing else to keep updated.
# CA roots and the time zone database are linked in.
#
#   docker build --build-arg VERSION="$(git describe --tags --always)" -t gatehouse .
#   docker run -p 80:80 -p 443:443 -v /etc/gatehouse:/etc/gatehouse:ro -v gatehouse-state:/var/lib/gatehouse gatehouse
#
# Ports below 1024: Docker lets every user bind them; Kubernetes wants the sysctl net.ipv4.ip_unprivileged_port_start=0
# in the pod, or higher ports in gatehouse.yaml.
ARG GO_IMAGE=golang:1.26
FROM ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/gatehouse ./cmd/gatehouse \
 && mkdir -m 0700 /out/state

FROM scratch
COPY --from=build /out/gatehouse /gatehouse
COPY --from=build --chown=65532:65532 /out/state /var/lib/gatehouse
USER 65532:65532
EXPOSE 80 443
# Certificates, ticket keys and last good tenant files outlive the container here.
VOLUME ["/var/lib/gatehouse"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["/gatehouse", "status"]
ENTRYPOINT ["/gatehouse"]
CMD ["run"]
