# Keel's front door.  `make` builds, `make run` starts a chain, `make test` runs every test.
B ?= build

.PHONY: all run test setup format e2e-packages e2e-anvil kill-test
all: setup $(B)/build.ninja
	@ninja -C $(B)

test: all e2e-packages
	@python3 tools/fixtures.py $(B)
	@python3 tools/test.py $(B)

# The end-to-end suite against Anvil: it tests the suite.  What differs on Keel is then Keel's.
e2e-anvil: e2e-packages
	@tests/e2e/run all --target anvil

# kill -9 while transactions flow, again and again; `make test` does it 20 times.
kill-test: all e2e-packages
	@tests/e2e/run durability --target $(B)/keel --kills 200

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
	@$(call npm-ci,third_party)

# The clients that the end-to-end tests run.
e2e-packages: setup
	@$(call npm-ci,tests/e2e)

npm-ci = cd $(1) && cmp -s package-lock.json node_modules/.installed || { \
	    echo "installing: $(1)/node_modules"; \
	    npm ci --loglevel=error && cp package-lock.json node_modules/.installed; \
	}
