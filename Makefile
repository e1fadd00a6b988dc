# Keel's front door.  `make` builds, `make run` starts a chain, `make test` runs every test;
# `make help` lists the rest.
B    ?= build
TIME ?= 60

.DEFAULT_GOAL := all
.PHONY: all run test check-style format bench bench-net asan ubsan tsan fuzz coverage fuzz-evm e2e-anvil kill-test soak powercut sim-long engine-long model-long twins-long install clean \
        help setup tools e2e-packages

all: setup $(B)/build.ninja ## build build/keel, after installing what is missing
	@ninja -C $(B) keel

run: all ## start a development chain: `keel dev`
	@exec $(B)/keel dev

test: tools e2e-packages $(B)/build.ninja build-asan/build.ninja build-tsan/build.ninja ## run every test; the last line sums them up
	@ninja -C $(B)
	@ninja -C build-asan
	@ninja -C build-tsan keel $(THREADED:=_test)
	@python3 tools/fixtures.py $(B)
	@$(FIXTURES) python3 tools/test.py $(B) + build-asan unit fuzz conformance $(SLOW) \
	    + build-tsan $(THREADED) conformance/BlockchainTests/InvalidBlocks

check-style: tools ## check the rules of STYLE.md that a program can check
	@python3 tools/style.py

format: tools ## lay out the code
	@clang-format-14 -i $$(git ls-files 'src/*.[ch]')

bench: all ## run the benchmarks of the layers
	@meson test -C $(B) --benchmark --verbose

bench-net: all ## measure four validators on this machine, and again with syncs that take 4 ms
	@$(B)/keel bench net --seconds 60 --light 500
	@$(B)/keel bench net --light 500 --fsync-delay 4ms

asan: ## run every suite under the sanitizers of addresses and of undefined behaviour
ubsan: ## run every suite under the latter alone
tsan: ## run every suite under the sanitizer of threads
asan ubsan tsan: %: tools e2e-packages build-%/build.ninja
	@ninja -C build-$@
	@python3 tools/fixtures.py $(B)
	@$(FIXTURES) python3 tools/test.py build-$@ unit fuzz conformance e2e bench $(if $(filter tsan,$@),$(SLOW))

fuzz: tools build-fuzz/build.ninja ## fuzz every decoder, or TARGET alone, for TIME seconds
	@ninja -C build-fuzz fuzzers
	@python3 tools/fuzz.py build-fuzz $(TIME) $(TARGET)

coverage: tools build-coverage/build.ninja ## measure how many branches of its decoder each corpus reaches
	@ninja -C build-coverage fuzzers
	@python3 tools/coverage.py build-coverage

fuzz-evm: all e2e-packages ## let EthereumJS judge about CASES random state tests, from SEED on
	@tests/e2e/run fuzz --target $(B)/keel --cases $(CASES) --seed $(SEED)
CASES ?= 10000
SEED  ?= 1

e2e-anvil: e2e-packages ## run the end-to-end tests against Anvil: they test the tests
	@tests/e2e/run all --target anvil

kill-test: all e2e-packages ## kill -9 while transactions flow, 200 times; `make test` does 20
	@tests/e2e/run durability --target $(B)/keel --kills 200

soak: all e2e-packages $(if $(OTHER),,build-other/build.ninja) ## what may befall networks of validators, under load, one thing after another (an hour); ROW: a part of a name; OTHER: an older build
	@$(if $(OTHER),,ninja -C build-other keel)
	@tests/e2e/run soak --target $(B)/keel $(if $(ROW),--run "$(ROW)") --other $(or $(OTHER),build-other/keel)

powercut: setup $(B)/build.ninja ## cut the power behind every disk operation of 300 lives of a chain; `make test` has 1
	@ninja -C $(B) chain_test
	@KEEL_POWERCUT=300 $(B)/chain_test powercut

sim-long: all ## search for seeds that break a network of nodes: SEEDS of them, from FROM on, for each n of NODES; a tenth of them joined by p2p
	@failed=0; : >$(B)/sim-long; for n in $(NODES); do for wire in "" --wire; do \
	  seeds=$(SEEDS); [ -z "$$wire" ] || seeds=$$(((seeds + 9) / 10)); \
	  $(B)/keel sim --seed $(FROM) --seeds $$seeds --nodes $$n $$wire >>$(B)/sim-long || { failed=1; \
	    tail -n 1 $(B)/sim-long | grep -q "^n = $$n *$${wire#--} *[0-9]* seeds" || echo "n = $$n $$wire  ended by itself" >>$(B)/sim-long; }; \
	done; done; cat $(B)/sim-long; exit $$failed

engine-long: all ## the same for engines alone, whose host is a model
	@ninja -C $(B) consensus_test
	@for n in $(NODES); do \
	  KEEL_SIM_SEEDS=$(SEEDS) KEEL_SIM_FROM=$(FROM) KEEL_SIM_NODES=$$n $(B)/consensus_test 0x1 simplex_seeds || exit 1; done
