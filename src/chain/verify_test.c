#include "chain/verify.h"

#include <stdlib.h>

#include "base/test.h"
#include "chain/chain_priv.h"
#include "chain/chain_world_priv.h"
#include "codec/rlp.h"
#include "sim/disk.h"

enum { SEGMENT = 64 << 10 };

/* A ledger on a disk of its own: of the records given, or a copy of another one with one of them
 * exchanged. */
struct copied {
    struct kl_sim_disk *disk;
    struct kl_seglog *log;
};

static void copy_begin(struct copied *c)
{
    kl_seglog_report report;
    const kl_seglog_config config = {.dir = "ledger", .segment_bytes = SEGMENT};
    CHECK_OK(kl_sim_disk_new(&c->disk));
    CHECK_OK(kl_seglog_open(&c->log, kl_sim_disk_fs(c->disk), &config, &report));
}

static void copy_add(struct copied *c, u8 kind, kl_span payload)
{
    u64 seq;
    CHECK_OK(kl_seglog_append(c->log, kind, &payload, 1, &seq));
}

static void copy_end(struct copied *c)
{
    CHECK_OK(kl_seglog_write(c->log));
    CHECK_OK(kl_seglog_sync(c->log));
    kl_seglog_close(c->log);
}

/* The records of a chain, in memory. */
struct records {
    struct kl_arena arena;
    /* Checks that record `at` is found to be wrong when it is exchanged for another. */
    void (*found)(const struct records *r, u64 at, u8 kind, kl_span payload);
    kl_record *record;
    u64 count;
};

static void check_found(const struct records *r, u64 at, u8 kind, kl_span payload);

static void records_of(struct records *r, struct kl_sim_disk *disk)
{
    r->found = check_found;
    struct kl_seglog *log;
    kl_seglog_report report;
    const kl_seglog_config config = {.dir = "ledger", .segment_bytes = SEGMENT, .read_only = true};
    kl_arena_init(&r->arena, SIZE_MAX);
    CHECK_OK(kl_seglog_open(&log, kl_sim_disk_fs(disk), &config, &report));
    r->count = kl_seglog_end(log);
    r->record = KL_TAKE(&r->arena, kl_record, r->count);
    for (u64 i = 0; i < r->count; i++)
        CHECK_OK(kl_seglog_read(log, i, &r->arena, &r->record[i], NULL));
    kl_seglog_close(log);
}

static void copy_exchanged(struct copied *c, const struct records *r, u64 at, u8 kind,
                           kl_span payload)
{
    copy_begin(c);
    for (u64 i = 0; i < r->count; i++)
        if (i == at)
            copy_add(c, kind, payload);
        else
            copy_add(c, r->record[i].kind, r->record[i].payload);
    copy_end(c);
}

static void verify_exchanged(const struct records *r, u64 at, u8 kind, kl_span payload,
                             kl_verify_result *result)
{
    struct copied c;
    copy_exchanged(&c, r, at, kind, payload);
    world_verify(c.disk, result);
    kl_sim_disk_free(c.disk);
}

/* Something is wrong with record `at`, or with the one behind it. */
static void check_found_near(const struct records *r, u64 at, u8 kind, kl_span payload,
                             kl_verify_result *result)
{
    verify_exchanged(r, at, kind, payload, result);
    CHECK(!result->good);
    CHECK(result->bad_version == at || result->bad_version == at + 1);
    CHECK(result->rule != KL_RULE_NONE && !result->damage);
    CHECK(strncmp(result->file, "ledger/", 7) == 0 && result->offset > 0);
}

static void check_found(const struct records *r, u64 at, u8 kind, kl_span payload)
{
    kl_verify_result result;
    check_found_near(r, at, kind, payload, &result);
    CHECK_U64(result.bad_version, at);
}

/* A chain whose every record kind and operation is there. */
static void tell_story(struct world *w, usize steps, u64 *seed)
{
    for (usize i = 0; i < steps; i++)
        world_take(w, world_next_step(w, seed));
}

