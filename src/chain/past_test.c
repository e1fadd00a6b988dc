/* A chain that was filled by others has, in the end, every state that they have: its past is made
 * in steps, with the chain growing meanwhile, with closes, stops and power cuts in between. */
#include "chain/past.h"

#include "base/test.h"
#include "chain/fill_world_priv.h"
#include "crypto/keccak.h"
#include "sim/disk.h"
#include "state/fault_kv.h"
#include "store/kv_twin.h"
#include "store/memkv.h"

enum { BLOCKS = 47, EPOCH = 10, SEGMENT = 1 << 20 };

static struct bft_world peer, own;
static struct kl_kv *past_kv;
static bool one_by_one; /* a step is one block */

/* Each block writes its number into the policy's storage. */
static void begin_both(u8 scheme, u64 keep_history)
{
    static const u8 number_into_slot_0[] = {0x43, 0x5f, 0x55, 0x00};
    bft_world_init(&peer, scheme, 4, EPOCH);
    bft_world_init(&own, scheme, 4, EPOCH);
    peer.policy_code = own.policy_code = KL_SPAN_OF(number_into_slot_0);
    own.keep_history = keep_history;
    bft_world_begin(&peer);
    bft_world_begin(&own);
    bft_world_grow(&peer, BLOCKS);
    bft_world_flush(&peer);
}

static void begin(u8 scheme, u64 keep_history)
{
    begin_both(scheme, keep_history);
    fill_world(&own, &peer);
    CHECK_OK(kl_memkv_open(&past_kv, KL_TABLE_COUNT));
}

static void end(void)
{
    kl_kv_close(past_kv);
    bft_world_done(&peer);
    bft_world_done(&own);
}

/* The next block of both. */
static void grow_both(void)
{
    fill_world_grow(&own, &peer);
    bft_world_flush(&own);
    bft_world_flush(&peer);
}

static void drop_past_kv(void)
{
    kl_kv_close(past_kv);
    CHECK_OK(kl_memkv_open(&past_kv, KL_TABLE_COUNT));
}

static bool go_on(KL_UNUSED void *ctx)
{
    return !one_by_one;
}

static struct kl_past *open_past(struct kl_kv *kv)
{
    struct kl_past *past;
    const kl_past_config config = {
        .chain = own.chain, .kv = kv, .segment_bytes = SEGMENT, .go_on = go_on};
    CHECK_OK(kl_past_open(&past, &config));
    return past;
}

static bool is_whole(const struct kl_past *past)
{
    kl_past_status at;
    kl_past_status_of(past, &at);
    return at.whole;
}

/* What was made takes the place of the chain's own. */
static void exchange(void)
{
    struct kl_fs *fs = kl_sim_disk_fs(own.disk);
    bool taken;
    CHECK_OK(kl_past_seal(fs));
    kl_chain_close(own.chain);
    own.chain = NULL;
    CHECK_OK(kl_past_settle(fs, NULL, &taken));
    CHECK(taken);
    CHECK_OK(kl_past_settle(fs, NULL, &taken));
    CHECK(!taken);
    struct kl_kv *before = own.kv;
    own.kv = past_kv;
    past_kv = before;
    CHECK_OK(bft_world_try_open(&own, true));
    CHECK(own.report.replayed <= 17); /* one may have come since it was whole */
    CHECK(!own.report.rebuilt);
}

/* The states of one height in two chains, table by table. */
static void check_state(u64 height)
{
    struct kl_view *view[2];
    kl_hash root[2];
    struct bft_world *w[2] = {&peer, &own};
    for (usize i = 0; i < 2; i++) {
        CHECK_OK(kl_chain_view_at(w[i]->chain, height, &view[i]));
        CHECK_OK(kl_trie_root(&root[i], NULL, kl_view_tries(view[i]), &w[i]->arena));
    }
    CHECK(kl_hash_eq(&root[0], &root[1]));
    kl_hash owner = kl_keccak256(kl_address_span(&bft_world_policy)), slot;
    static const u8 zero[32];
    kl_u256 value[2];
    slot = kl_keccak256(KL_SPAN_OF(zero));
    for (usize i = 0; i < 2; i++)
        CHECK_OK(kl_view_slot(view[i], &owner, &slot, &value[i]));
    CHECK(kl_u256_eq(value[0], value[1]));
    kl_u256 want = kl_u256_of(height);
    CHECK(kl_u256_eq(value[0], want));
    kl_view_close(view[0]);
    kl_view_close(view[1]);
}

