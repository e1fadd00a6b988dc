/* Records of the ledger.  The first byte chooses the kind, the rest is the payload: what decodes
 * writes back to the same bytes. */
#include "base/fuzz.h"
#include "chain/record.h"

static void expect(struct kl_buf *got, kl_span want)
{
    KL_ASSERT(!got->failed && kl_span_eq(kl_buf_view(got), want));
}

static void genesis(kl_span payload, struct kl_buf *again)
{
    kl_header header, alone;
    kl_span text;
    kl_rule rule = kl_record_genesis(payload, &header, &text);
    KL_ASSERT(kl_record_header(KL_RECORD_GENESIS, payload, &alone) == rule);
    if (rule != KL_RULE_NONE)
        return;
    kl_record_put_genesis(again, &header, text);
    expect(again, payload);
}

static void dev(kl_span payload, struct kl_buf *again)
{
    kl_dev_outcome outcome;
    kl_devop op;
    if (kl_record_dev(payload, &outcome, &op) != KL_RULE_NONE)
        return;
    KL_ASSERT(*kl_devop_name(op.kind));
    kl_record_put_dev(again, &outcome, &op);
    expect(again, payload);
}

/* The record again, when what votes add to it can be read. */
static bool put_again(u8 kind, const kl_block_record *record, const kl_block *block,
                      const kl_receipt *receipts, struct kl_arena *arena, struct kl_buf *again)
{
    kl_consensus_header header;
    kl_valset set;
    kl_rule broken = KL_RULE_NONE;
    if (kind == KL_RECORD_BLOCK) {
        kl_record_put_block(again, block, receipts);
        return true;
    }
    if (kl_consensus_header_decode(&header, record->consensus) != KL_RULE_NONE)
        return false;
    if (record->next_set.len &&
        kl_valset_decode(&set, record->next_set, true, arena, &broken) != KL_OK)
        return false; /* the limit of memory */
    if (broken != KL_RULE_NONE)
        return false;
    kl_record_put_voted(again, block, receipts, &header, record->next_set.len ? &set : NULL);
    return true;
}

/* Opens a block's record, with its receipts or without, under a limit of memory. */
static kl_rule open_block(u8 kind, kl_span payload, struct kl_buf *again, bool with_receipts,
                          usize limit)
{
    struct kl_arena arena;
    kl_block_record record;
    kl_block block;
    kl_header header;
    const kl_receipt *receipts = NULL;
    kl_spec spec;
    kl_rule broken = kl_record_block(kind, payload, &record);
    if (broken != KL_RULE_NONE)
        return broken;
    kl_spec_init(&spec, KL_FORK_NEWEST);
    kl_arena_init(&arena, limit);
    kl_status status =
        kl_record_open(&record, &spec, &arena, &block, with_receipts ? &receipts : NULL, &broken);
    KL_ASSERT(status == KL_OK || (status == KL_NOMEM && limit < 1 << 16));
    if (status == KL_OK && broken == KL_RULE_NONE && with_receipts) {
        KL_ASSERT(kl_record_header(kind, payload, &header) == KL_RULE_NONE);
        kl_hash hash = kl_header_hash(&header);
        KL_ASSERT(kl_hash_eq(&hash, &block.hash));
        if (put_again(kind, &record, &block, receipts, &arena, again))
            expect(again, kl_span_sub(payload, 0, payload.len - record.finalization.len));
    }
    kl_arena_done(&arena);
    return broken;
}

static void block(u8 kind, kl_span payload, struct kl_buf *again)
{
    struct kl_buf unused;
    kl_buf_init(&unused, 1 << 26);
    kl_rule whole = open_block(kind, payload, again, true, 1 << 26);
    kl_rule without = open_block(kind, payload, again, false, 1 << 26);
    KL_ASSERT(whole == without || without == KL_RULE_NONE);
    (void)open_block(kind, payload, &unused, true, payload.len * 2654435761u % 8192);
    kl_buf_done(&unused);
}

/* The environment of a dev chain, as the state keeps it. */
static void environment(kl_span payload)
{
    static kl_dev_env env;
    u8 room[KL_DEV_ENV_RLP_MAX];
    if (kl_dev_env_decode(&env, payload) != KL_RULE_NONE)
        return;
    KL_ASSERT(env.impersonated_count <= KL_DEV_IMPERSONATED_MAX);
    KL_ASSERT(env.snapshot_count <= KL_DEV_SNAPSHOT_MAX);
    kl_out out = kl_out_of(room, sizeof room);
    kl_dev_env_encode(&out, &env);
    KL_ASSERT(!out.full && kl_span_eq(kl_out_done(&out), payload));
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    struct kl_buf again;
    kl_header header;
    if (len == 0)
        return 0;
    kl_span payload = kl_span_of(bytes + 1, len - 1);
    kl_buf_init(&again, 1 << 26);
    switch (bytes[0] % 6) {
    case 0:
        environment(payload);
        break;
    case KL_RECORD_GENESIS:
        genesis(payload, &again);
        break;
    case KL_RECORD_BLOCK:
    case KL_RECORD_VOTED:
        block(bytes[0] % 6, payload, &again);
        break;
    case KL_RECORD_DEV:
        dev(payload, &again);
        break;
    default:
        KL_ASSERT(kl_record_header(bytes[0], payload, &header) != KL_RULE_NONE ||
                  bytes[0] == KL_RECORD_GENESIS || bytes[0] == KL_RECORD_BLOCK ||
                  bytes[0] == KL_RECORD_VOTED);
    }
    kl_buf_done(&again);
    return 0;
}
