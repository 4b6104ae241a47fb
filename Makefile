# Every target is what a person could type; CI calls `make test` and nothing else.

SHELL     := /bin/bash
GO        ?= go
BIN       := bin
MODULE    := github.com/sallyport/sallyport
VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
COMMIT    ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null)
LDFLAGS   := -s -w -X $(MODULE)/internal/buildinfo.version=$(VERSION) -X $(MODULE)/internal/buildinfo.commit=$(COMMIT)
GOBUILD   := CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)'

# program -> folder
PROGRAMS  := sallyportd:daemon sallyport:ctl sallyport-edge:edge sallyport-tray:tray sallyport-installer:installer

# Rooms in which goroutines meet; the race detector runs on these.
RACE      := ./wire/... ./api/client/... ./internal/... ./daemon/... ./edge/...

PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

ORIGIN     ?=
DEMO_LOGIN ?=

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

.PHONY: build
build: ## build the programs into bin/
	@mkdir -p $(BIN)
	@set -e; for p in $(PROGRAMS); do \
	  if [ "$${p#*:}" = tray ] && [ "$$($(GO) env GOOS)" = darwin ]; then continue; fi; \
	  echo "build $(BIN)/$${p%%:*}"; $(GOBUILD) -o $(BIN)/$${p%%:*}$$($(GO) env GOEXE) ./$${p#*:}; \
	done

.PHONY: deps
deps: ## install what the tests use (as root; says what it leaves out elsewhere)
	@GO=$(GO) test/scripts/deps.sh

.PHONY: test
test: deps build race fuzzseeds ## everything CI checks: tests (with -race where goroutines meet), 2 s a fuzz target, stories on the real programs
	SALLYPORT_BIN=$(CURDIR)/$(BIN) $(GO) test -timeout 14m $$($(GO) list ./... | grep -vxFf <($(GO) list $(RACE)))

# Where deps installs everything, a test that something is missing for fails.
test: export SALLYPORT_ALL := $(shell [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && echo 1)

# Where the tray's stories keep their screenshots.
test e2e packagestest: export SALLYPORT_SHOTS ?= $(CURDIR)/$(BIN)/shots

.PHONY: race
race: ## the tests of the concurrent rooms under the race detector (plain where there is no C compiler)
	@if command -v $${CC:-cc} >/dev/null || command -v gcc >/dev/null; then \
	  CGO_ENABLED=1 $(GO) test -race -timeout 10m $(RACE); \
	else echo 'race: no C compiler: the tests run without the race detector'; $(GO) test -timeout 10m $(RACE); fi

.PHONY: fuzzseeds
fuzzseeds: ## every fuzz target for 2 s
	@GO=$(GO) test/scripts/fuzz.sh 2s

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (1m)
	@GO=$(GO) test/scripts/fuzz.sh $(or $(FUZZTIME),1m)

.PHONY: e2e
e2e: deps build ## the stories on the real programs, one line each
	SALLYPORT_BIN=$(CURDIR)/$(BIN) $(GO) test -count=1 -timeout 20m -v ./test/e2e/... | grep -E '^(=== NAME|---|\s+---|ok|FAIL|PASS|panic)|skipped'; exit $${PIPESTATUS[0]}

.PHONY: bench
bench: build ## the benchmark table (BENCH=-quick for two minutes)
	$(GOBUILD) -o $(BIN)/bench ./test/bench
	$(GOBUILD) -o $(BIN)/fleet ./daemon/internal/link/fleet
	CGO_ENABLED=0 $(GO) test -c -trimpath -o $(BIN)/policy.test ./edge/internal/policy
	SALLYPORT_BIN=$(CURDIR)/$(BIN) $(BIN)/bench run $(BENCH)

.PHONY: peers
peers: build ## the benchmark beside ssh, frp and chisel, as far as they are to be had (PEERS='-only up1,ping1')
	$(GOBUILD) -o $(BIN)/bench ./test/bench
	$(GOBUILD) -o $(BIN)/fleet ./daemon/internal/link/fleet
	CGO_ENABLED=0 $(GO) test -c -trimpath -o $(BIN)/policy.test ./edge/internal/policy
	SALLYPORT_BIN=$(CURDIR)/$(BIN) test/scripts/peers.sh $(PEERS)

.PHONY: faults
faults: build ## faults and hostile peers on the real programs, one table (FAULTS='-short -run TEXT')
	$(GOBUILD) -o $(BIN)/faults ./test/faults
	$(GOBUILD) -o $(BIN)/fleet ./daemon/internal/link/fleet
	SALLYPORT_BIN=$(CURDIR)/$(BIN) $(BIN)/faults $(FAULTS)

.PHONY: demo
demo: build ## the main job on this machine (ORIGIN=localhost:5432, DEMO_LOGIN=auto)
	@$(GOBUILD) -o $(BIN)/demo ./test/demo
	@SALLYPORT_BIN=$(CURDIR)/$(BIN) $(BIN)/demo -dir $(CURDIR)/demo -origin '$(ORIGIN)' -login '$(DEMO_LOGIN)'

.PHONY: lint
lint: ## vet, gofmt, staticcheck, the rules of the house
	$(GO) vet ./...
	@out=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$out" ]; then echo "gofmt: $$out"; exit 1; fi
	$(GO) tool -modfile=tools/go.mod staticcheck ./...
	$(GO) test ./internal/archtest

.PHONY: cross
cross: ## build and vet for every platform (the program of the tray on darwin needs a Mac)
	@set -e; for p in $(PLATFORMS); do \
	  export GOOS=$${p%/*} GOARCH=$${p#*/} CGO_ENABLED=0; skip='^$$'; \
	  if [ $$GOOS = darwin ]; then skip='$(MODULE)/tray$$'; fi; \
	  pkgs=$$($(GO) list -f '{{if .GoFiles}}{{.ImportPath}}{{end}}' ./... | grep -v "$$skip"); \
	  echo "cross $$p"; $(GO) build -trimpath $$pkgs; $(GO) vet $$($(GO) list ./... | grep -v "$$skip"); \
	done

.PHONY: dist
dist: ## deb, rpm, MSI, tarballs, checksums and bills of materials into dist/ (DIST=-quick: this architecture, and the MSI)
	@command -v wixl >/dev/null || test/scripts/distdeps.sh
	SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct)} $(GO) run ./packaging -go $(GO) -version '$(VERSION)' -commit '$(COMMIT)' -commits $$(git rev-list --count HEAD) -out $(or $(DISTDIR),dist) $(DIST)

