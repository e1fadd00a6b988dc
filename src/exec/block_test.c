#include "crypto/digest.h"
#include "exec/test_world_priv.h"

#define RICH 1000000000000u

enum { ALICE = 0xa1, BOB = 0xb0, CAROL = 0xca, MINER = 0xc0 };

static const kl_address beacon_roots = {{0x00, 0x0f, 0x3d, 0xf6, 0xd7, 0x32, 0x80,
                                         0x7e, 0xf1, 0x31, 0x9f, 0xb7, 0xb8, 0xbb,
                                         0x85, 0x22, 0xd0, 0xbe, 0xac, 0x02}};
static const kl_address block_hashes = {{0x00, 0x00, 0xf9, 0x08, 0x27, 0xf1, 0xc5,
                                         0x3a, 0x10, 0xcb, 0x7a, 0x02, 0x33, 0x5b,
                                         0x17, 0x53, 0x20, 0x00, 0x29, 0x35}};
static const kl_address withdrawal_requests = {{0x00, 0x00, 0x09, 0x61, 0xef, 0x48, 0x0e,
                                                0xb5, 0x5e, 0x80, 0xd1, 0x9a, 0xd8, 0x35,
                                                0x79, 0xa6, 0x4c, 0x00, 0x70, 0x02}};
static const kl_address consolidation_requests = {{0x00, 0x00, 0xbb, 0xdd, 0xc7, 0xce, 0x48,
                                                   0x86, 0x42, 0xfb, 0x57, 0x9f, 0x8b, 0x00,
                                                   0xf3, 0xa5, 0x90, 0x00, 0x72, 0x51}};

/* sha256 of nothing. */
#define NO_REQUESTS "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void add_contract(struct test_world *w, const kl_address *address, const char *code)
{
    test_add_code(w, 0, code)->address = *address;
}

static kl_rule end(struct test_world *w, kl_exec_outcome *out)
{
    kl_rule broken;
    CHECK_OK(kl_exec_end(w->exec, NULL, 0, NULL, 0, out, &broken));
    return broken;
}

static u64 slot_at(struct test_world *w, const kl_address *address, u64 key)
{
    kl_jaccount *account;
    kl_jslot *slot;
    bool cold;
    u64 value;
    kl_u256 wide = kl_u256_of(key);
    CHECK_OK(kl_journal_account(kl_exec_journal(w->exec), address, &account));
    CHECK_OK(kl_journal_slot(kl_exec_journal(w->exec), account, &wide, &slot, &cold));
    CHECK(kl_u256_to_u64(&value, slot->current));
    return value;
}

/* Slot 0 = the first word of the input, slot 1 = the caller's low 8 bytes, slot 2 = gas / 1,000. */
#define TELLER "5f355f553367ffffffffffffffff166001556103e85a0460025500"

KL_TEST(block_tells_its_contracts_at_the_start)
{
    struct test_world w;
    test_world_init(&w, KL_PRAGUE);
    add_contract(&w, &beacon_roots, TELLER);
    add_contract(&w, &block_hashes, TELLER);
    w.header.parent_beacon_root.b[31] = 0xbe;
    w.header.parent_hash.b[31] = 0xba;
    test_begin(&w);
    CHECK_U64(slot_at(&w, &beacon_roots, 0), 0xbe);
    CHECK_U64(slot_at(&w, &block_hashes, 0), 0xba);
    CHECK_U64(slot_at(&w, &beacon_roots, 1), 0xfffffffffffffffe);
    CHECK_U64(slot_at(&w, &beacon_roots, 2), 29955); /* 30 million, less two new slots */
    CHECK_U64(kl_exec_gas_used(w.exec), 0);
    test_enter(&w);
    CHECK_U64(slot_at(&w, &beacon_roots, 0), 0);
    test_world_done(&w);
}

KL_TEST(block_goes_on_without_its_contracts)
{
    struct test_world w;
    test_world_init(&w, KL_CANCUN);
    add_contract(&w, &beacon_roots, "fe");
    test_begin(&w);
    kl_exec_outcome out;
    CHECK_RULE(end(&w, &out), KL_RULE_NONE);
    CHECK_U64(out.request_count, 0);
    test_world_done(&w);
}

/* Returns one or two bytes. */
#define ASKER_ONE "60aa5f5360015ff3"
#define ASKER_TWO "61bbcc5f526002601ef3"
#define SILENT    "00"

KL_TEST(block_collects_requests_in_order)
{
    struct test_world w;
    test_world_init(&w, KL_PRAGUE);
    add_contract(&w, &withdrawal_requests, ASKER_ONE);
    add_contract(&w, &consolidation_requests, ASKER_TWO);
    test_begin(&w);
    kl_exec_outcome out;
    CHECK_RULE(end(&w, &out), KL_RULE_NONE);
    CHECK_U64(out.request_count, 2);
    CHECK_HEX(out.requests[0], "01aa");
    CHECK_HEX(out.requests[1], "02bbcc");
    u8 hashes[64], want[32];
    kl_sha256(hashes, kl_test_hex("01aa"));
    kl_sha256(hashes + 32, kl_test_hex("02bbcc"));
    kl_sha256(want, KL_SPAN_OF(hashes));
    CHECK_SPAN(kl_hash_span(&out.requests_hash), KL_SPAN_OF(want));
    test_world_done(&w);
}

