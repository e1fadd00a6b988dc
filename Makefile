# Keel's front door.  `make` builds, `make run` starts a chain, `make test` runs every test.
B ?= build

.PHONY: all run test setup format
all: setup $(B)/build.ninja
	@ninja -C $(B)

test: all
	@python3 tools/fixtures.py $(B)
	@python3 tools/test.py $(B)

$(B)/build.ninja:
	@meson setup $(B)

format:
	@clang-format-14 -i $$(git ls-files 'src/*.[ch]')

# Installs what is missing: Debian packages, and locked sources from npm.
PACKAGES := pkg-config python3 meson ninja-build clang-14 libclang-rt-14-dev liblmdb-dev \
            libsecp256k1-dev libssl-dev libgmp-dev zstd $(if $(shell command -v npm),,npm)
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
setup:
	@missing=$$(for p in $(PACKAGES); do \
	    dpkg-query -W -f '$${db:Status-Status}\n' $$p 2>/dev/null | grep -qx installed || echo $$p; done); \
	if [ -n "$$missing" ]; then \
	    echo "installing:" $$missing; \
	    $(SUDO) apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq --no-install-recommends $$missing; \
	fi
	@cd third_party && cmp -s package-lock.json node_modules/.installed || { \
	    echo "installing: third_party/node_modules"; \
	    npm ci --loglevel=error && cp package-lock.json node_modules/.installed; \
	}
