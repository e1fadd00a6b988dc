/* Power cuts: a life of a chain over the simulated disk, with its movements (append, write, sync,
 * publish, flush) in any order they may have; then the power goes out behind every single operation
 * of the disk, in every way, and the chain is opened again on what is left.  What was published as
 * durable must be there, nothing may look damaged, and the chain must go on.  And the same again
 * for the life that begins with such an opening.
 *
 * The state database is one in memory; as LMDB does, it may lose its newest commit, and no other.
 *
 * KEEL_POWERCUT=N lives N lives instead of one (make powercut). */
#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "chain/bft_world_priv.h"
#include "chain/chain_priv.h"
#include "chain/chain_world_priv.h"
#include "crypto/keccak.h"
#include "sim/disk.h"
#include "state/fault_kv.h"

enum { SEGMENT = 16 << 10, VERSIONS = 256, COMMITS = 512, PROMISES = 1024 };

/* Something that holds from an operation of the disk on. */
struct promise {
    u64 operations, version;
};

struct commit {
    u64 operations;
    struct kl_kv *kv; /* as it was then */
};

struct life {
    struct world *w;
    struct bft_world *votes; /* a chain whose validators vote, which is w's then; or NULL */
    struct kl_sim_disk *disk;
    struct fault_kv kv;
    bool each; /* blocks are published when they are durable, not when they are written */
    kl_hash head[VERSIONS], root[VERSIONS]; /* after each version */
    kl_hash record[VERSIONS];
    struct promise promise[PROMISES];
    usize promises;
    struct commit commit[COMMITS]; /* the first is what the life began with */
    usize commits;
};

static void note_commit(struct life *l)
{
    CHECK(l->commits < COMMITS);
    l->commit[l->commits++] = (struct commit){
        .operations = kl_sim_disk_operations(l->disk),
        .kv = kv_copy(l->kv.inner, KL_TABLE_COUNT),
    };
}

/* Called in front of a commit and behind it. */
static void inside_commit(void *ctx)
{
    struct life *l = ctx;
    struct kl_kv_read *read;
    kl_span tip, last = KL_SPAN_NONE;
    struct kl_kv_read *before;
    CHECK_OK(kl_kv_begin_read(l->kv.inner, &read));
    CHECK_OK(kl_kv_begin_read(l->commit[l->commits - 1].kv, &before));
    bool any = kl_kv_get(read, KL_TABLE_META, KL_SPAN_TEXT("tip"), &tip) == KL_OK;
    bool had = kl_kv_get(before, KL_TABLE_META, KL_SPAN_TEXT("tip"), &last) == KL_OK;
    bool happened = any && (!had || !kl_span_eq(tip, last));
    kl_kv_end_read(before);
    kl_kv_end_read(read);
    if (happened)
        note_commit(l);
}

/* Takes disk and kv. */
static void life_begin(struct life *l, struct world *w, struct bft_world *votes,
                       struct kl_sim_disk *disk, struct kl_kv *kv, bool each)
{
    *l = (struct life){.w = w, .votes = votes, .disk = disk, .each = each};
    fault_kv_init(&l->kv, kv);
    l->kv.inside = inside_commit;
    l->kv.ctx = l;
    note_commit(l);
}

static void life_end(struct life *l)
{
    kl_chain_close(l->w->chain);
    l->w->chain = NULL;
    for (usize i = 0; i < l->commits; i++)
        kl_kv_close(l->commit[i].kv);
    kl_kv_close(l->kv.inner);
    kl_sim_disk_free(l->disk);
}

static void note_tip(struct life *l, const struct kl_tip *tip)
{
    struct kl_view *view;
    struct kl_arena arena;
    kl_record record;
    CHECK(tip->version < VERSIONS);
    kl_arena_init(&arena, SIZE_MAX);
    l->head[tip->version] = tip->hash;
    CHECK_OK(kl_chain_view(l->w->chain, tip, &view));
    CHECK_OK(kl_trie_root(&l->root[tip->version], NULL, kl_view_tries(view), &arena));
    kl_view_close(view);
    CHECK_OK(kl_seglog_read(l->w->chain->ledger, tip->version, &arena, &record, NULL));
    l->record[tip->version] = kl_keccak256(record.payload);
    kl_arena_done(&arena);
}

