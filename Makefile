# One command each; the same in CI (.ci/run).
#
#   make run          the gateway on high ports in front of two sample tenants; Ctrl-C ends it
#   make demo-acme    the gateway obtaining certificates from an authority on this machine; Ctrl-C ends it
#   make build        bin/gatehouse, static
#   make check        vet, staticcheck, gofumpt, tidy go.mod, shellcheck, house laws
#   make test         installs what is missing, race tests with end-to-end, image, unit, ten seconds per fuzz target
#   make fuzz         every fuzz target for FUZZTIME
#   make bench        Go benchmarks, then CPU per proxied request beside nginx
#   make neighbour    what one tenant feels of another, beside nginx and HAProxy; as root, half an hour
#   make cover        coverage by package

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
FUZZTIME ?= 60s
TOOLS    := bin/tools
LDFLAGS  := -s -w -X main.version=$(VERSION)

.PHONY: run demo-acme build check test fuzz bench neighbour cover clean

run: build
	./bin/gatehouse demo

demo-acme: build
	./test/install acme
	go run ./test/acmelab

build:
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/gatehouse ./cmd/gatehouse

check:
	./test/install check
	go vet ./...
	$(TOOLS)/staticcheck ./...
	@unformatted="$$($(TOOLS)/gofumpt -l .)"; \
	if [ -n "$$unformatted" ]; then echo "gofumpt -w would change:"; echo "$$unformatted"; exit 1; fi
	go mod tidy -diff
	shellcheck .ci/run test/install test/fuzz test/image test/systemd bench/run
	go test ./internal/house/

test:
	./test/install test
	go test -race -timeout 15m ./...
	./test/fuzz 10s
	./test/systemd
	./test/image

fuzz:
	./test/fuzz $(FUZZTIME)

bench:
	./test/install bench
	go test -run '^$$' -bench . -benchmem ./...
	./bench/run

neighbour:
	./test/install bench
	go run ./bench/neighbour

cover:
	@mkdir -p bin
	go test -coverprofile=bin/cover.out ./...
	go tool cover -func=bin/cover.out | tail -n 1

clean:
	rm -rf bin dist
