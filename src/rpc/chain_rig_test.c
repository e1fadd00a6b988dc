#include "rpc/chain_rig_priv.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/test.h"
#include "codec/hex.h"
#include "crypto/address.h"
#include "crypto/keccak.h"
#include "rpc/jsonrpc.h"
#include "sim/disk.h"
#include "store/memkv.h"
#include "sys/env.h"

enum { TEXT_MAX = 1 << 16 };

/* The two contracts that must be there from Prague on end every block with a call. */
static const char genesis[] =
    "{\"config\":{\"chainId\":31337,\"homesteadBlock\":0,\"eip150Block\":0,\"eip155Block\":0,"
    "\"eip158Block\":0,\"byzantiumBlock\":0,\"constantinopleBlock\":0,\"petersburgBlock\":0,"
    "\"istanbulBlock\":0,\"berlinBlock\":0,\"londonBlock\":0,\"terminalTotalDifficulty\":0,"
    "\"shanghaiTime\":0,\"cancunTime\":0,\"pragueTime\":0,\"osakaTime\":0,\"keel\":{%s}},"
    "\"timestamp\":\"0x1\",\"gasLimit\":\"0x1c9c380\",\"difficulty\":\"0x0\",\"alloc\":{"
    "\"00000961Ef480Eb55e80D19ad83579A64c007002\":{\"balance\":\"0x0\",\"code\":\"0x00\"},"
    "\"0000BBdDc7CE488642fb579F8B00f3a590007251\":{\"balance\":\"0x0\",\"code\":\"0x00\"},"
    "\"%s\":{\"balance\":\"0xde0b6b3a7640000\"},\"%s\":{\"balance\":\"0xde0b6b3a7640000\"},"
    "\"%s\":{\"balance\":\"0xde0b6b3a7640000\"}}}";

static struct chain_rig *of(struct kl_rpc_backend *backend)
{
    return (struct chain_rig *)backend;
}

static kl_secret32 key_of(usize account)
{
    return (kl_secret32){.b = {[31] = (u8)(account + 1)}};
}

static struct kl_chain *rig_chain(struct kl_rpc_backend *backend)
{
    return of(backend)->chain;
}

static void tell(void *ctx, struct kl_tip *tip)
{
    struct chain_rig *rig = ctx;
    const kl_feed_step step = {
        .step = tip->step, .version = tip->version, .hash = tip->hash, .header = tip->header};
    kl_feed_add_step(rig->core.feed, &step);
}

static void take(struct chain_rig *rig, struct kl_tip *tip)
{
    if (rig->votes)
        vote_rig_append(rig->votes, rig->chain, tip);
    else
        CHECK_OK(kl_chain_append(rig->chain, tip));
    CHECK_OK(kl_chain_write(rig->chain));
    kl_chain_publish(rig->chain, false, tell, rig);
    kl_tip_unref(tip);
}

static void rig_next_block(struct kl_rpc_backend *backend, const struct kl_tip *head,
                           kl_build_plan *out)
{
    *out = (kl_build_plan){.timestamp = of(backend)->time,
                           .gas_limit = head->header.gas_limit,
                           .coinbase = {.b = {0xc0}},
                           .tx_max = UINT64_MAX};
    if (of(backend)->votes)
        vote_rig_plan(of(backend)->votes, of(backend)->chain, head, out);
}

/* The pool's transactions, in their order. */
struct offer {
    struct kl_tx_source source;
    struct chain_rig *rig;
    usize at;
    kl_rule last;
};

static const kl_tx *offer_next(struct kl_tx_source *source, u64 gas_left)
{
    struct offer *o = (struct offer *)source;
    (void)gas_left;
    return o->at < o->rig->pool_count ? &o->rig->pool[o->at] : NULL;
}

static void offer_done(struct kl_tx_source *source, const kl_tx *tx, const kl_tx_result *result,
                       kl_rule broken)
{
    struct offer *o = (struct offer *)source;
    (void)tx, (void)result;
    o->last = broken;
    o->at++;
}

static kl_rule build(struct chain_rig *rig)
{
    struct offer o = {.source = {.next = offer_next, .done = offer_done}, .rig = rig};
    struct kl_tip *tip, *head = kl_chain_head(rig->chain);
    kl_build_plan plan;
    rig_next_block(&rig->backend, head, &plan);
    CHECK_OK(kl_chain_build(rig->chain, rig->run, head, &plan, &o.source, &tip));
    kl_tip_unref(head);
    rig->pool_count = 0;
    if (o.last != KL_RULE_NONE) {
        kl_tip_unref(tip);
        return o.last;
    }
    rig->time++;
    take(rig, tip);
    return KL_RULE_NONE;
}