static void check_all(u64 from)
{
    struct kl_tip *head = kl_chain_head(own.chain);
    struct kl_view *view;
    CHECK(kl_state_oldest(own.chain->state) <= from);
    for (u64 height = from; height <= head->version; height++)
        check_state(height);
    if (from == 0) {
        kl_kv_twin_same(peer.kv, own.kv, KL_TABLE_META, KL_TABLE_COUNT);
        CHECK(kl_chain_view_at(own.chain, head->version + 1, &view) == KL_NOTFOUND);
    }
    kl_tip_unref(head);
}

static void make_past(u8 scheme, u64 *seed)
{
    begin(scheme, 0);
    one_by_one = true;
    struct kl_view *view;
    CHECK_U64(kl_state_oldest(own.chain->state), BLOCKS);
    CHECK(!kl_past_is_wanted(peer.chain));
    struct kl_past *past = open_past(past_kv);
    kl_past_status at;
    kl_past_status_of(past, &at);
    CHECK(!at.any && !at.whole);
    while (!is_whole(past)) {
        CHECK(kl_past_is_wanted(own.chain));
        CHECK(kl_chain_view_at(own.chain, BLOCKS - 1, &view) == KL_NOTFOUND);
        CHECK_OK(kl_past_step(past));
        if (kl_rand_below(seed, 4) == 0)
            grow_both();
        if (kl_rand_below(seed, 3))
            continue;
        kl_past_status_of(past, &at);
        u64 height = at.height;
        kl_past_close(past);
        past = open_past(past_kv);
        kl_past_status_of(past, &at);
        CHECK(at.any);
        CHECK_U64(at.height, height);
    }
    kl_past_close(past);
    one_by_one = false;
    exchange();
    bft_world_flush(&own);
    check_all(0);
    CHECK(!kl_past_is_wanted(own.chain));
    grow_both();
    bft_world_reopen(&own, false);
    check_all(0);
    end();
}

KL_TEST(past_brings_every_state)
{
    for (usize i = 0; i < KL_COUNT_OF(bft_world_schemes); i++)
        make_past(bft_world_schemes[i], seed);
}

/* Only as far back as is asked for, and not at all when that is here. */
KL_TEST(past_is_as_old_as_is_kept)
{
    enum { KEEP = 30 };
    begin(KL_SCHEME_KEYED_HASH, KEEP);
    struct kl_past *past = open_past(past_kv);
    CHECK_OK(kl_past_step(past));
    CHECK(is_whole(past));
    kl_past_close(past);
    for (int i = 0; i < KEEP - 1; i++) {
        grow_both();
        CHECK(kl_past_is_wanted(own.chain));
    }
    past = open_past(past_kv);
    CHECK_OK(kl_past_step(past));
    kl_past_close(past);
    grow_both();
    CHECK(!kl_past_is_wanted(own.chain));
    exchange();
    check_all(BLOCKS);
    end();
}

/* What another ledger, or a damaged database, has left is told apart, and can be dropped. */
KL_TEST(past_of_something_else_is_dropped)
{
    begin(KL_SCHEME_KEYED_HASH, 0);
    struct kl_fs *fs = kl_sim_disk_fs(own.disk);
    struct kl_past *past = open_past(past_kv);
    const kl_past_config config = {.chain = own.chain, .kv = past_kv, .segment_bytes = SEGMENT};
    CHECK_OK(kl_past_step(past));
    kl_past_close(past);
    CHECK_OK(kl_past_seal(fs));
    CHECK_OK(kl_past_drop(fs, NULL)); /* its history, and not its database */
    CHECK(kl_past_open(&past, &config) == KL_CORRUPT);
    drop_past_kv();
    past = open_past(past_kv);
    CHECK_OK(kl_past_step(past));
    kl_past_close(past);
    exchange();
    check_all(0);
    end();
}

/* A build whose databases have another format began it: it is no use to this one. */
KL_TEST(past_of_another_format_is_dropped)
{
    static const u8 other[4] = {0xff, 0xff, 0xff, 0xff};
    begin(KL_SCHEME_KEYED_HASH, 0);
    struct kl_past *past = open_past(past_kv);
    struct kl_kv_write *write;
    const kl_past_config config = {.chain = own.chain, .kv = past_kv, .segment_bytes = SEGMENT};
    CHECK_OK(kl_past_step(past));
    kl_past_close(past);
    CHECK_OK(kl_kv_begin_write(past_kv, &write));
    CHECK_OK(kl_kv_put(write, KL_TABLE_META, KL_SPAN_TEXT("format"), KL_SPAN_OF(other)));
    CHECK_OK(kl_kv_commit(write));
    CHECK(kl_past_open(&past, &config) == KL_CORRUPT);
    CHECK_OK(kl_past_drop(kl_sim_disk_fs(own.disk), NULL));
    drop_past_kv();
    kl_past_close(open_past(past_kv));
    end();
}

/* --- power cuts --- */

