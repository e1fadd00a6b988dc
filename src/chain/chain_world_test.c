#include "chain/chain_priv.h"
#include "chain/chain_world_priv.h"

#include <stdio.h>

#include "base/test.h"
#include "crypto/crypto.h"
#include "sim/disk.h"

static const char genesis[] =
    "{\"config\":{\"chainId\":31337,\"homesteadBlock\":0,\"eip150Block\":0,\"eip155Block\":0,"
    "\"eip158Block\":0,\"byzantiumBlock\":0,\"constantinopleBlock\":0,\"petersburgBlock\":0,"
    "\"istanbulBlock\":0,\"berlinBlock\":0,\"londonBlock\":0,\"terminalTotalDifficulty\":0,"
    "\"shanghaiTime\":0,\"cancunTime\":0,\"keel\":{\"dev\":true}},"
    "\"timestamp\":\"0x1\",\"gasLimit\":\"0x1c9c380\",\"difficulty\":\"0x0\",\"alloc\":{"
    "\"%s\":{\"balance\":\"0xde0b6b3a7640000\"},\"%s\":{\"balance\":\"0xde0b6b3a7640000\"},"
    "\"%s\":{\"balance\":\"0xde0b6b3a7640000\"}}}";

static kl_secret32 key_of(usize account)
{
    return (kl_secret32){.b = {[31] = (u8)(account + 1)}};
}

kl_status world_try_open(struct world *w)
{
    char text[2048], address[3][43];
    for (usize i = 0; i < 3; i++)
        kl_address_text(address[i], &w->account[i]);
    int len = snprintf(text, sizeof text, genesis, address[0], address[1], address[2]);
    const kl_chain_config config = {
        .fs = kl_sim_disk_fs(w->disk),
        .kv = w->kv,
        .genesis = kl_span_of(text, (usize)len),
        .segment_bytes = w->segment_bytes,
        .keep_preimages = true,
        .keep_blocks = w->keep_blocks,
        .keep_history = w->keep_history,
    };
    return kl_chain_open(&w->chain, &config, NULL, &w->report);
}

void world_init_bare(struct world *w)
{
    *w = (struct world){.time = 1000, .segment_bytes = 1 << 20};
    kl_arena_init(&w->arena, SIZE_MAX);
    for (usize i = 0; i < 3; i++) {
        kl_secret32 key = key_of(i);
        kl_pubkey pubkey;
        CHECK(kl_secp256k1_pubkey(&pubkey, &key));
        w->account[i] = kl_address_of_pubkey(&pubkey);
    }
    CHECK_OK(kl_exec_new(&w->exec, &(kl_exec_config){
                                       .evm_memory_limit = 1 << 28,
                                       .journal_memory_limit = 1 << 28,
                                   }));
    CHECK_OK(kl_run_new(&w->run, w->exec));
}

void world_init(struct world *w)
{
    world_init_bare(w);
    world_begin(w);
}

void world_begin(struct world *w)
{
    CHECK_OK(kl_sim_disk_new(&w->disk));
    CHECK_OK(kl_memkv_open(&w->kv, KL_TABLE_COUNT));
    CHECK_OK(world_try_open(w));
}

void world_done(struct world *w)
{
    kl_chain_close(w->chain);
    kl_run_free(w->run);
    kl_exec_free(w->exec);
    kl_kv_close(w->kv);
    kl_sim_disk_free(w->disk);
    kl_arena_done(&w->arena);
}

void world_reopen(struct world *w, bool forget_state)
{
    kl_chain_close(w->chain);
    w->chain = NULL;
    if (forget_state) {
        kl_kv_close(w->kv);
        CHECK_OK(kl_memkv_open(&w->kv, KL_TABLE_COUNT));
    }
    CHECK_OK(world_try_open(w));
}

