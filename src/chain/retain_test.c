/* What is kept and what goes; chains that begin with a checkpoint. */
#include "base/test.h"
#include "chain/chain_priv.h"
#include "chain/chain_world_priv.h"
#include "sim/disk.h"

enum { SEGMENT = 16 << 10 };

static void begin(struct world *w, u64 keep_blocks, u64 keep_history)
{
    world_init_bare(w);
    w->segment_bytes = SEGMENT;
    w->keep_blocks = keep_blocks;
    w->keep_history = keep_history;
    world_begin(w);
}

/* Blocks with much in them, so that segments fill up. */
static void fill(struct world *w, usize blocks)
{
    static u8 data[1500];
    kl_address to = {{0x31}};
    for (usize i = 0; i < blocks; i++) {
        const kl_tx *tx = world_tx(w, i % 3, &to, 1, KL_SPAN_OF(data));
        world_block(w, &tx, 1);
        world_flush(w);
    }
}

struct found {
    u64 version;
    usize count;
};

static void count_one(void *ctx, u64 version)
{
    struct found *f = ctx;
    f->version = version;
    f->count++;
}

static struct found checkpoints(struct world *w)
{
    struct found f = {0};
    CHECK_OK(kl_checkpoint_list(kl_sim_disk_fs(w->disk), count_one, &f));
    return f;
}

static u64 oldest_block(struct world *w)
{
    struct kl_reader *reader;
    CHECK_OK(kl_reader_open(w->chain, &reader));
    u64 oldest = kl_reader_oldest_block(reader);
    kl_reader_close(reader);
    return oldest;
}

static void check_block(struct world *w, u64 number, kl_status want)
{
    struct kl_reader *reader;
    struct kl_arena arena;
    kl_stored_block block;
    kl_arena_init(&arena, SIZE_MAX);
    CHECK_OK(kl_reader_open(w->chain, &reader));
    CHECK(kl_reader_block(reader, number, &arena, &block) == want);
    kl_reader_close(reader);
    kl_arena_done(&arena);
}

KL_TEST(retention_keeps_everything_unless_told)
{
    struct world w;
    begin(&w, 0, 0);
    fill(&w, 60);
    CHECK_U64(oldest_block(&w), 0);
    CHECK_U64(kl_state_oldest(w.chain->state), 0);
    CHECK_U64(checkpoints(&w).count, 0);
    world_done(&w);
}

KL_TEST(retention_lets_segments_go_below_a_checkpoint)
{
    struct world w;
    begin(&w, 10, 0);
    fill(&w, 60);
    u64 oldest = oldest_block(&w), first = kl_seglog_first(w.chain->ledger);
    struct found f = checkpoints(&w);
    CHECK(oldest > 0 && oldest <= 50);
    CHECK_U64(f.count, 1);
    CHECK(f.version >= first);
    check_block(&w, oldest, KL_OK);
    check_block(&w, oldest - 1, KL_NOTFOUND);
    check_block(&w, 0, KL_NOTFOUND);
    CHECK_U64(kl_state_oldest(w.chain->state), 0); /* another kind */
    world_done(&w);
}

KL_TEST(retention_forgets_old_states)
{
    struct world w;
    struct kl_reader *reader;
    struct kl_view *view;
    begin(&w, 0, 10);
    fill(&w, 60);
    CHECK_U64(oldest_block(&w), 0);
    CHECK(kl_state_oldest(w.chain->state) >= 45);
    CHECK_OK(kl_reader_open(w.chain, &reader));
    CHECK_OK(kl_reader_state(reader, 50, &view));
    kl_view_close(view);
    CHECK(kl_reader_state(reader, 20, &view) == KL_NOTFOUND);
    kl_reader_close(reader);
    world_done(&w);
}

static void check_head(struct world *w, const struct kl_tip *want)
{
    struct kl_tip *head = kl_chain_head(w->chain);
    CHECK_U64(head->version, want->version);
    CHECK(kl_hash_eq(&head->hash, &want->hash));
    kl_tip_unref(head);
}