NODES ?= 1 3 4 5 6 7 10 21
SEEDS ?= 2000
FROM  ?= 1000

model-long: all ## look at all states of the voting rules for VIEWS views (`make test`: 4), and of more small worlds
	@ninja -C $(B) consensus_test
	@KEEL_MODEL_VIEWS=$(VIEWS) $(B)/consensus_test 0x1 simplex_model
	@KEEL_WORLD_ALL=1 $(B)/consensus_test 0x1 simplex_world
VIEWS ?= 5

twins-long: all ## run CASES cases of Twins; `make test` runs 2000
	@ninja -C $(B) consensus_test
	@KEEL_TWINS=$(CASES) $(B)/consensus_test 0x1 simplex_twins
CASES ?= 100000

install: all ## put keel into $(PREFIX)/bin
	@install -D -m 755 -s $(B)/keel $(DESTDIR)$(PREFIX)/bin/keel
PREFIX ?= /usr/local

clean: ## remove every build folder
	@rm -rf build build-asan build-ubsan build-tsan build-fuzz build-coverage build-other

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.* ## \(.*\)/\1\t\2/p' Makefile | expand -t 14

# The build folders, by what the compiler adds.
# What a sanitizer finds ends the program; for that of threads this is an option.  Tests fork.
export TSAN_OPTIONS ?= halt_on_error=1:die_after_fork=0
# The official tests are unpacked once, beside the build without sanitizers.
FIXTURES := KEEL_FIXTURES=$${KEEL_FIXTURES:-$(abspath $(B))/fixtures}
# Six tests of 2^32 rounds of BLAKE2 each: ten minutes with sanitizers, hours with that of threads.
SLOW := -conformance/BlockchainTests/GeneralStateTests/stTimeConsuming
# What has threads: its tests run under the sanitizer of threads in `make test` too.
THREADED := base sys store lmdb trie state host rpc node
CLANG    := CC=clang-14 meson setup --buildtype debugoptimized -Db_lundef=false
$(B)/build.ninja:
	@meson setup $(B)
build-asan/build.ninja:
	@$(CLANG) -Db_sanitize=address,undefined build-asan
build-ubsan/build.ninja:
	@$(CLANG) -Db_sanitize=undefined build-ubsan
build-tsan/build.ninja:
	@$(CLANG) -Db_sanitize=thread build-tsan
# Another compiler, nothing optimized: what a network changes to and from while it runs.
build-other/build.ninja: | tools
	@CC=clang-14 meson setup --buildtype debug build-other
build-fuzz/build.ninja:
	@$(CLANG) -Db_sanitize=address,undefined -Dfuzzer=true build-fuzz
build-coverage/build.ninja:
	@$(CLANG) -Dc_args='-fprofile-instr-generate -fcoverage-mapping' \
	    -Dc_link_args=-fprofile-instr-generate build-coverage
$(foreach name,$(B) build-asan build-ubsan build-tsan build-fuzz build-coverage build-other,$(name)/build.ninja): | setup

# Installs what is missing: Debian packages, and locked sources from npm.
PACKAGES := libc6-dev pkg-config python3 meson ninja-build liblmdb-dev libsecp256k1-dev libssl-dev libgmp-dev \
            $(if $(shell command -v npm),,npm)
TOOLS    := clang-14 libclang-rt-14-dev llvm-14 clang-format-14 zstd
SUDO     := $(if $(filter 0,$(shell id -u)),,sudo)

setup: ## install what the build needs
	@$(call debian,$(PACKAGES))
	@$(call npm-ci,third_party)

tools: setup ## install what the checks need
	@$(call debian,$(TOOLS))

# The clients that the end-to-end tests run, and a Node for them where the system's is too old.
e2e-packages: setup ## install what the end-to-end tests need
	@[ "$$(node -p 'parseInt(process.versions.node) >= 20')" = true ] || { $(call npm-ci,tests/e2e/runtime); }
	@PATH=$$(tests/e2e/path); $(call npm-ci,tests/e2e)
	@PATH=$$(tests/e2e/path); $(call npm-ci,tests/e2e/libp2p)

debian = missing=$$(for p in $(1); do \
	    dpkg-query -W -f '$${db:Status-Status}\n' $$p 2>/dev/null | grep -qx installed || echo $$p; done); \
	if [ -n "$$missing" ]; then \
	    echo "installing:" $$missing; \
	    $(SUDO) apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq --no-install-recommends $$missing; \
	fi

npm-ci = cd $(1) && cmp -s package-lock.json node_modules/.installed || { \
	    echo "installing: $(1)/node_modules"; \
	    npm ci --loglevel=error && cp package-lock.json node_modules/.installed; \
	}