ROOTFS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/sallyport-test/bookworm

.PHONY: packagestest
packagestest: ## packages and installer on a booted systemd, and with SysV init, OpenRC and rpm, and under Wine (root; makes a Debian tree once; 4 minutes)
	@test/scripts/distdeps.sh && test/scripts/rootfs.sh '$(ROOTFS)'
	$(MAKE) dist DIST=-quick
	cd test/packages && SALLYPORT_DIST=$(CURDIR)/dist SALLYPORT_ROOTFS='$(ROOTFS)' CGO_ENABLED=0 $(GO) test -count=1 -timeout 20m -v .
	lintian --fail-on error,warning dist/*.deb
	test/scripts/rpmlint.sh dist/*.rpm

.PHONY: disttest
disttest: ## two builds from two folders are the same, byte for byte
	@set -e; d=$$(mktemp -d); trap 'git worktree remove --force $$d/tree; rm -rf $$d' EXIT; git worktree add -q --detach $$d/tree; \
	$(MAKE) dist DISTDIR=$$d/one VERSION='$(VERSION)'; $(MAKE) -C $$d/tree dist DISTDIR=$$d/two VERSION='$(VERSION)'; \
	cd test/packages && SALLYPORT_DIST=$$d/one SALLYPORT_DIST2=$$d/two $(GO) test -count=1 -v -run TestSecondBuildIsTheSame .

.PHONY: clean
clean: ## remove what was built
	rm -rf $(BIN) dist demo