enum { COMMITS = 256 };

/* The database's commits, and behind how many of the disk's operations. */
static struct {
    u64 operations;
    struct kl_kv *kv;
} commit[COMMITS];
static usize commits;

static void inside_commit(void *ctx)
{
    struct fault_kv *f = ctx;
    CHECK(commits < COMMITS);
    commit[commits].operations = kl_sim_disk_operations(own.disk);
    commit[commits++].kv = kv_copy(f->inner, KL_TABLE_COUNT);
}

/* The newest may be lost, as LMDB's. */
static struct kl_kv *kv_after(u64 operations, u64 *seed)
{
    usize n = 1;
    while (n < commits && commit[n].operations <= operations)
        n++;
    if (n > 1 && kl_rand_below(seed, 3) == 0)
        n--;
    return kv_copy(commit[n - 1].kv, KL_TABLE_COUNT);
}

/* Databases are in memory, and known by a file in their folders. */
static void put_state(struct kl_fs *fs, const char *dir, const char *path, const char *text)
{
    struct kl_file *file;
    CHECK_OK(kl_fs_make_dir(fs, dir));
    CHECK_OK(kl_fs_open(fs, &file, path, KL_OPEN_CREATE));
    CHECK_OK(kl_file_write(file, text, strlen(text), 0));
    CHECK_OK(kl_file_sync(file));
    kl_file_close(file);
    CHECK_OK(kl_fs_sync_dir(fs, dir));
    CHECK_OK(kl_fs_sync_dir(fs, ""));
}

static bool has_new_state(struct kl_fs *fs)
{
    kl_span text;
    CHECK_OK(kl_fs_read_whole(fs, "state/which", 100, &own.arena, &text));
    CHECK(kl_span_eq(text, KL_SPAN_TEXT("new")) || kl_span_eq(text, KL_SPAN_TEXT("old")));
    return kl_span_eq(text, KL_SPAN_TEXT("new"));
}

/* The machine comes up again: what was sealed is settled, and all that is missing is made. */
static void come_up(struct kl_sim_disk *disk, struct kl_kv *old, struct kl_kv *new_kv,
                    bool must_be_new)
{
    struct kl_fs *fs = kl_sim_disk_fs(disk);
    bool taken;
    own.disk = disk;
    CHECK_OK(kl_past_settle(fs, "state", &taken));
    bool is_new = has_new_state(fs);
    CHECK(is_new || !must_be_new);
    own.kv = is_new ? new_kv : old;
    CHECK_OK(bft_world_try_open(&own, true));
    CHECK(!own.report.rebuilt);
    if (is_new) {
        check_all(0);
        return;
    }
    CHECK_U64(kl_state_oldest(own.chain->state), BLOCKS);
    struct kl_past *past = open_past(new_kv);
    while (!is_whole(past))
        CHECK_OK(kl_past_step(past));
    kl_past_close(past);
    struct kl_kv *mine = past_kv;
    past_kv = new_kv;
    exchange();
    check_all(0);
    past_kv = mine;
}

static void cut(struct kl_sim_disk *disk, struct kl_kv *old, u64 n, kl_power_cut how, u64 settled,
                u64 *seed)
{
    struct kl_sim_disk *found;
    struct kl_kv *a = kv_copy(old, KL_TABLE_COUNT), *b = kv_after(n, seed);
    CHECK_OK(kl_sim_disk_cut(disk, n, how, kl_rand(seed), &found));
    come_up(found, a, b, n >= settled);
    kl_chain_close(own.chain);
    own.chain = NULL;
    kl_kv_close(a);
    kl_kv_close(b);
    kl_sim_disk_free(found);
}

KL_TEST(past_survives_a_cut_behind_every_operation)
{
    static const kl_power_cut ways[] = {KL_CUT_DROP, KL_CUT_KEEP, KL_CUT_RANDOM};
    struct fault_kv kv;
    bool taken;
    begin(KL_SCHEME_KEYED_HASH, 0);
    struct kl_sim_disk *disk = own.disk;
    struct kl_fs *fs = kl_sim_disk_fs(disk);
    put_state(fs, "state", "state/which", "old");
    put_state(fs, "state" KL_PAST_SUFFIX, "state" KL_PAST_SUFFIX "/which", "new");
    fault_kv_init(&kv, past_kv);
    kv.inside = inside_commit;
    kv.ctx = &kv;
    commits = 0;
    inside_commit(&kv); /* what it begins with */
    u64 first = kl_sim_disk_operations(disk);
    struct kl_past *past = open_past(&kv.kv);
    one_by_one = true;
    while (!is_whole(past))
        CHECK_OK(kl_past_step(past));
    one_by_one = false;
    kl_past_close(past);
    CHECK_OK(kl_past_seal(fs));
    kl_chain_close(own.chain);
    own.chain = NULL;
    CHECK_OK(kl_past_settle(fs, "state", &taken));
    u64 settled = kl_sim_disk_operations(disk);
    struct kl_kv *old = own.kv;
    for (u64 n = first; n <= settled; n++)
        for (usize way = 0; way < KL_COUNT_OF(ways); way++)
            cut(disk, old, n, ways[way], settled, seed);
    for (usize i = 0; i < commits; i++)
        kl_kv_close(commit[i].kv);
    own.disk = disk;
    own.kv = old;
    end();
}

