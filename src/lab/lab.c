/* One run: a world is made of a seed's plan, lives through its weather, and must be live when that
 * is over. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "chain/authority.h"
#include "lab/attack_priv.h"
#include "lab/oracle_priv.h"
#include "lab/wire_priv.h"
#include "lab/work_priv.h"
#include "store/memkv.h"

static void put_hex(struct kl_buf *out, const char *name, const void *bytes, usize len)
{
    kl_buf_print(out, "\"%s\":\"0x", name);
    for (usize i = 0; i < len; i++)
        kl_buf_print(out, "%02x", ((const u8 *)bytes)[i]);
    kl_buf_print(out, "\"");
}

static void put_validator(struct kl_lab *lab, u32 i)
{
    struct kl_buf *out = &lab->genesis;
    struct kl_lab_keys keys;
    kl_lab_keys_of(lab, i, &keys);
    const kl_validator *v = &keys.entry.validator;
    kl_buf_print(out, "%s{\"weight\":%llu,", i ? "," : "", (unsigned long long)v->weight);
    put_hex(out, "operator", &v->operator, sizeof v->operator);
    kl_buf_print(out, ",");
    put_hex(out, "key", v->key, lab->scheme->key_len);
    kl_buf_print(out, ",");
    put_hex(out, "randaoKey", v->randao_key, sizeof v->randao_key);
    if (keys.entry.key_proof.len) {
        kl_buf_print(out, ",");
        put_hex(out, "proof", keys.entry.key_proof.p, keys.entry.key_proof.len);
    }
    if (keys.entry.randao_proof.len) {
        kl_buf_print(out, ",");
        put_hex(out, "randaoProof", keys.entry.randao_proof.p, keys.entry.randao_proof.len);
    }
    kl_buf_print(out, "}");
}

static void write_genesis(struct kl_lab *lab)
{
    struct kl_buf *out = &lab->genesis;
    const kl_lab_plan *p = &lab->plan;
    static const char *const blocks[] = {"homestead", "eip150",         "eip155",     "eip158",
                                         "byzantium", "constantinople", "petersburg", "istanbul",
                                         "berlin",    "london"};
    static const char *const schemes[] = {
        [KL_SCHEME_SECP256K1] = "secp256k1",
        [KL_SCHEME_BLS12_381] = "bls12-381",
        [KL_SCHEME_KEYED_HASH] = "keyed-hash",
    };
    kl_buf_print(out, "{\"config\":{\"chainId\":%u,", KL_LAB_CHAIN_ID);
    for (usize i = 0; i < KL_COUNT_OF(blocks); i++)
        kl_buf_print(out, "\"%sBlock\":0,", blocks[i]);
    kl_buf_print(out,
                 "\"terminalTotalDifficulty\":0,\"shanghaiTime\":0,\"cancunTime\":0,"
                 "\"keel\":{\"engine\":\"simplex\",\"bft\":{\"scheme\":\"%s\","
                 "\"epochBlocks\":%llu,\"blockPeriodMs\":%llu,\"emptyPeriodMs\":%llu,"
                 "\"deltaMs\":%llu,",
                 schemes[p->scheme], (unsigned long long)p->epoch_blocks,
                 (unsigned long long)p->period_ms, (unsigned long long)p->empty_ms,
                 (unsigned long long)p->delta_ms);
    if (kl_lab_has(lab, KL_LAB_SET_CHANGE)) {
        put_hex(out, "policy", &kl_authority_address, sizeof kl_authority_address);
        kl_buf_print(out, ",");
    }
    kl_buf_print(out, "\"validators\":[");
    for (u32 i = 0; i < p->validators; i++)
        put_validator(lab, i);
    kl_buf_print(out, "]}}},\"timestamp\":\"0x1\",\"gasLimit\":\"0x1c9c380\","
                      "\"difficulty\":\"0x0\",\"alloc\":{");
    kl_lab_work_alloc(lab, out);
    if (kl_lab_has(lab, KL_LAB_SET_CHANGE))
        kl_lab_govern_alloc(lab, out);
    kl_buf_print(out, "}}");
    KL_ASSERT(!out->failed);
}

/* The genesis block's hash and first epoch, from a chain that is opened for them alone. */
static void read_genesis(struct kl_lab *lab)
{
    struct kl_sim_disk *disk;
    struct kl_kv *kv;
    struct kl_chain *chain;
    kl_chain_report report = {0};
    KL_ASSERT(kl_sim_disk_new(&disk) == KL_OK && kl_memkv_open(&kv, KL_TABLE_COUNT) == KL_OK);
    const kl_chain_config config = {.fs = kl_sim_disk_fs(disk),
                                    .kv = kv,
                                    .genesis = kl_buf_view(&lab->genesis),
                                    .segment_bytes = 64 << 10,
                                    .tests = true};
    kl_status status = kl_chain_open(&chain, &config, NULL, &report);
    if (status != KL_OK) {
        fprintf(stderr, "keel sim: the genesis: %s, %s\n%.*s\n", kl_status_text(status),
                kl_rule_name(report.genesis.rule), (int)lab->genesis.len,
                (const char *)lab->genesis.p);
        KL_ASSERT(status == KL_OK);
    }
    lab->genesis_hash = *kl_chain_genesis_hash(chain);
    struct kl_tip *tip = kl_chain_published(chain);
    kl_lab_oracle_begin(lab, tip->epoch);
    kl_tip_unref(tip);
    kl_chain_close(chain);
    kl_kv_close(kv);
    kl_sim_disk_free(disk);
}