KL_TEST(a_chain_begins_again_from_its_checkpoint)
{
    struct world w;
    kl_verify_result result;
    begin(&w, 10, 10);
    fill(&w, 60);
    struct kl_tip *head = kl_chain_head(w.chain);
    kl_hash genesis = *kl_chain_genesis_hash(w.chain);
    u64 version = checkpoints(&w).version;
    for (int round = 0; round < 3; round++) {
        world_reopen(&w, round == 1);
        check_head(&w, head);
        CHECK(kl_hash_eq(&genesis, kl_chain_genesis_hash(w.chain)));
        CHECK(w.report.rebuilt == (round == 1));
        if (round == 1)
            CHECK_U64(w.report.replayed, head->version - version);
        CHECK_U64(world_balance(&w, &(kl_address){{0x31}}, head->header.number).w[0],
                  head->header.number);
    }
    world_verify(w.disk, &result);
    CHECK(result.good);
    CHECK_U64(result.first_version, version + 1);
    CHECK(kl_hash_eq(&result.head_hash, &head->hash));
    kl_tip_unref(head);
    fill(&w, 40);
    CHECK(checkpoints(&w).version > version);
    world_verify(w.disk, &result);
    CHECK(result.good && result.first_version > version + 1);
    world_done(&w);
}

/* Snapshots promise that their state can be gone back to. */
KL_TEST(retention_waits_for_snapshots)
{
    struct world w;
    begin(&w, 10, 10);
    fill(&w, 5);
    CHECK_RULE(world_dev(&w, &(kl_devop){.kind = KL_DEVOP_SNAPSHOT}), KL_RULE_NONE);
    fill(&w, 60);
    CHECK_U64(checkpoints(&w).count, 0);
    CHECK_U64(oldest_block(&w), 0);
    CHECK_RULE(world_dev(&w, &(kl_devop){.kind = KL_DEVOP_REVERT, .number = 1}), KL_RULE_NONE);
    world_refresh(&w);
    world_reopen(&w, false);
    world_reopen(&w, true);
    fill(&w, 60);
    CHECK(checkpoints(&w).count == 1 && oldest_block(&w) > 0);
    world_reopen(&w, true);
    world_done(&w);
}

/* Bits of the checkpoint, which verifying and beginning again both read. */
KL_TEST(a_damaged_checkpoint_is_named)
{
    struct world w;
    struct kl_file *file;
    char path[KL_PATH_MAX + 1];
    kl_verify_result result;
    u64 size;
    begin(&w, 10, 10);
    fill(&w, 40);
    kl_chain_close(w.chain);
    w.chain = NULL;
    kl_checkpoint_path(checkpoints(&w).version, path);
    CHECK_OK(kl_fs_open(kl_sim_disk_fs(w.disk), &file, path, KL_OPEN_READ));
    CHECK_OK(kl_file_size(file, &size));
    kl_file_close(file);
    for (int i = 0; i < 500; i++) {
        u64 offset = kl_rand_below(seed, i % 2 ? 200 : size);
        unsigned bit = (unsigned)kl_rand_below(seed, 8);
        CHECK_OK(kl_sim_disk_flip(w.disk, path, offset, bit));
        world_verify(w.disk, &result);
        CHECK(!result.good && result.damage);
        CHECK(strcmp(result.file, path) == 0 || strstr(result.damage, "no checkpoint"));
        kl_kv_close(w.kv);
        CHECK_OK(kl_memkv_open(&w.kv, KL_TABLE_COUNT));
        CHECK(world_try_open(&w) == KL_CORRUPT && w.report.ledger.damage);
        CHECK_OK(kl_sim_disk_flip(w.disk, path, offset, bit));
    }
    CHECK_OK(world_try_open(&w));
    world_done(&w);
}