/* --- a chain that lets go of its state --- */

enum { BEFORE = 20 };

/* The peer's blocks are executed up to BEFORE, and the chain is closed. */
static void begin_with_some(void)
{
    struct kl_reader *reader;
    begin_both(KL_SCHEME_KEYED_HASH, 0);
    CHECK_OK(kl_reader_open(peer.chain, &reader));
    for (u64 number = 1; number <= BEFORE; number++) {
        struct kl_tip *head = kl_chain_head(own.chain), *tip;
        kl_span body;
        CHECK_OK(kl_reader_body(reader, number, &own.arena, &body));
        CHECK_RULE(bft_world_judge(&own, head, body, &tip), KL_RULE_NONE);
        bft_world_take(&own, tip, true);
        kl_tip_unref(head);
    }
    kl_reader_close(reader);
    bft_world_flush(&own);
    kl_chain_close(own.chain);
    own.chain = NULL;
    put_state(kl_sim_disk_fs(own.disk), "state", "state/which", "old");
}

KL_TEST(past_goes_on_from_a_state_that_was_let_go)
{
    kl_past_status at;
    bool taken;
    begin_with_some();
    struct kl_fs *fs = kl_sim_disk_fs(own.disk);
    CHECK_OK(kl_past_put_aside(fs, "state"));
    past_kv = own.kv;
    CHECK_OK(kl_memkv_open(&own.kv, KL_TABLE_COUNT));
    fill_world(&own, &peer);
    CHECK_U64(kl_state_oldest(own.chain->state), BLOCKS);
    CHECK_OK(kl_past_put_aside(fs, "state")); /* there is one */
    struct kl_past *past = open_past(past_kv);
    kl_past_status_of(past, &at);
    CHECK(at.any);
    CHECK_U64(at.height, BEFORE);
    while (!is_whole(past))
        CHECK_OK(kl_past_step(past));
    kl_past_close(past);
    exchange();
    check_all(0);
    CHECK_OK(kl_past_take_back(fs, "none", &taken));
    CHECK(!taken);
    end();
}

/* Either the state has stayed, or it is found again with all before it. */
static void come_up_after_letting_go(struct kl_sim_disk *disk, struct kl_kv *kv)
{
    struct kl_fs *fs = kl_sim_disk_fs(disk);
    bool stayed, taken = false;
    own.disk = disk;
    own.kv = kv;
    CHECK_OK(kl_fs_has(fs, "state/which", &stayed));
    if (!stayed)
        CHECK_OK(kl_past_take_back(fs, "state", &taken));
    CHECK(stayed != taken);
    CHECK(!has_new_state(fs));
    CHECK_OK(bft_world_try_open(&own, true));
    CHECK(!own.report.rebuilt);
    u64 oldest = kl_state_oldest(own.chain->state);
    CHECK(oldest == 0 || (oldest == BEFORE && stayed));
    for (u64 height = oldest; height <= BEFORE; height++)
        check_state(height);
    kl_chain_close(own.chain);
    own.chain = NULL;
}

KL_TEST(past_is_found_again_when_letting_go_was_cut_short)
{
    static const kl_power_cut ways[] = {KL_CUT_DROP, KL_CUT_KEEP, KL_CUT_RANDOM};
    begin_with_some();
    struct kl_sim_disk *disk = own.disk, *found;
    struct kl_kv *kv = own.kv;
    u64 first = kl_sim_disk_operations(disk);
    CHECK_OK(kl_past_put_aside(kl_sim_disk_fs(disk), "state"));
    for (u64 n = first; n <= kl_sim_disk_operations(disk); n++)
        for (usize way = 0; way < KL_COUNT_OF(ways); way++) {
            struct kl_kv *copy = kv_copy(kv, KL_TABLE_COUNT);
            CHECK_OK(kl_sim_disk_cut(disk, n, ways[way], kl_rand(seed), &found));
            come_up_after_letting_go(found, copy);
            kl_kv_close(copy);
            kl_sim_disk_free(found);
        }
    past_kv = NULL;
    own.disk = disk;
    own.kv = kv;
    end();
}
