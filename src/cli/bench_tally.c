/* What a run came to, from the blocks themselves. */
#include <stdio.h>

#include "base/map.h"
#include "cli/bench_drive.h"
#include "codec/hex.h"
#include "sys/env.h"

enum { BLOCKS_A_REQUEST = 25, SAMPLE = 200 };

struct tally {
    kl_bench_tally *out;
    const struct kl_bench_run *run;
    struct kl_map by_hash;
};

/* When a head of at least that number was first seen. */
static u64 seen_at(const struct kl_bench_run *run, u64 number)
{
    usize low = 0, high = run->sighting_count - 1;
    while (low < high) {
        usize middle = (low + high) / 2;
        if (run->sightings[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return run->sightings[low].seen_ns;
}

KL_MUST_USE static kl_status take_block(struct tally *t, const struct kl_json *json,
                                        kl_json_ref block)
{
    u64 gas, number;
    kl_json_ref used = kl_json_member(json, block, "gasUsed"),
                height = kl_json_member(json, block, "number"),
                list = kl_json_member(json, block, "transactions");
    if (used == KL_JSON_NONE || height == KL_JSON_NONE || list == KL_JSON_NONE ||
        kl_hex_u64(&gas, kl_json_raw(json, used)) != KL_RULE_NONE ||
        kl_hex_u64(&number, kl_json_raw(json, height)) != KL_RULE_NONE)
        return KL_CORRUPT;
    u64 seen_ns = seen_at(t->run, number);
    t->out->gas += gas;
    for (kl_json_ref i = kl_json_first(json, list); i != KL_JSON_NONE;
         i = kl_json_after(json, list, i)) {
        kl_hash hash;
        if (kl_hex_fixed(hash.b, sizeof hash.b, kl_json_raw(json, i)) != KL_RULE_NONE)
            return KL_CORRUPT;
        kl_bench_tx *tx = kl_map_get(&t->by_hash, &hash);
        if (tx) {
            tx->seen_ns = seen_ns;
            t->out->found++;
        }
    }
    return KL_OK;
}

KL_MUST_USE static kl_status take_blocks(struct tally *t, struct kl_bench_node *node, u64 first,
                                         u64 last)
{
    struct kl_buf body;
    struct kl_json json;
    char text[160];
    kl_buf_init(&body, 1 << 20);
    for (u64 n = first; n <= last; n++) {
        int len = snprintf(text, sizeof text,
                           "%s{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"eth_getBlockByNumber\","
                           "\"params\":[\"0x%llx\",false]}",
                           n == first ? "[" : ",", (unsigned long long)n, (unsigned long long)n);
        kl_buf_bytes(&body, text, (usize)len);
    }
    kl_buf_str(&body, "]");
    kl_status status = kl_bench_post(node, kl_buf_view(&body), &json);
    kl_buf_done(&body);
    KL_TRY(status);
    for (kl_json_ref a = kl_json_first(&json, 0); a != KL_JSON_NONE; a = kl_json_after(&json, 0, a))
        KL_TRY(take_block(t, &json, kl_json_member(&json, a, "result")));
    return KL_OK;
}

KL_MUST_USE static kl_status sample_receipts(kl_bench_tally *out, struct kl_bench_node *node,
                                             const kl_bench_tx *txs, usize count)
{
    usize step = count / SAMPLE + 1;
    for (usize i = 0; i < count; i += step) {
        struct kl_json json;
        kl_json_ref receipt;
        if (txs[i].seen_ns == 0)
            continue;
        KL_TRY(kl_bench_receipt(node, &txs[i].hash, &json, &receipt));
        kl_json_ref status = kl_json_member(&json, receipt, "status");
        out->sampled++;
        out->failed += status == KL_JSON_NONE || !kl_json_equals(&json, status, "0x1");
    }
    return KL_OK;
}

kl_status kl_bench_count(kl_bench_tally *out, const struct kl_bench_run *run,
                         struct kl_bench_node *node, kl_bench_tx *txs, usize count)
{
    struct tally t = {.out = out, .run = run};
    *out = (kl_bench_tally){0};
    if (run->sighting_count == 0)
        return KL_OK;
    kl_map_init(&t.by_hash, offsetof(kl_bench_tx, hash), sizeof txs->hash, 1);
    kl_status status = KL_OK;
    for (usize i = 0; i < count && status == KL_OK; i++)
        status = kl_map_put(&t.by_hash, &txs[i]);
    u64 last = run->sightings[run->sighting_count - 1].number;
    for (u64 n = run->first_block + 1; n <= last && status == KL_OK; n += BLOCKS_A_REQUEST)
        status = take_blocks(&t, node, n, KL_MIN(n + BLOCKS_A_REQUEST - 1, last));
    kl_map_done(&t.by_hash);
    if (status != KL_OK)
        fprintf(stderr, "keel bench: the blocks could not be read: %s\n", kl_status_text(status));
    KL_TRY(status);
    return sample_receipts(out, node, txs, count);
}

/* A node may count a block's nonces a moment before it shows the block. */
kl_status kl_bench_count_all(kl_bench_tally *tally, struct kl_bench_run *run,
                             struct kl_bench_node *node, kl_bench_tx *txs, usize count)
{
    for (unsigned tries = 0; tries < 100; tries++) {
        KL_TRY(kl_bench_count(tally, run, node, txs, count));
        if (tally->found >= run->mined)
            break;
        kl_sys_nap(10000000);
        KL_TRY(kl_bench_look(run, node));
    }
    run->mined = tally->found;
    for (usize i = 0; i < count; i++)
        run->end_ns = i == 0 ? txs[i].seen_ns : KL_MAX(run->end_ns, txs[i].seen_ns);
    return KL_OK;
}