const kl_tx *world_sign(struct world *w, usize from, const kl_tx *fields)
{
    kl_tx *tx = KL_ZERO(&w->arena, kl_tx, 1), made = *fields;
    kl_secret32 key = key_of(from);
    kl_rule broken;
    CHECK(tx);
    made.replay_safe = true;
    made.chain_id = 31337;
    made.nonce = w->nonce[from]++;
    CHECK_OK(kl_tx_sign(&made, &key, &w->arena));
    /* what is handed out views its envelope, not the caller's lists */
    CHECK_OK(kl_tx_decode(tx, made.raw, KL_FORK_NEWEST, &w->arena, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    CHECK_RULE(kl_tx_recover(tx, KL_FORK_NEWEST), KL_RULE_NONE);
    kl_tx_recover_authorities(tx);
    return tx;
}

const kl_tx *world_tx(struct world *w, usize from, const kl_address *to, u64 value, kl_span data)
{
    kl_tx tx = {
        .type = KL_TX_DYNAMIC_FEE,
        .gas_limit = 300000,
        .max_fee = kl_u256_of(5000000000),
        .max_priority_fee = kl_u256_of(1000000000),
        .value = kl_u256_of(value),
        .has_to = to != NULL,
        .data = data,
    };
    if (to)
        tx.to = *to;
    return world_sign(w, from, &tx);
}

struct listed {
    struct kl_tx_source source;
    const kl_tx *const *txs;
    usize count, at;
};

static const kl_tx *next_listed(struct kl_tx_source *source, u64 gas_left)
{
    struct listed *l = (struct listed *)source;
    (void)gas_left;
    return l->at < l->count ? l->txs[l->at] : NULL;
}

static void listed_done(struct kl_tx_source *source, const kl_tx *tx, const kl_tx_result *result,
                        kl_rule broken)
{
    struct listed *l = (struct listed *)source;
    (void)tx;
    (void)result;
    CHECK_RULE(broken, KL_RULE_NONE);
    l->at++;
}

void world_take(struct world *w, struct kl_tip *tip)
{
    CHECK_OK(kl_chain_append(w->chain, tip));
    CHECK_OK(kl_chain_write(w->chain));
    CHECK_OK(kl_chain_sync(w->chain));
    kl_chain_publish(w->chain, true, NULL, NULL);
    kl_tip_unref(tip);
}

struct kl_tip *world_build(struct world *w, const kl_tx *const *txs, usize count,
                           const kl_build_plan *wanted)
{
    struct listed l = {
        .source = {.next = next_listed, .done = listed_done}, .txs = txs, .count = count};
    struct kl_tip *tip, *head = kl_chain_head(w->chain);
    const kl_build_plan plain = {
        .timestamp = w->time++,
        .gas_limit = head->header.gas_limit,
        .withdrawals = w->withdrawals,
        .withdrawal_count = w->withdrawal_count,
        .tx_max = UINT64_MAX,
    };
    const kl_build_plan plan = wanted ? *wanted : plain;
    CHECK_OK(kl_chain_build(w->chain, w->run, head, &plan, &l.source, &tip));
    kl_tip_unref(head);
    return tip;
}

u64 world_block(struct world *w, const kl_tx *const *txs, usize count)
{
    struct kl_tip *tip = world_build(w, txs, count, NULL);
    u64 number = tip->header.number;
    world_take(w, tip);
    return number;
}

kl_rule world_dev(struct world *w, const kl_devop *op)
{
    struct kl_tip *tip, *head = kl_chain_head(w->chain);
    kl_rule broken;
    CHECK_OK(kl_chain_dev(w->chain, w->run, head, op, &tip, &broken));
    kl_tip_unref(head);
    if (broken == KL_RULE_NONE)
        world_take(w, tip);
    return broken;
}

void world_flush(struct world *w)
{
    for (bool more = true; more;)
        CHECK_OK(kl_chain_flush(w->chain, true, &more));
}

kl_u256 world_balance(struct world *w, const kl_address *address, u64 number)
{
    struct kl_reader *reader;
    struct kl_view *view;
    kl_account account;
    bool exists;
    kl_hash hash = kl_keccak256(kl_address_span(address));
    CHECK_OK(kl_reader_open(w->chain, &reader));
    CHECK_OK(kl_reader_state(reader, number, &view));
    CHECK_OK(kl_view_account(view, &hash, &account, &exists));
    kl_view_close(view);
    kl_reader_close(reader);
    return account.balance;
}

void world_verify(struct kl_sim_disk *disk, kl_verify_result *result)
{
    struct kl_kv *scratch;
    struct kl_sim_disk *scratch_disk;
    CHECK_OK(kl_memkv_open(&scratch, KL_TABLE_COUNT));
    CHECK_OK(kl_sim_disk_new(&scratch_disk));
    const kl_verify_config config = {
        .fs = kl_sim_disk_fs(disk),
        .scratch = scratch,
        .scratch_fs = kl_sim_disk_fs(scratch_disk),
    };
    u64 operations = kl_sim_disk_operations(disk);
    CHECK_OK(kl_chain_verify(&config, NULL, result));
    CHECK_U64(kl_sim_disk_operations(disk), operations);
    kl_kv_close(scratch);
    kl_sim_disk_free(scratch_disk);
}

kl_status world_place(struct world *w, u64 number, u64 *version, char file[KL_PATH_MAX + 1],
                      u64 *offset)
{
    struct kl_reader *reader;
    kl_hash hash;
    CHECK_OK(kl_reader_open(w->chain, &reader));
    CHECK_OK(kl_index_get_height(kl_reader_view(reader), number, &hash, version));
    kl_reader_close(reader);
    return kl_seglog_place(w->chain->ledger, *version, file, offset);
}