void chain_rig_mine(struct chain_rig *rig)
{
    CHECK_RULE(build(rig), KL_RULE_NONE);
}

static u64 account_nonce(struct chain_rig *rig, const kl_address *address)
{
    struct kl_reader *reader;
    kl_account account;
    bool exists;
    kl_hash hash = kl_keccak256(kl_address_span(address));
    CHECK_OK(kl_reader_open(rig->chain, &reader));
    CHECK_OK(kl_view_account(kl_reader_view(reader), &hash, &account, &exists));
    kl_reader_close(reader);
    return account.nonce;
}

static u64 rig_next_nonce(struct kl_rpc_backend *backend, const kl_address *sender, u64 nonce)
{
    struct chain_rig *rig = of(backend);
    for (usize i = 0; i < rig->pool_count; i++)
        if (kl_address_eq(&rig->pool[i].sender, sender) && rig->pool[i].nonce == nonce)
            nonce++;
    return nonce;
}

/* A copy that outlives the call it comes from. */
static kl_tx keep(struct chain_rig *rig, const kl_tx *tx)
{
    kl_tx copy;
    kl_rule broken;
    kl_span raw = kl_arena_copy(&rig->arena, tx->raw);
    CHECK_OK(kl_tx_decode(&copy, raw, KL_FORK_NEWEST, &rig->arena, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    copy.sender = tx->sender;
    copy.has_sender = true;
    kl_tx_recover_authorities(&copy);
    return copy;
}

static kl_status rig_submit(struct kl_rpc_backend *backend, const kl_tx *tx,
                            const kl_rpc_submission *how, kl_rule *broken)
{
    struct chain_rig *rig = of(backend);
    rig->submission = *how;
    u64 nonce = rig_next_nonce(backend, &tx->sender, account_nonce(rig, &tx->sender));
    *broken = rig->refusal;
    rig->refusal = KL_RULE_NONE;
    if (*broken == KL_RULE_NONE && tx->nonce != nonce)
        *broken = tx->nonce < nonce ? KL_RULE_TX_NONCE_LOW : KL_RULE_TX_NONCE_HIGH;
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    CHECK(rig->pool_count < RIG_POOL_MAX);
    rig->pool[rig->pool_count++] = keep(rig, tx);
    kl_feed_add_pending(rig->core.feed, &tx->hash);
    if (rig->automine)
        *broken = build(rig);
    return KL_OK;
}

static kl_status rig_pooled(struct kl_rpc_backend *backend, const kl_hash *hash,
                            struct kl_arena *arena, kl_rpc_pooled *out)
{
    struct chain_rig *rig = of(backend);
    (void)arena;
    for (usize i = 0; i < rig->pool_count; i++)
        if (kl_hash_eq(&rig->pool[i].hash, hash)) {
            *out = (kl_rpc_pooled){.tx = rig->pool[i], .pending = true};
            return KL_OK;
        }
    return KL_NOTFOUND;
}

static kl_status rig_content(struct kl_rpc_backend *backend, struct kl_arena *arena,
                             kl_rpc_pooled **out, usize *count)
{
    struct chain_rig *rig = of(backend);
    kl_rpc_pooled *list = KL_ZERO(arena, kl_rpc_pooled, rig->pool_count + 1);
    CHECK(list);
    for (usize i = 0; i < rig->pool_count; i++)
        list[i] = (kl_rpc_pooled){.tx = rig->pool[i], .pending = true};
    *out = list;
    *count = rig->pool_count;
    return KL_OK;
}

static void rig_counts(struct kl_rpc_backend *backend, usize *pending, usize *queued)
{
    *pending = of(backend)->pool_count;
    *queued = 0;
}

static usize rig_account_count(struct kl_rpc_backend *backend)
{
    (void)backend;
    return RIG_ACCOUNTS;
}

static kl_address rig_account(struct kl_rpc_backend *backend, usize index)
{
    return of(backend)->account[index];
}

static bool rig_sign(struct kl_rpc_backend *backend, const kl_address *address,
                     const kl_hash *digest, kl_signature *out)
{
    for (usize i = 0; i < RIG_ACCOUNTS; i++)
        if (kl_address_eq(&of(backend)->account[i], address)) {
            kl_secret32 key = key_of(i);
            return kl_secp256k1_sign(out, digest, &key);
        }
    return false;
}

static kl_status rig_dev(struct kl_rpc_backend *backend, kl_devop *op, kl_rule *broken)
{
    struct chain_rig *rig = of(backend);
    struct kl_tip *tip, *head = kl_chain_head(rig->chain);
    if (op->kind == KL_DEVOP_SNAPSHOT)
        op->number = head->dev->env.next_snapshot;
    kl_status status = kl_chain_dev(rig->chain, rig->run, head, op, &tip, broken);
    kl_tip_unref(head);
    if (status == KL_OK && *broken == KL_RULE_NONE)
        take(rig, tip);
    return status;
}

static kl_status rig_mine(struct kl_rpc_backend *backend, u64 count, u64 spacing)
{
    for (u64 i = 0; i < count; i++) {
        of(backend)->time += i ? spacing : 0;
        chain_rig_mine(of(backend));
    }
    return KL_OK;
}

static bool rig_automine(struct kl_rpc_backend *backend)
{
    return of(backend)->automine;
}

static kl_status rig_health(struct kl_rpc_backend *backend)
{
    return of(backend)->health;
}

static void rig_health_reason(struct kl_rpc_backend *backend, char out[KL_RPC_REASON_MAX])
{
    snprintf(out, KL_RPC_REASON_MAX, "%s", of(backend)->health == KL_FULL ? "0 bytes free" : "");
}

static usize rig_peer_count(KL_UNUSED struct kl_rpc_backend *backend)
{
    return 2;
}

static kl_rpc_network rig_network(KL_UNUSED struct kl_rpc_backend *backend)
{
    return (kl_rpc_network){1, 2, 3, 4, 1000, 2000};
}

/* Of three places the last one has not voted. */
static bool rig_votes(KL_UNUSED struct kl_rpc_backend *backend, kl_rpc_votes *out)
{
    *out = (kl_rpc_votes){.why = "votes are missing",
                          .signing = true,
                          .view = 9,
                          .leader = 1,
                          .notarized = 5,
                          .have = 2,
                          .need = 3,
                          .stalled_s = 12,
                          .missing = {1 << 2},
                          .silent_s = {[2] = 14}};
    return true;
}

static void rig_syncing(struct kl_rpc_backend *backend, kl_rpc_syncing *out)
{
    *out = of(backend)->syncing;
}

static void rig_history(struct kl_rpc_backend *backend, kl_rpc_history *out)
{
    *out = of(backend)->history;
}

static u64 rig_dropped(KL_UNUSED struct kl_rpc_backend *backend, kl_rule why)
{
    return why == KL_RULE_SWARM_FULL ? 5 : why == KL_RULE_VOTE_SIGNATURE ? 17 : 0;
}

static u64 rig_refused(KL_UNUSED struct kl_rpc_backend *backend, kl_rule why)
{
    return why == KL_RULE_CONSENSUS_TIME ? 3 : 0;
}

static kl_rpc_memory rig_memory(KL_UNUSED struct kl_rpc_backend *backend)
{
    return (kl_rpc_memory){.taken = 800, .max = 1000, .sated = true};
}

static const struct kl_rpc_backend_ops ops = {
    .chain = rig_chain,
    .submit = rig_submit,
    .next_nonce = rig_next_nonce,
    .pooled = rig_pooled,
    .pool_content = rig_content,
    .pool_counts = rig_counts,
    .account_count = rig_account_count,
    .account = rig_account,
    .sign = rig_sign,
    .next_block = rig_next_block,
    .dev = rig_dev,
    .mine = rig_mine,
    .automine = rig_automine,
    .health = rig_health,
    .health_reason = rig_health_reason,
    .peer_count = rig_peer_count,
    .network = rig_network,
    .dropped = rig_dropped,
    .refused = rig_refused,
    .memory = rig_memory,
    .votes = rig_votes,
    .syncing = rig_syncing,
    .history = rig_history,
};

static void open_chain(struct chain_rig *rig)
{
    struct kl_buf keel, text;
    kl_chain_report report;
    kl_buf_init(&keel, TEXT_MAX);
    kl_buf_init(&text, TEXT_MAX);
    if (rig->votes)
        vote_rig_put_config(rig->votes, &keel);
    else
        kl_buf_str(&keel, "\"dev\":true");
    kl_buf_bytes(&keel, "", 1);
    CHECK(!keel.failed);
    kl_buf_print(&text, genesis, (const char *)keel.p, rig->text[0], rig->text[1], rig->text[2]);
    const kl_chain_config config = {.fs = kl_sim_disk_fs(rig->disk),
                                    .kv = rig->kv,
                                    .genesis = kl_buf_view(&text),
                                    .segment_bytes = 1 << 20,
                                    .keep_preimages = true};
    CHECK_OK(kl_chain_open(&rig->chain, &config, NULL, &report));
    kl_buf_done(&keel);
    kl_buf_done(&text);
}

static void init(struct chain_rig *rig, struct vote_rig *votes)
{
    *rig = (struct chain_rig){.backend = {.ops = &ops, .client_version = "Keel/test"},
                              .time = 1000,
                              .automine = true,
                              .votes = votes};
    kl_arena_init(&rig->arena, SIZE_MAX);
    for (usize i = 0; i < RIG_ACCOUNTS; i++) {
        kl_secret32 key = key_of(i);
        kl_pubkey pubkey;
        CHECK(kl_secp256k1_pubkey(&pubkey, &key));
        rig->account[i] = kl_address_of_pubkey(&pubkey);
        kl_address_text(rig->text[i], &rig->account[i]);
    }
    CHECK_OK(kl_sim_disk_new(&rig->disk));
    CHECK_OK(kl_memkv_open(&rig->kv, KL_TABLE_COUNT));
    CHECK_OK(kl_exec_new(&rig->exec, &(kl_exec_config){.evm_memory_limit = 1 << 28,
                                                       .journal_memory_limit = 1 << 28}));
    CHECK_OK(kl_run_new(&rig->run, rig->exec));
    open_chain(rig);
    rig->config = (kl_rpc_config){.dev = !votes,
                                  .limits = kl_rpc_limits_default(),
                                  .clock = kl_sys_clock(),
                                  .backend = &rig->backend};
    rig->core = (struct kl_rpc_core){.config = &rig->config, .methods = kl_rpc_methods};
    CHECK_OK(kl_feed_new(&rig->core.feed));
    CHECK_OK(kl_filters_new(&rig->core.filters, rig->core.feed, 1));
    kl_rpc_worker_init(&rig->worker, &rig->core);
    kl_buf_init(&rig->sent, SIZE_MAX);
    kl_buf_init(&rig->out, SIZE_MAX);
}

void chain_rig_init(struct chain_rig *rig)
{
    init(rig, NULL);
}

void chain_rig_init_voting(struct chain_rig *rig, u64 epoch_blocks)
{
    init(rig, vote_rig_new(epoch_blocks));
}

void chain_rig_done(struct chain_rig *rig)
{
    vote_rig_free(rig->votes);
    kl_rpc_worker_done(&rig->worker);
    kl_filters_free(rig->core.filters);
    kl_feed_free(rig->core.feed);
    kl_buf_done(&rig->sent);
    kl_buf_done(&rig->out);
    kl_chain_close(rig->chain);
    kl_run_free(rig->run);
    kl_exec_free(rig->exec);
    kl_kv_close(rig->kv);
    kl_sim_disk_free(rig->disk);
    kl_arena_done(&rig->arena);
}

static kl_span answer_of(const struct chain_rig *rig)
{
    static const char head[] = "{\"jsonrpc\":\"2.0\",\"id\":1,";
    usize start = sizeof head - 1;
    CHECK(rig->out.len > start);
    return kl_span_sub(kl_buf_view(&rig->out), start, rig->out.len - start - 1);
}

kl_span chain_rig_ask(struct chain_rig *rig, const char *method, const char *params)
{
    kl_buf_clear(&rig->sent);
    kl_buf_clear(&rig->out);
    kl_buf_str(&rig->sent, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"");
    kl_buf_str(&rig->sent, method);
    kl_buf_str(&rig->sent, "\",\"params\":");
    kl_buf_str(&rig->sent, params);
    kl_buf_str(&rig->sent, "}");
    kl_rpc_worker_begin(&rig->worker);
    CHECK(kl_jsonrpc_serve(&rig->worker, NULL, kl_buf_view(&rig->sent), &rig->out));
    kl_rpc_worker_end(&rig->worker);
    return answer_of(rig);
}

void chain_rig_answered(const struct chain_rig *rig, const char *want)
{
    kl_span got = answer_of(rig);
    if (!kl_span_eq(got, kl_span_str(want)))
        kl_test_fail(__FILE__, __LINE__, "asked %.*s\n  got  %.*s\n  want %s", (int)rig->sent.len,
                     (const char *)rig->sent.p, (int)got.len, (const char *)got.p, want);
}

void chain_rig_has(const struct chain_rig *rig, const char *text)
{
    usize len = strlen(text), at = 0;
    while (at + len <= rig->out.len && memcmp(rig->out.p + at, text, len) != 0)
        at++;
    if (at + len > rig->out.len)
        kl_test_fail(__FILE__, __LINE__, "%s\n  is not in %.*s", text, (int)rig->out.len,
                     (const char *)rig->out.p);
}

void chain_rig_check(struct chain_rig *rig, const char *method, const char *params,
                     const char *want)
{
    chain_rig_ask(rig, method, params);
    chain_rig_answered(rig, want);
}

void chain_rig_code(struct chain_rig *rig, const char *address, const char *code)
{
    kl_devop op = {.kind = KL_DEVOP_SET_CODE};
    kl_rule broken;
    CHECK_RULE(kl_hex_fixed(op.address.b, sizeof op.address.b, kl_span_str(address)), KL_RULE_NONE);
    op.code = kl_test_hex(code);
    CHECK_OK(rig_dev(&rig->backend, &op, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
}

kl_hash chain_rig_send(struct chain_rig *rig, usize from, const kl_address *to, u64 value,
                       kl_span data)
{
    kl_secret32 key = key_of(from);
    kl_rule broken;
    kl_tx tx = {
        .type = KL_TX_DYNAMIC_FEE,
        .replay_safe = true,
        .chain_id = 31337,
        .nonce = rig_next_nonce(&rig->backend, &rig->account[from],
                                account_nonce(rig, &rig->account[from])),
        .gas_limit = 300000,
        .max_fee = kl_u256_of(5000000000),
        .max_priority_fee = kl_u256_of(1000000000),
        .value = kl_u256_of(value),
        .has_to = to != NULL,
        .data = data,
    };
    if (to)
        tx.to = *to;
    CHECK_OK(kl_tx_sign(&tx, &key, &rig->arena));
    CHECK_OK(rig_submit(&rig->backend, &tx, &(kl_rpc_submission){0}, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    return tx.hash;
}

KL_PRINTF(3, 0)
static void ask_list(struct chain_rig *rig, const char *method, const char *params, va_list args)
{
    static char text[TEXT_MAX];
    int len = vsnprintf(text, sizeof text, params, args);
    CHECK(len >= 0 && len < TEXT_MAX);
    chain_rig_ask(rig, method, text);
}

kl_span chain_rig_askf(struct chain_rig *rig, const char *method, const char *params, ...)
{
    va_list args;
    va_start(args, params);
    ask_list(rig, method, params, args);
    va_end(args);
    return answer_of(rig);
}

/* The answer's member `name`; the test fails with the whole answer when there is none. */
static kl_span part(struct chain_rig *rig, const char *name)
{
    kl_span answer = kl_buf_view(&rig->out), found = chain_rig_member(rig, answer, name);
    if (!found.len)
        kl_test_fail(__FILE__, __LINE__, "no %s in %.*s", name, (int)answer.len,
                     (const char *)answer.p);
    return found;
}

kl_span chain_rig_result(struct chain_rig *rig, const char *method, const char *params, ...)
{
    va_list args;
    va_start(args, params);
    ask_list(rig, method, params, args);
    va_end(args);
    return part(rig, "result");
}

kl_span chain_rig_error(struct chain_rig *rig, const char *method, const char *params, ...)
{
    va_list args;
    va_start(args, params);
    ask_list(rig, method, params, args);
    va_end(args);
    return part(rig, "error");
}

static struct kl_json parsed(struct chain_rig *rig, kl_span text)
{
    struct kl_json json;
    kl_rule broken;
    usize at;
    CHECK_OK(kl_json_parse(&json, text, 1 << 20, &rig->arena, &broken, &at));
    CHECK_RULE(broken, KL_RULE_NONE);
    return json;
}

kl_span chain_rig_member(struct chain_rig *rig, kl_span object, const char *name)
{
    struct kl_json json = parsed(rig, object);
    kl_json_ref ref = kl_json_member(&json, 0, name);
    return ref == KL_JSON_NONE ? KL_SPAN_NONE : kl_json_raw(&json, ref);
}

u64 chain_rig_number(struct chain_rig *rig, kl_span object, const char *name)
{
    u64 v = 0;
    CHECK_RULE(kl_hex_u64(&v, chain_rig_member(rig, object, name)), KL_RULE_NONE);
    return v;
}

usize chain_rig_count(struct chain_rig *rig, kl_span array)
{
    struct kl_json json = parsed(rig, array);
    CHECK(kl_json_is(&json, 0, KL_JSON_ARRAY));
    return json.nodes[0].count;
}