/* What is published and synced is promised. */
static void note_promise(struct life *l)
{
    struct kl_tip *tip = kl_chain_published(l->w->chain);
    u64 synced = kl_seglog_synced(l->w->chain->ledger);
    CHECK(l->promises < PROMISES && synced > 0);
    l->promise[l->promises++] =
        (struct promise){kl_sim_disk_operations(l->disk), KL_MIN(tip->version, synced - 1)};
    kl_tip_unref(tip);
}

static kl_status try_open(struct life *l)
{
    struct bft_world *b = l->votes;
    l->w->disk = l->disk;
    l->w->kv = &l->kv.kv;
    if (!b)
        return world_try_open(l->w);
    b->disk = l->disk;
    b->kv = &l->kv.kv;
    b->chain = NULL;
    kl_arena_reset(&b->arena, 1 << 20);
    kl_status status = bft_world_try_open(b, true);
    l->w->chain = b->chain;
    l->w->report = b->report;
    return status;
}

/* Opens the chain on the life's disk; what the life before it knew is in l already. */
static void life_open(struct life *l)
{
    kl_status status = try_open(l);
    const kl_chain_report *r = &l->w->report;
    if (status != KL_OK)
        kl_test_fail(__FILE__, __LINE__, "%s: ledger %s %llu %s, version %llu %s",
                     kl_status_text(status), r->ledger.file, (unsigned long long)r->ledger.offset,
                     r->ledger.damage ? r->ledger.damage : "", (unsigned long long)r->bad_version,
                     kl_rule_name(r->bad_rule));
}

static void append(struct life *l, struct kl_tip *tip)
{
    CHECK_OK(kl_chain_append(l->w->chain, tip));
    note_tip(l, tip);
    kl_tip_unref(tip);
}

/* A block that validators have voted on, final by itself or not. */
static void append_voted(struct life *l, u64 *seed)
{
    struct bft_world *b = l->votes;
    struct kl_tip *head = kl_chain_head(b->chain);
    bft_world_refresh(b);
    struct kl_tip *tip = bft_world_build(b, head, kl_rand_below(seed, 4), 200);
    const kl_vote_subject subject = {KL_VOTE_FINALIZE, bft_world_proposal(tip)};
    kl_certificate certificate = bft_world_certificate(b, &subject, &head->epoch->set);
    bool last = tip->header.number == head->epoch->last_height;
    bool final = last || kl_rand_below(seed, 3);
    CHECK_OK(kl_chain_append_final(b->chain, tip, final ? &certificate : NULL));
    note_tip(l, tip);
    kl_tip_unref(tip);
    kl_tip_unref(head);
}

static void append_next(struct life *l, u64 *seed)
{
    if (l->votes)
        append_voted(l, seed);
    else
        append(l, world_next_step(l->w, seed));
}

static void flush(struct life *l)
{
    bool more;
    CHECK_OK(kl_chain_flush(l->w->chain, true, &more));
}

/* A movement. */
static void make_move(struct life *l, u64 *seed)
{
    static u8 code[SEGMENT / 2];
    struct kl_chain *chain = l->w->chain;
    struct kl_tip *tip, *head;
    const kl_devop large = {.kind = KL_DEVOP_SET_CODE, .address = {{8}}, .code = KL_SPAN_OF(code)};
    kl_rule broken;
    switch (kl_rand_below(seed, 12)) {
    case 0:
        if (l->votes) {
            append_voted(l, seed);
            break;
        }
        head = kl_chain_head(chain);
        code[0] = (u8)kl_rand(seed);
        CHECK_OK(kl_chain_dev(chain, l->w->run, head, &large, &tip, &broken));
        CHECK_RULE(broken, KL_RULE_NONE);
        kl_tip_unref(head);
        append(l, tip);
        break;
    case 1:
    case 2:
    case 3:
        append_next(l, seed);
        break;
    case 4:
    case 5:
        CHECK_OK(kl_chain_write(chain));
        break;
    case 6:
    case 7:
        CHECK_OK(kl_chain_sync(chain));
        note_promise(l);
        break;
    case 8:
    case 9:
        kl_chain_publish(chain, l->each, NULL, NULL);
        note_promise(l);
        break;
    default:
        flush(l);
    }
}

