#include "chain/judge.h"

#include "base/test.h"
#include "chain/difficulty.h"
#include "chain/rules.h"
#include "crypto/address.h"
#include "crypto/keccak.h"
#include "exec/fees.h"
#include "state/state.h"
#include "store/memkv.h"

/* A state in memory with one funded key, a contract that logs, and the request contracts. */
struct world {
    struct kl_kv *kv;
    struct kl_state *state;
    struct kl_view *view;
    struct kl_delta *genesis;
    struct kl_exec *exec;
    struct kl_run *run;
    struct kl_arena arena;
    kl_spec spec;
    kl_header parent, header;
    kl_secret32 key;
};

static const kl_address logger = {{0x10}};

static void put(struct kl_journal *journal, const kl_address *address, u64 balance,
                const char *code)
{
    kl_jaccount *account;
    CHECK_OK(kl_journal_account(journal, address, &account));
    kl_journal_set_balance(journal, account, kl_u256_of(balance));
    if (code)
        CHECK_OK(kl_journal_set_code(journal, account, kl_test_hex(code), NULL));
}

static kl_address address_of(const kl_secret32 *key)
{
    kl_pubkey pubkey;
    CHECK(kl_secp256k1_pubkey(&pubkey, key));
    return kl_address_of_pubkey(&pubkey);
}

static kl_address contract(const char *hex)
{
    kl_address address;
    memcpy(address.b, kl_test_hex(hex).p, sizeof address.b);
    return address;
}

static void make_genesis(struct world *w)
{
    struct kl_view *empty;
    struct kl_view_reader reader;
    struct kl_delta_builder *builder;
    kl_hash root;
    struct kl_journal *journal = kl_exec_journal(w->exec);
    kl_address alice = address_of(&w->key);
    kl_address withdrawals = contract("00000961ef480eb55e80d19ad83579a64c007002");
    kl_address consolidations = contract("0000bbddc7ce488642fb579f8b00f3a590007251");
    CHECK_OK(kl_state_view(w->state, NULL, &empty));
    kl_view_reader_init(&reader, empty);
    kl_journal_begin_block(journal, &reader.reader);
    kl_journal_begin_tx(journal);
    put(journal, &alice, 1000000000000000000, NULL);
    put(journal, &logger, 0, "600060006000a000"); /* LOG0 of nothing */
    put(journal, &withdrawals, 0, "60aa60005360016000f3");
    put(journal, &consolidations, 0, "00");
    CHECK_OK(kl_journal_end_tx(journal, false));
    CHECK_OK(kl_delta_begin(&builder, NULL, 0));
    CHECK_OK(kl_state_commit(journal, empty, builder, false, &root, &w->arena, NULL));
    CHECK_OK(kl_delta_seal(builder, &w->genesis));
    kl_view_close(empty);
    CHECK_OK(kl_state_view(w->state, w->genesis, &w->view));
    w->parent.state_root = root;
}

static void make_world(struct world *w, kl_fork fork)
{
    *w = (struct world){.key = {.b = {[31] = 7}}};
    kl_arena_init(&w->arena, 1 << 26);
    kl_spec_init(&w->spec, fork);
    w->spec.engine = KL_ENGINE_EXTERNAL;
    kl_exec_config config = {.evm_memory_limit = 1 << 26, .journal_memory_limit = 1 << 26};
    CHECK_OK(kl_memkv_open(&w->kv, KL_TABLE_COUNT));
    CHECK_OK(kl_state_open(&w->state, &(kl_state_config){.kv = w->kv}));
    CHECK_OK(kl_exec_new(&w->exec, &config));
    CHECK_OK(kl_run_new(&w->run, w->exec));
    w->parent = (kl_header){.timestamp = 1000,
                            .gas_limit = 30000000,
                            .tail = kl_header_tail(fork),
                            .ommers_hash = kl_keccak_empty_list,
                            .difficulty = kl_u256_of(fork < KL_PARIS ? 131072 : 0)};
    if (fork >= KL_LONDON)
        w->parent.base_fee = kl_u256_of(1000);
    make_genesis(w);
    w->header = w->parent;
    w->header.parent_hash = kl_header_hash(&w->parent);
    w->header.number = 1;
    w->header.timestamp = 1012;
    w->header.coinbase.b[0] = 0xc0;
    if (fork < KL_PARIS)
        w->header.difficulty = kl_difficulty_after(&w->parent, 1012, fork);
    w->header.base_fee = kl_base_fee_after(&w->spec, &w->parent, 1, 1012);
    w->header.excess_blob_gas = kl_excess_blob_gas_after(&w->spec, &w->parent, 1, 1012);
}