static void make_machines(struct kl_lab *lab)
{
    const kl_lab_plan *p = &lab->plan;
    for (u32 i = 0; i < p->keys; i++)
        (void)kl_lab_machine_new(lab, i, p->attacks[i]);
    for (u32 i = 0; i < p->validators; i++)
        if (p->attacks[i] == KL_LAB_IS_TWIN && lab->count < KL_LAB_MACHINES_MAX)
            (void)kl_lab_machine_new(lab, i, KL_LAB_IS_TWIN);
    for (u32 i = 0; i < p->observers && lab->count < KL_LAB_MACHINES_MAX; i++)
        (void)kl_lab_machine_new(lab, KL_BFT_NOBODY, KL_LAB_IS_NONE);
}

struct kl_lab *kl_lab_open(const kl_lab_options *options, const kl_lab_plan *plan,
                           const struct kl_lab_script *script, kl_lab_result *result)
{
    /* Machines come and go; what they held is used again and not given back page by page. */
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    struct kl_lab *lab = kl_lab_memory(sizeof *lab);
    *result = (kl_lab_result){0};
    *lab = (struct kl_lab){.options = *options,
                           .plan = *plan,
                           .script = script,
                           .result = result,
                           .dice = options->seed};
    lab->scheme = kl_vote_scheme_of(lab->plan.scheme, true);
    KL_ASSERT(lab->scheme);
    for (u32 i = 0; i < lab->plan.keys; i++) {
        kl_rand_fill(&lab->dice, &lab->secrets[i], sizeof lab->secrets[i]);
        lab->secrets[i].b[0] = 0x11; /* below the order of every group */
    }
    result->nodes = lab->plan.validators;
    result->faults = lab->plan.faults;
    kl_buf_init(&lab->genesis, 1 << 20);
    KL_ASSERT(kl_code_cache_new(&lab->codes, 1 << 20, options->seed) == KL_OK);
    KL_ASSERT(kl_senders_new(&lab->senders, 1 << 14) == KL_OK);
    kl_lab_work_begin(lab);
    write_genesis(lab);
    read_genesis(lab);
    kl_lab_attack_begin(lab);
    make_machines(lab);
    if (options->wire)
        kl_lab_wire_begin(lab);
    for (u32 i = 0; i < lab->count; i++)
        kl_lab_start(lab->machines[i]);
    kl_lab_post(lab, &(kl_lab_event){.kind = KL_LAB_WEATHER}, 300 * KL_MS);
    kl_lab_post(lab, &(kl_lab_event){.kind = KL_LAB_USERS}, 100 * KL_MS);
    return lab;
}

void kl_lab_close(struct kl_lab *lab)
{
    if (lab->result->failed && !lab->options.silent)
        kl_lab_stories(lab);
    for (u32 i = 0; i < lab->count; i++)
        kl_lab_machine_free(lab->machines[i]);
    kl_lab_drop_all(lab);
    kl_lab_wire_done(lab);
    kl_lab_attack_done(lab);
    kl_lab_oracle_done(lab);
    kl_lab_work_done(lab);
    kl_senders_free(lab->senders);
    kl_code_cache_free(lab->codes);
    kl_buf_done(&lab->genesis);
    free(lab);
}

/* When nothing moves any more the weather ends too, so that a run ends. */
static bool is_stormy(const struct kl_lab *lab)
{
    return lab->script ||
           (lab->views < lab->plan.views &&
            lab->now_ns < lab->plan.views * 4 * (lab->plan.period_ms + lab->plan.delta_ms) * KL_MS);
}

bool kl_lab_step(struct kl_lab *lab)
{
    kl_lab_event event;
    if (lab->result->failed || lab->over || !kl_lab_next(lab, &event))
        return false;
    if (event.kind == KL_LAB_WEATHER)
        kl_lab_weather(lab);
    else if (event.kind == KL_LAB_USERS)
        kl_lab_work_users(lab);
    else
        kl_lab_happen(lab, &event);
    if (lab->wire)
        kl_lab_wire_settle(lab);
    if (!lab->calm && !is_stormy(lab))
        kl_lab_calm_down(lab);
    if (lab->calm)
        kl_lab_live(lab);
    lab->result->virtual_ns = lab->now_ns;
    return true;
}

void kl_lab_run(const kl_lab_options *options, kl_lab_result *out)
{
    kl_lab_plan plan;
    kl_lab_plan_make(&plan, options);
    struct kl_lab *lab = kl_lab_open(options, &plan, NULL, out);
    while (kl_lab_step(lab)) {
    }
    if (!out->failed)
        kl_lab_verify(lab);
    kl_lab_close(lab);
}