/* A checkpoint that does not belong to the ledger lets nothing go. */
KL_TEST(a_checkpoint_of_another_chain_is_none)
{
    struct world w, other;
    struct kl_file *file;
    char path[KL_PATH_MAX + 1];
    static u8 bytes[1 << 20];
    u64 size;
    begin(&other, 10, 0);
    fill(&other, 40);
    kl_checkpoint_path(checkpoints(&other).version, path);
    CHECK_OK(kl_fs_open(kl_sim_disk_fs(other.disk), &file, path, KL_OPEN_READ));
    CHECK_OK(kl_file_size(file, &size));
    CHECK(size <= sizeof bytes);
    CHECK_OK(kl_file_read(file, bytes, size, 0));
    kl_file_close(file);
    world_done(&other);

    begin(&w, 0, 0);
    w.time = 5000; /* other blocks */
    fill(&w, 60);
    CHECK_OK(kl_fs_make_dir(kl_sim_disk_fs(w.disk), KL_CHECKPOINT_DIR));
    CHECK_OK(kl_fs_open(kl_sim_disk_fs(w.disk), &file, path, KL_OPEN_CREATE));
    CHECK_OK(kl_file_write(file, bytes, size, 0));
    kl_file_close(file);
    world_reopen(&w, false);
    CHECK(!w.chain->has_checkpoint);
    w.keep_blocks = 10;
    world_reopen(&w, false);
    fill(&w, 5);
    CHECK(w.chain->has_checkpoint && w.chain->checkpoint_version > 60);
    world_reopen(&w, true);
    world_done(&w);
}

/* Opens over and over while operation n fails, then without faults, on whatever database the failed
 * opening has left. */
static bool open_with_fault(struct world *w, u64 n, bool reads, const struct kl_tip *want)
{
    kl_kv_close(w->kv);
    CHECK_OK(kl_memkv_open(&w->kv, KL_TABLE_COUNT));
    if (reads)
        kl_sim_disk_fail_reads(w->disk, n, KL_IO);
    else
        kl_sim_disk_fail(w->disk, n, KL_FULL, n);
    kl_status status = world_try_open(w);
    if (reads)
        kl_sim_disk_fail_reads(w->disk, 0, KL_OK);
    else
        kl_sim_disk_fail(w->disk, 0, KL_OK, 0);
    if (status == KL_OK)
        kl_chain_close(w->chain);
    w->chain = NULL;
    CHECK(status == KL_OK || status == KL_IO || status == KL_FULL);
    CHECK_OK(world_try_open(w));
    check_head(w, want);
    kl_chain_close(w->chain);
    w->chain = NULL;
    return status != KL_OK;
}

KL_TEST(beginning_from_a_checkpoint_survives_every_failure)
{
    struct world w;
    kl_state_damage damage;
    begin(&w, 10, 10);
    fill(&w, 60);
    struct kl_tip *head = kl_chain_head(w.chain);
    kl_chain_close(w.chain);
    w.chain = NULL;
    for (int reads = 0; reads < 2; reads++)
        for (u64 n = 0; open_with_fault(&w, n, reads, head); n++)
            CHECK(n < 1000);
    CHECK_OK(world_try_open(&w));
    CHECK_OK(kl_state_scrub(w.chain->state, &damage, NULL, NULL));
    kl_tip_unref(head);
    world_done(&w);
}

static bool count_down(void *ctx)
{
    usize *left = ctx;
    return *left && --*left;
}

KL_TEST(a_chain_that_is_being_closed_makes_no_checkpoint)
{
    struct world w;
    struct kl_arena arena;
    kl_checkpoint found;
    static u8 code[24000];
    begin(&w, 10, 0);
    for (u8 i = 0; i < 20; i++) {
        code[0] = i;
        const kl_devop op = {.kind = KL_DEVOP_SET_CODE, .address = {{i}}, .code = KL_SPAN_OF(code)};
        CHECK_RULE(world_dev(&w, &op), KL_RULE_NONE);
    }
    world_flush(&w);
    const kl_checkpoint checkpoint = {.version = 20, .genesis = KL_SPAN_TEXT("genesis")};
    kl_arena_init(&arena, SIZE_MAX);
    for (usize left = 1; left < 4; left++) {
        usize n = left;
        CHECK(kl_checkpoint_write(w.chain->fs, w.chain->state, &checkpoint, count_down, &n) ==
              KL_CANCELED);
        CHECK(kl_checkpoint_find(w.chain->fs, 0, 100, true, &arena, &found) == KL_NOTFOUND);
    }
    kl_arena_done(&arena);
    kl_chain_hurry(w.chain);
    fill(&w, 60);
    CHECK_U64(checkpoints(&w).count, 0);
    world_reopen(&w, false);
    fill(&w, 1);
    CHECK_U64(checkpoints(&w).count, 1);
    world_done(&w);
}