KL_TEST(verify_agrees_with_the_chain)
{
    struct world w;
    kl_verify_result result;
    world_init(&w);
    tell_story(&w, 120, seed);
    struct kl_tip *head = kl_chain_head(w.chain);
    kl_chain_close(w.chain);
    w.chain = NULL;
    world_verify(w.disk, &result);
    CHECK(result.good && !result.tear.cut_bytes);
    CHECK_U64(result.versions, head->version + 1);
    CHECK(kl_hash_eq(&result.head_hash, &head->hash));
    kl_tip_unref(head);
    world_done(&w);
}

/* Calls each for every byte string of an RLP item, its bytes being a view of the item. */
struct fields {
    kl_span todo[4096];
    usize count;
};

static void add_item(struct fields *f, kl_span item)
{
    CHECK(f->count < KL_COUNT_OF(f->todo));
    f->todo[f->count++] = item;
}

/* Items of a list, in the order of nothing in particular. */
static void add_items(struct fields *f, kl_span list)
{
    kl_rlp items;
    kl_span item;
    bool is_list;
    CHECK_RULE(kl_rlp_open(&items, list), KL_RULE_NONE);
    while (!kl_rlp_end(&items)) {
        CHECK_RULE(kl_rlp_item(&items, &item, &is_list), KL_RULE_NONE);
        add_item(f, item);
    }
}

static bool is_list(kl_span item)
{
    return item.len > 0 && item.p[0] >= 0xc0;
}

/* A typed transaction is a string with a list inside. */
static bool is_envelope(kl_span item, kl_span *list)
{
    kl_rlp items;
    if (item.len < 60 || item.p[0] < 0xb8 || item.p[0] > 0xbf)
        return false;
    usize header = 1 + (usize)(item.p[0] - 0xb7);
    if (item.p[header] == 0 || item.p[header] > 4)
        return false;
    *list = kl_span_sub(item, header + 1, item.len);
    return kl_rlp_open(&items, *list) == KL_RULE_NONE;
}

/* Flips a random bit of the bytes of one field. */
static void flip_field(const struct records *r, u64 at, kl_span field, u64 *seed)
{
    kl_span payload = r->record[at].payload;
    u8 *bytes = malloc(payload.len);
    CHECK(bytes);
    memcpy(bytes, payload.p, payload.len);
    usize from = (usize)(field.p - payload.p) + (field.len > 1);
    usize len = field.len - (field.len > 1);
    bytes[from + kl_rand_below(seed, len)] ^= (u8)(1 << kl_rand_below(seed, 8));
    r->found(r, at, r->record[at].kind, kl_span_of(bytes, payload.len));
    free(bytes);
}

static void flip_fields(const struct records *r, u64 at, u64 *seed)
{
    static struct fields f;
    kl_span list;
    f.count = 0;
    add_item(&f, r->record[at].payload);
    while (f.count > 0) {
        kl_span item = f.todo[--f.count];
        if (is_list(item))
            add_items(&f, item);
        else
            flip_field(r, at, item, seed);
        if (is_envelope(item, &list))
            add_items(&f, list);
    }
}

/* Every operation once, so that all kinds are there whatever the dice say. */
static void every_operation(struct world *w)
{
    u8 code[] = {0x5f, 0x5f, 0xf3};
    for (usize kind = 0; kind < KL_DEVOP_COUNT; kind++) {
        const kl_devop op = {
            .kind = (kl_devop_kind)kind,
            .address = {{0x99, 0x11}},
            .key = kl_u256_of(0x1234),
            .value = kl_u256_of(0x56789abc),
            .number = kind == KL_DEVOP_REVERT           ? 1
                      : kind == KL_DEVOP_SET_NONCE      ? 0x7788
                      : kind == KL_DEVOP_GAS_LIMIT      ? 0x1c9c380
                      : kind == KL_DEVOP_NEXT_TIMESTAMP ? 0x11223344
                                                        : 0,
            .seconds = 0x1357,
            .code = KL_SPAN_OF(code),
            .flag = kind == KL_DEVOP_IMPERSONATE,
        };
        CHECK_RULE(world_dev(w, &op), KL_RULE_NONE);
    }
}