static u64 promised(const struct life *l, u64 operations, bool *any)
{
    u64 version = 0;
    *any = false;
    for (usize i = 0; i < l->promises && l->promise[i].operations <= operations; i++) {
        version = l->promise[i].version;
        *any = true;
    }
    return version;
}

/* The database after the cut. */
static struct kl_kv *kv_after(const struct life *l, u64 operations, u64 *seed)
{
    usize n = 1;
    while (n < l->commits && l->commit[n].operations <= operations)
        n++;
    if (n > 1 && kl_rand_below(seed, 3) == 0)
        n--;
    return kv_copy(l->commit[n - 1].kv, KL_TABLE_COUNT);
}

static void check_records(struct life *l, u64 last)
{
    struct kl_seglog *ledger = l->w->chain->ledger;
    struct kl_arena arena;
    kl_record record;
    kl_arena_init(&arena, SIZE_MAX);
    for (u64 version = kl_seglog_first(ledger); version <= last; version++) {
        CHECK_OK(kl_seglog_read(ledger, version, &arena, &record, NULL));
        kl_hash hash = kl_keccak256(record.payload);
        CHECK(kl_hash_eq(&hash, &l->record[version]));
        kl_arena_reset(&arena, SIZE_MAX);
    }
    kl_arena_done(&arena);
}

/* An old state, if history has one. */
static void check_history(struct life *l, u64 last, u64 *seed)
{
    struct kl_view *view;
    struct kl_arena arena;
    kl_hash root;
    u64 oldest = kl_state_oldest(l->w->chain->state);
    u64 version = oldest + kl_rand_below(seed, last - oldest + 1);
    kl_arena_init(&arena, SIZE_MAX);
    CHECK_OK(kl_chain_view_at(l->w->chain, version, &view));
    CHECK_OK(kl_trie_root(&root, NULL, kl_view_tries(view), &arena));
    CHECK(kl_hash_eq(&root, &l->root[version]));
    kl_view_close(view);
    kl_arena_done(&arena);
}

/* The chain, just opened, against what the life before knows; what it knows becomes l's. */
static void check_opened(struct life *l, const struct life *before, u64 operations, u64 *seed)
{
    bool any;
    u64 least = promised(before, operations, &any);
    struct kl_tip *head = kl_chain_head(l->w->chain);
    if (any) {
        CHECK(head->version >= least);
        l->promise[l->promises++] = (struct promise){0, least};
    }
    memcpy(l->head, before->head, sizeof l->head);
    memcpy(l->root, before->root, sizeof l->root);
    memcpy(l->record, before->record, sizeof l->record);
    if (!any && head->version == 0)
        note_tip(l, head); /* the chain may have been made just now */
    CHECK(kl_hash_eq(&head->hash, &l->head[head->version]));
    check_records(l, head->version);
    check_history(l, head->version, seed);
    kl_tip_unref(head);
    note_promise(l);
}

static void go_on(struct life *l, u64 *seed)
{
    kl_state_damage damage;
    append_next(l, seed);
    CHECK_OK(kl_chain_write(l->w->chain));
    CHECK_OK(kl_chain_sync(l->w->chain));
    kl_chain_publish(l->w->chain, true, NULL, NULL);
    note_promise(l);
    flush(l);
    if (kl_rand_below(seed, 8) == 0)
        CHECK_OK(kl_state_scrub(l->w->chain->state, &damage, NULL, NULL));
}