static void free_world(struct world *w)
{
    kl_run_free(w->run);
    kl_exec_free(w->exec);
    kl_view_close(w->view);
    kl_delta_unref(w->genesis);
    kl_state_close(w->state);
    kl_kv_close(w->kv);
    kl_arena_done(&w->arena);
}

static kl_tx signed_tx(struct world *w, u64 nonce)
{
    kl_tx tx = {.type = KL_TX_LEGACY,
                .has_to = true,
                .to = logger,
                .nonce = nonce,
                .gas_limit = 100000,
                .max_fee = kl_u256_of(2000),
                .max_priority_fee = kl_u256_of(2000)};
    CHECK_OK(kl_tx_sign(&tx, &w->key, &w->arena));
    return tx;
}

static kl_run_base base_of(struct world *w)
{
    return (kl_run_base){.spec = &w->spec, .header = &w->header, .view = w->view};
}

/* Builds a block of `count` transactions (one more is refused) and fills the header in. */
static kl_block build(struct world *w, kl_tx *txs, usize count)
{
    kl_run_base base = base_of(w);
    kl_run_result result;
    kl_rule broken;
    CHECK_OK(kl_run_begin(w->run, &base));
    kl_tx late = signed_tx(w, 99);
    CHECK_OK(kl_run_tx(w->run, &late, NULL, NULL, &broken));
    CHECK_RULE(broken, KL_RULE_TX_NONCE_HIGH);
    for (usize i = 0; i < count; i++) {
        txs[i] = signed_tx(w, i);
        CHECK_OK(kl_run_tx(w->run, &txs[i], NULL, NULL, &broken));
        CHECK_RULE(broken, KL_RULE_NONE);
    }
    CHECK_OK(kl_run_end(w->run, &(kl_run_tail){0}, &result, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    CHECK_U64(result.receipt_count, count);
    CHECK_OK(kl_transactions_root(&w->header.transactions_root, txs, count, &w->arena));
    w->header.withdrawals_root = kl_keccak_empty_rlp;
    w->header.gas_used = result.gas_used;
    w->header.state_root = result.state_root;
    w->header.receipts_root = result.receipts_root;
    w->header.requests_hash = result.requests_hash;
    w->header.logs_bloom = result.bloom;
    return (kl_block){.header = w->header,
                      .hash = kl_header_hash(&w->header),
                      .txs = txs,
                      .tx_count = count,
                      .has_withdrawals = w->header.tail >= 2};
}

static kl_rule judge(struct world *w, kl_block *block, kl_run_result *result)
{
    kl_run_base base = base_of(w);
    kl_rule broken;
    w->header = block->header;
    CHECK_OK(kl_judge_block(w->run, &base, block, NULL, false, result, &broken));
    return broken;
}

KL_TEST(judge_accepts_what_a_run_builds)
{
    for (usize fork = 0; fork < KL_FORK_COUNT; fork++) {
        struct world w;
        kl_tx txs[3];
        kl_run_result result;
        kl_rule broken;
        make_world(&w, (kl_fork)fork);
        kl_block block = build(&w, txs, 3);
        kl_parent parent = {.header = &w.parent, .hash = kl_header_hash(&w.parent)};
        CHECK_RULE(kl_judge_header(&w.spec, &block.header, &parent), KL_RULE_NONE);
        CHECK_OK(kl_judge_body(&w.spec, &block, NULL, 0, &w.arena, &broken));
        CHECK_RULE(broken, KL_RULE_NONE);
        for (usize i = 0; i < 3; i++)
            txs[i].has_sender = false; /* to be recovered */
        CHECK_RULE(judge(&w, &block, &result), KL_RULE_NONE);
        CHECK(kl_hash_eq(&result.state_root, &block.header.state_root));
        CHECK_U64(result.receipts[2].cumulative_gas_used, result.gas_used);
        CHECK_U64(result.receipts[1].log_count, 1);
        CHECK(result.receipts[1].has_state_root == (fork < KL_BYZANTIUM));
        free_world(&w);
    }
}

static void spoil_gas(kl_header *h)
{
    h->gas_used++;
}
static void spoil_bloom(kl_header *h)
{
    h->logs_bloom.b[17] ^= 1;
}
static void spoil_receipts(kl_header *h)
{
    h->receipts_root.b[0] ^= 1;
}
static void spoil_requests(kl_header *h)
{
    h->requests_hash.b[0] ^= 1;
}
static void spoil_state(kl_header *h)
{
    h->state_root.b[31] ^= 1;
}
static void spoil_blobs(kl_header *h)
{
    h->blob_gas_used = 131072;
}

KL_TEST(judge_names_what_a_header_promised_wrongly)
{
    static const struct {
        void (*spoil)(kl_header *h);
        kl_rule rule;
    } rows[] = {
        {spoil_gas, KL_RULE_BLOCK_GAS_USED},     {spoil_bloom, KL_RULE_BLOCK_BLOOM},
        {spoil_state, KL_RULE_BLOCK_STATE_ROOT}, {spoil_receipts, KL_RULE_BLOCK_RECEIPTS_ROOT},
        {spoil_blobs, KL_RULE_BODY_BLOB_GAS},    {spoil_requests, KL_RULE_BLOCK_REQUESTS_HASH},
    };
    struct world w;
    kl_tx txs[2];
    kl_run_result result;
    make_world(&w, KL_OSAKA);
    kl_block block = build(&w, txs, 2);
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        kl_block bad = block;
        rows[i].spoil(&bad.header);
        CHECK_RULE(judge(&w, &bad, &result), rows[i].rule);
    }
    CHECK_RULE(judge(&w, &block, &result), KL_RULE_NONE);
    free_world(&w);
}

KL_TEST(judge_refuses_blocks_with_bad_transactions)
{
    struct world w;
    kl_tx txs[2], swapped[2];
    kl_run_result result;
    make_world(&w, KL_OSAKA);
    kl_block block = build(&w, txs, 2);
    swapped[0] = txs[1];
    swapped[1] = txs[0];
    block.txs = swapped;
    CHECK_RULE(judge(&w, &block, &result), KL_RULE_TX_NONCE_HIGH);
    block.txs = txs;
    txs[1].has_sender = false;
    txs[1].signature.r = KL_U256_ZERO;
    CHECK_RULE(judge(&w, &block, &result), KL_RULE_TX_SIGNATURE);
    free_world(&w);
}

/* Before Byzantium a receipt holds the root after its transaction: the last one's is the block's
 * but for the reward. */
KL_TEST(run_puts_roots_into_early_receipts)
{
    struct world w;
    kl_tx txs[2];
    kl_run_result result;
    make_world(&w, KL_HOMESTEAD);
    kl_block block = build(&w, txs, 2);
    CHECK_RULE(judge(&w, &block, &result), KL_RULE_NONE);
    CHECK(!kl_hash_eq(&result.receipts[0].state_root, &result.receipts[1].state_root));
    CHECK(!kl_hash_eq(&result.receipts[1].state_root, &result.state_root));
    free_world(&w);
}

KL_TEST(run_gives_its_changes_to_the_builder)
{
    struct world w;
    kl_tx txs[1];
    kl_run_result result;
    kl_rule broken;
    struct kl_delta_builder *builder;
    struct kl_delta *delta;
    struct kl_view *view;
    make_world(&w, KL_OSAKA);
    kl_block block = build(&w, txs, 1);
    kl_run_base base = base_of(&w);
    CHECK_OK(kl_delta_begin(&builder, w.genesis, 1));
    CHECK_OK(kl_judge_block(w.run, &base, &block, builder, true, &result, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    CHECK_OK(kl_delta_seal(builder, &delta));
    CHECK_OK(kl_state_view(w.state, delta, &view));
    kl_hash root, coinbase = kl_keccak256(kl_address_span(&w.header.coinbase));
    CHECK_OK(kl_trie_root(&root, NULL, kl_view_tries(view), &w.arena));
    CHECK(kl_hash_eq(&root, &block.header.state_root));
    kl_account account;
    bool exists;
    CHECK_OK(kl_view_account(view, &coinbase, &account, &exists));
    CHECK(exists && !kl_u256_is_zero(account.balance));
    kl_span preimage;
    CHECK_OK(kl_view_get(view, KL_TABLE_PREIMAGE, kl_hash_span(&coinbase), &preimage));
    CHECK_SPAN(preimage, kl_address_span(&w.header.coinbase));
    kl_view_close(view);
    kl_delta_unref(delta);
    free_world(&w);
}