KL_TEST(verify_names_a_flip_in_every_field_of_every_kind_of_record)
{
    struct world w;
    struct records r;
    kl_address to = {{0x42}};
    world_init(&w);
    kl_withdrawal withdrawals[] = {{5, 6, {{7}}, 8}, {6, 300, {{9}}, 10000}};
    const kl_tx *txs[] = {world_tx(&w, 0, &to, 1000, KL_SPAN_TEXT("data")),
                          world_tx(&w, 1, NULL, 0, kl_test_hex("60005f5fa100"))};
    w.withdrawals = withdrawals;
    w.withdrawal_count = 2;
    world_block(&w, txs, 2);
    every_operation(&w);
    world_refresh(&w);
    world_take(&w, world_next_step(&w, seed));
    world_take(&w, world_next_step(&w, seed));
    records_of(&r, w.disk);
    for (u64 at = 0; at < r.count; at++)
        flip_fields(&r, at, seed);
    kl_arena_done(&r.arena);
    world_done(&w);
}

KL_TEST(verify_names_a_flip_of_any_byte_of_a_record)
{
    struct world w;
    struct records r;
    world_init(&w);
    tell_story(&w, 12, seed);
    records_of(&r, w.disk);
    for (int i = 0; i < 2000; i++) {
        u64 at = kl_rand_below(seed, r.count);
        flip_field(&r, at, r.record[at].payload, seed);
    }
    kl_arena_done(&r.arena);
    world_done(&w);
}

/* A later block may be as good as a dev operation that it does not depend on; then it is the record
 * behind it that is in the wrong place. */
KL_TEST(verify_names_records_of_another_kind_and_in_another_place)
{
    struct world w;
    struct records r;
    kl_verify_result result;
    world_init(&w);
    w.no_snapshots = true; /* a revert leaves room for another good block */
    tell_story(&w, 10, seed);
    records_of(&r, w.disk);
    for (u64 at = 0; at < r.count; at++) {
        for (u8 kind = 1; kind < 6; kind++)
            if (kind != r.record[at].kind)
                check_found(&r, at, kind, r.record[at].payload);
        u64 other = kl_rand_below(seed, r.count);
        if (!kl_span_eq(r.record[other].payload, r.record[at].payload))
            check_found_near(&r, at, r.record[other].kind, r.record[other].payload, &result);
    }
    kl_arena_done(&r.arena);
    world_done(&w);
}

/* Judges the records of a copy without executing them. */
static kl_status judge_unexecuted(const struct records *r, u64 at, u8 kind, kl_span payload,
                                  struct kl_roll *roll)
{
    struct copied c;
    struct kl_chain *chain;
    struct kl_arena arena;
    kl_seglog_report report;
    kl_rule broken;
    const kl_seglog_config config = {.dir = "ledger", .segment_bytes = SEGMENT, .read_only = true};
    copy_exchanged(&c, r, at, kind, payload);
    CHECK_OK(kl_chain_new(&chain, &(kl_chain_config){.fs = kl_sim_disk_fs(c.disk)}));
    CHECK_OK(kl_seglog_open(&chain->ledger, chain->fs, &config, &report));
    kl_arena_init(&arena, SIZE_MAX);
    CHECK_OK(kl_chain_learn_spec(chain, r->record[0].payload, &arena, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    kl_arena_done(&arena);
    *roll = (struct kl_roll){.progress = NULL};
    kl_status status = kl_chain_judge_unexecuted(chain, r->count, roll);
    kl_chain_close(chain);
    kl_sim_disk_free(c.disk);
    return status;
}

static void check_found_unexecuted(const struct records *r, u64 at, u8 kind, kl_span payload)
{
    struct kl_roll roll;
    CHECK(judge_unexecuted(r, at, kind, payload, &roll) == KL_CORRUPT);
    CHECK_U64(roll.bad_version, at);
    CHECK(roll.bad_rule != KL_RULE_NONE);
}

/* Roots of dev operations and what they do need a state. */
KL_TEST(blocks_before_a_checkpoint_are_judged_without_a_state)
{
    struct world w;
    struct records r;
    struct kl_roll roll;
    world_init(&w);
    tell_story(&w, 40, seed);
    records_of(&r, w.disk);
    CHECK_OK(judge_unexecuted(&r, 0, KL_RECORD_GENESIS, r.record[0].payload, &roll));
    CHECK_U64(roll.unexecuted, r.count - 1);
    r.found = check_found_unexecuted;
    for (u64 at = 1; at < r.count; at++)
        if (r.record[at].kind == KL_RECORD_BLOCK)
            flip_fields(&r, at, seed);
    kl_arena_done(&r.arena);
    world_done(&w);
}