/* Begins `next` where the cut leaves the life. */
static void cut(struct life *next, const struct life *l, u64 operations, kl_power_cut how,
                u64 *seed)
{
    struct kl_sim_disk *disk;
    CHECK_OK(kl_sim_disk_cut(l->disk, operations, how, kl_rand(seed), &disk));
    life_begin(next, l->w, l->votes, disk, kv_after(l, operations, seed), l->each);
    life_open(next);
    check_opened(next, l, operations, seed);
}

static struct life first, second, third;

static void cut_everywhere(u64 *seed)
{
    static const kl_power_cut ways[] = {KL_CUT_DROP, KL_CUT_KEEP, KL_CUT_RANDOM};
    for (u64 n = 0; n <= kl_sim_disk_operations(first.disk); n++)
        for (usize way = 0; way < KL_COUNT_OF(ways); way++) {
            cut(&second, &first, n, ways[way], seed);
            go_on(&second, seed);
            kl_chain_close(second.w->chain);
            if (kl_rand_below(seed, 2)) {
                u64 end = kl_sim_disk_operations(second.disk);
                cut(&third, &second, kl_rand_below(seed, end + 1), ways[kl_rand_below(seed, 3)],
                    seed);
                life_end(&third);
            }
            second.w->chain = NULL;
            life_end(&second);
        }
}

static void live(struct world *w, struct bft_world *votes, usize moves, u64 *seed)
{
    struct kl_sim_disk *disk;
    struct kl_kv *kv;
    CHECK_OK(kl_sim_disk_new(&disk));
    CHECK_OK(kl_memkv_open(&kv, KL_TABLE_COUNT));
    life_begin(&first, w, votes, disk, kv, kl_rand_below(seed, 2));
    life_open(&first);
    struct kl_tip *head = kl_chain_head(w->chain);
    note_tip(&first, head);
    kl_tip_unref(head);
    note_promise(&first);
    for (usize i = 0; i < moves; i++)
        make_move(&first, seed);
    kl_chain_close(w->chain);
    w->chain = NULL;
}

/* One life, and a cut behind each of its operations. */
static void live_and_cut(usize moves, u64 keep, bool no_snapshots, u64 *seed)
{
    struct world w;
    world_init_bare(&w);
    w.segment_bytes = SEGMENT;
    w.keep_blocks = w.keep_history = keep;
    w.no_snapshots = no_snapshots;
    live(&w, NULL, moves, seed);
    cut_everywhere(seed);
    life_end(&first);
    w.kv = NULL;
    w.disk = NULL;
    world_done(&w);
}

/* The same of a chain whose validators vote. */
static void vote_and_cut(usize moves, u64 keep, u64 *seed)
{
    struct world w;
    struct bft_world b;
    world_init_bare(&w);
    bft_world_init(&b, KL_SCHEME_KEYED_HASH, 4, 1 + kl_rand_below(seed, 6));
    struct kl_sim_disk *disk = b.disk;
    struct kl_kv *kv = b.kv;
    b.segment_bytes = SEGMENT;
    b.keep_blocks = b.keep_history = keep;
    live(&w, &b, moves, seed);
    cut_everywhere(seed);
    life_end(&first);
    w.kv = NULL;
    w.disk = NULL;
    world_done(&w);
    b.kv = kv;
    b.disk = disk;
    b.chain = NULL;
    bft_world_done(&b);
}

static u64 lives(void)
{
    const char *text = getenv("KEEL_POWERCUT");
    return text ? strtoull(text, NULL, 10) : 1;
}

KL_TEST(powercut_loses_nothing_that_was_durable)
{
    for (u64 i = 0; i < lives(); i++)
        live_and_cut(120, 0, false, seed);
}

KL_TEST(powercut_loses_nothing_that_is_kept)
{
    for (u64 i = 0; i < lives(); i++) {
        live_and_cut(200, 3, true, seed);
        live_and_cut(60, 3, false, seed);
    }
}

KL_TEST(powercut_loses_nothing_that_validators_made_final)
{
    for (u64 i = 0; i < lives(); i++) {
        vote_and_cut(70, 0, seed);
        vote_and_cut(160, 3, seed);
    }
}