KL_TEST(block_without_requests_has_the_hash_of_nothing)
{
    struct test_world w;
    test_world_init(&w, KL_PRAGUE);
    add_contract(&w, &withdrawal_requests, SILENT);
    add_contract(&w, &consolidation_requests, SILENT);
    test_begin(&w);
    kl_exec_outcome out;
    CHECK_RULE(end(&w, &out), KL_RULE_NONE);
    CHECK_HEX(kl_hash_span(&out.requests_hash), NO_REQUESTS);
    test_world_done(&w);
}

KL_TEST(block_is_bad_when_a_request_contract_is_missing_or_fails)
{
    static const char *const codes[][2] = {
        {NULL, SILENT}, {SILENT, NULL}, {"fe", SILENT}, {SILENT, "5f5ffd"}};
    for (usize i = 0; i < KL_COUNT_OF(codes); i++) {
        struct test_world w;
        test_world_init(&w, KL_PRAGUE);
        if (codes[i][0])
            add_contract(&w, &withdrawal_requests, codes[i][0]);
        if (codes[i][1])
            add_contract(&w, &consolidation_requests, codes[i][1]);
        test_begin(&w);
        kl_exec_outcome out;
        CHECK_RULE(end(&w, &out), KL_RULE_BLOCK_SYSTEM_CALL);
        test_world_done(&w);
    }
}

/* A deposit event: five offsets, then length and bytes of each field. */
static void make_deposit(u8 event[576])
{
    static const struct {
        u8 at, len;
    } fields[] = {{5, 48}, {8, 32}, {10, 8}, {12, 96}, {16, 8}};
    memset(event, 0, 576);
    for (usize i = 0; i < KL_COUNT_OF(fields); i++) {
        kl_store_be64(event + i * 32 + 24, fields[i].at * 32u);
        event[fields[i].at * 32 + 31] = fields[i].len;
        memset(event + fields[i].at * 32 + 32, (int)(0xa0 + i), fields[i].len);
    }
}

/* Logs its input as a deposit event. */
#define LOGGER "365f5f377f649bbc62d0e31342afea4e5cd82d4049e7e1ee912fc0889aa790803be39038c5365fa100"

static kl_rule deposit(const u8 *event, usize len, kl_exec_outcome *out, struct kl_buf *first)
{
    struct test_world w;
    test_world_init(&w, KL_PRAGUE);
    test_add(&w, ALICE, RICH);
    add_contract(&w, &w.spec.deposit_contract, LOGGER);
    add_contract(&w, &withdrawal_requests, SILENT);
    add_contract(&w, &consolidation_requests, SILENT);
    test_begin(&w);
    kl_tx tx = test_tx(&w, KL_TX_LEGACY, ALICE, 0);
    tx.to = w.spec.deposit_contract;
    tx.data = kl_span_of(event, len);
    u64 balance = test_balance(&w, ALICE);
    kl_rule broken = test_refused(&w, &tx);
    if (broken != KL_RULE_NONE) { /* it has left no trace */
        CHECK_U64(test_balance(&w, ALICE), balance);
        CHECK(test_look(&w, ALICE)->now.nonce == 0 && kl_exec_gas_used(w.exec) == 0);
    }
    CHECK_RULE(end(&w, out), KL_RULE_NONE);
    CHECK(out->request_count == (broken == KL_RULE_NONE));
    if (out->request_count)
        kl_buf_span(first, out->requests[0]);
    test_world_done(&w);
    return broken;
}

KL_TEST(block_reads_deposits_from_logs)
{
    u8 event[576], want[193] = {0};
    struct kl_buf got;
    kl_exec_outcome out;
    kl_buf_init(&got, 1 << 20);
    make_deposit(event);
    CHECK_RULE(deposit(event, sizeof event, &out, &got), KL_RULE_NONE);
    memset(want + 1, 0xa0, 48);
    memset(want + 49, 0xa1, 32);
    memset(want + 81, 0xa2, 8);
    memset(want + 89, 0xa3, 96);
    memset(want + 185, 0xa4, 8);
    CHECK_SPAN(kl_buf_view(&got), KL_SPAN_OF(want));
    kl_buf_done(&got);
}

KL_TEST(block_refuses_what_deposits_in_another_layout)
{
    kl_exec_outcome out;
    u8 event[577];
    static const usize words[] = {0, 1, 2, 3, 4, 5, 8, 10, 12, 16}; /* offsets and lengths */
    for (usize i = 0; i < KL_COUNT_OF(words); i++)
        for (usize byte = 0; byte < 32; byte += 31) {
            make_deposit(event);
            event[words[i] * 32 + byte] ^= 1;
            CHECK_RULE(deposit(event, 576, &out, NULL), KL_RULE_BLOCK_DEPOSIT);
        }
    make_deposit(event);
    CHECK_RULE(deposit(event, 575, &out, NULL), KL_RULE_BLOCK_DEPOSIT);
    event[576] = 0;
    CHECK_RULE(deposit(event, 577, &out, NULL), KL_RULE_BLOCK_DEPOSIT);
}

KL_TEST(block_credits_withdrawals_in_gwei)
{
    struct test_world w;
    test_world_init(&w, KL_SHANGHAI);
    test_add(&w, ALICE, 1);
    test_begin(&w);
    kl_withdrawal list[] = {{.address = test_address(ALICE), .amount = 3},
                            {.address = test_address(BOB), .amount = 2},
                            {.address = test_address(BOB), .amount = 2},
                            {.address = test_address(CAROL), .amount = 0}};
    kl_exec_outcome out;
    kl_rule broken;
    CHECK_OK(kl_exec_end(w.exec, NULL, 0, list, KL_COUNT_OF(list), &out, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    CHECK_U64(test_balance(&w, ALICE), 3000000001);
    CHECK_U64(test_balance(&w, BOB), 4000000000);
    CHECK(!test_look(&w, CAROL)->exists);
    CHECK(!test_look(&w, MINER)->exists);
    test_world_done(&w);
}

KL_TEST(block_rewards_miner_and_ommers_before_paris)
{
    struct test_world w;
    test_world_init(&w, KL_BYZANTIUM);
    test_begin(&w);
    kl_header ommers[] = {{.number = 99, .coinbase = test_address(ALICE)},
                          {.number = 94, .coinbase = test_address(BOB)}};
    kl_exec_outcome out;
    kl_rule broken;
    CHECK_OK(kl_exec_end(w.exec, ommers, 2, NULL, 0, &out, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    CHECK_U64(test_balance(&w, MINER), 3187500000000000000);
    CHECK_U64(test_balance(&w, ALICE), 2625000000000000000);
    CHECK_U64(test_balance(&w, BOB), 750000000000000000);
    test_world_done(&w);
}

KL_TEST(block_moves_the_dao_at_its_height)
{
    static const kl_address dao = {{0xbb, 0x9b, 0xc2, 0x44, 0xd7, 0x98, 0x12, 0x3f, 0xde, 0x78,
                                    0x3f, 0xcc, 0x1c, 0x72, 0xd3, 0xbb, 0x8c, 0x18, 0x94, 0x13}};
    static const kl_address refund = {{0xbf, 0x4e, 0xd7, 0xb2, 0x7f, 0x1d, 0x66, 0x65, 0x46, 0xe3,
                                       0x0d, 0x74, 0xd5, 0x0d, 0x17, 0x3d, 0x20, 0xbc, 0xa7, 0x54}};
    for (u64 height = 99; height <= 101; height++) {
        struct test_world w;
        test_world_init(&w, KL_HOMESTEAD);
        test_add(&w, 0, 12345)->address = dao;
        w.spec.dao_fork = true;
        w.spec.dao_fork_block = height;
        test_begin(&w);
        kl_jaccount *heir;
        CHECK_OK(kl_journal_account(kl_exec_journal(w.exec), &refund, &heir));
        CHECK(kl_u256_eq(heir->now.balance, kl_u256_of(height == 100 ? 12345 : 0)));
        test_world_done(&w);
    }
}

/* Slot n = BLOCKHASH(n) for 99, 100 and (100 - 256), 101 blocks before that. */
KL_TEST(block_hashes_reach_256_blocks_back)
{
    struct test_world w;
    test_world_init(&w, KL_OSAKA);
    test_add(&w, ALICE, RICH);
    test_add_code(&w, CAROL, "6103e7405f556103e8406001556102e8406002556102e74060035500");
    w.header.number = 1000;
    test_enter(&w);
    kl_tx tx = test_tx(&w, KL_TX_LEGACY, ALICE, CAROL);
    tx.gas_limit = 200000;
    test_run(&w, &tx);
    CHECK_U64(test_slot(&w, CAROL, 0), 999);
    CHECK_U64(test_slot(&w, CAROL, 1), 0);
    CHECK_U64(test_slot(&w, CAROL, 2), 744);
    CHECK_U64(test_slot(&w, CAROL, 3), 0);
    test_world_done(&w);
}

KL_TEST(block_fork_of_a_terminal_difficulty)
{
    kl_spec spec;
    kl_spec_init(&spec, KL_GRAY_GLACIER);
    spec.terminal_total_difficulty = kl_u256_of(1000);
    kl_header header = {.number = 7, .difficulty = kl_u256_of(1)};
    CHECK(kl_exec_fork(&spec, &header) == KL_GRAY_GLACIER);
    header.difficulty = KL_U256_ZERO;
    CHECK(kl_exec_fork(&spec, &header) == KL_PARIS);
    spec.terminal_total_difficulty = KL_U256_MAX;
    CHECK(kl_exec_fork(&spec, &header) == KL_GRAY_GLACIER);
}
