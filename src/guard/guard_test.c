#include "base/test.h"
#include "cert/evidence.h"
#include "guard/guard_priv.h"
#include "sim/disk.h"

static kl_secret32 secret = {{9}};
static kl_guard_owner owner;
static struct kl_sim_disk *disk;
static struct kl_fs *fs;

static void init(void)
{
    owner = (kl_guard_owner){.domain = {.chain_id = 77}};
    owner.scheme = kl_vote_scheme_of(KL_SCHEME_SECP256K1, false);
    CHECK(owner.scheme->public_key(owner.key, &secret));
    CHECK_OK(kl_sim_disk_new(&disk));
    fs = kl_sim_disk_fs(disk);
}

static kl_vote_subject subject(kl_vote_kind kind, u64 epoch, u64 view, u8 hash)
{
    kl_vote_subject s = {.kind = kind, .proposal = {.epoch = epoch, .view = view}};
    s.proposal.block_hash.b[0] = kind == KL_VOTE_NULLIFY ? 0 : hash;
    return s;
}

static struct kl_guard *made(u32 room)
{
    struct kl_guard *guard = NULL;
    CHECK_OK(kl_guard_create(&guard, fs, &owner, (kl_guard_view){0}, room));
    return guard;
}

static kl_rule ask(struct kl_guard *guard, kl_vote_kind kind, u64 epoch, u64 view, u8 hash)
{
    kl_rule broken = KL_RULE_COUNT;
    kl_vote_subject s = subject(kind, epoch, view, hash);
    CHECK_OK(kl_guard_ask(guard, &s, &broken));
    return broken;
}

static kl_rule opened(struct kl_guard **guard)
{
    kl_rule broken = KL_RULE_COUNT;
    CHECK_OK(kl_guard_open(guard, fs, &owner, &broken));
    CHECK((*guard != NULL) == (broken == KL_RULE_NONE));
    return broken;
}

KL_TEST(guard_names_the_rule)
{
    init();
    struct kl_guard *g = made(KL_GUARD_ROOM_MIN);
    CHECK_RULE(ask(g, KL_VOTE_NOTARIZE, 0, 1, 1), KL_RULE_NONE);
    CHECK_RULE(ask(g, KL_VOTE_NOTARIZE, 0, 1, 1), KL_RULE_NONE);
    CHECK_RULE(ask(g, KL_VOTE_NOTARIZE, 0, 1, 2), KL_RULE_GUARD_NOTARIZE);
    CHECK_RULE(ask(g, KL_VOTE_FINALIZE, 0, 1, 1), KL_RULE_NONE);
    CHECK_RULE(ask(g, KL_VOTE_FINALIZE, 0, 1, 2), KL_RULE_GUARD_FINALIZE);
    CHECK_RULE(ask(g, KL_VOTE_NULLIFY, 0, 1, 0), KL_RULE_GUARD_FINALIZED);
    CHECK_RULE(ask(g, KL_VOTE_NULLIFY, 0, 2, 0), KL_RULE_NONE);
    CHECK_RULE(ask(g, KL_VOTE_FINALIZE, 0, 2, 1), KL_RULE_GUARD_NULLIFIED);
    CHECK_RULE(ask(g, KL_VOTE_NOTARIZE, 1, 1, 2), KL_RULE_NONE); /* another epoch */
    kl_guard_raise(g, (kl_guard_view){0, 2});
    CHECK_RULE(ask(g, KL_VOTE_NOTARIZE, 0, 1, 1), KL_RULE_GUARD_FLOOR);
    CHECK_RULE(ask(g, KL_VOTE_NULLIFY, 0, 2, 0), KL_RULE_NONE);
    kl_guard_raise(g, (kl_guard_view){0, 1});
    CHECK_U64(kl_guard_floor(g).view, 2);
    CHECK_U64(kl_guard_newest(g).epoch, 1);
    /* every field of the proposal counts, not the hash alone */
    for (unsigned field = 0; field < 3; field++) {
        kl_vote_subject s = subject(KL_VOTE_NOTARIZE, 1, 1, 2);
        s.proposal.parent_view = field == 0;
        s.proposal.height = field == 1;
        s.proposal.parent_hash.b[31] = field == 2;
        kl_rule broken;
        CHECK_OK(kl_guard_ask(g, &s, &broken));
        CHECK_RULE(broken, KL_RULE_GUARD_NOTARIZE);
    }
    kl_guard_close(g);
    kl_sim_disk_free(disk);
}

KL_TEST(guard_signs_the_same_bytes_again_after_a_restart)
{
    init();
    struct kl_guard *g = made(KL_GUARD_ROOM_MIN);
    kl_vote_subject s = subject(KL_VOTE_FINALIZE, 3, 4, 5);
    kl_vote first, second;
    CHECK_RULE(ask(g, s.kind, 3, 4, 5), KL_RULE_NONE);
    CHECK_OK(kl_guard_sync(g));
    CHECK_OK(kl_guard_sign(g, &first, &s, 0, &secret));
    kl_guard_close(g);
    CHECK_RULE(opened(&g), KL_RULE_NONE);
    CHECK_RULE(ask(g, s.kind, 3, 4, 5), KL_RULE_NONE);
    CHECK_OK(kl_guard_sync(g));
    CHECK_OK(kl_guard_sign(g, &second, &s, 0, &secret));
    CHECK(memcmp(first.signature, second.signature, owner.scheme->signature_len) == 0);
    kl_guard_close(g);
    kl_sim_disk_free(disk);
}

KL_TEST(guard_is_made_once_and_open_once)
{
    init();
    struct kl_guard *g = NULL, *other = NULL;
    kl_rule broken = KL_RULE_COUNT;
    CHECK_RULE(opened(&g), KL_RULE_GUARD_MISSING);
    CHECK_RULE(opened(&g), KL_RULE_GUARD_MISSING); /* asking made none */
    g = made(KL_GUARD_ROOM_MIN);
    CHECK(kl_guard_open(&other, fs, &owner, &broken) == KL_BUSY);
    CHECK(broken == KL_RULE_COUNT);
    kl_guard_close(g);
    CHECK(kl_guard_create(&other, fs, &owner, (kl_guard_view){0}, KL_GUARD_ROOM_MIN) == KL_BUSY);
    CHECK(other == NULL);
    kl_sim_disk_free(disk);
}

/* Property: any flipped bit of a guard is found, wherever it is; so is any length but its own; and
 * another chain, genesis, scheme or key is told from damage. */
KL_TEST(guard_finds_every_damage)
{
    init();
    struct kl_guard *g = made(KL_GUARD_ROOM_MIN);
    for (u64 view = 1; view <= 3; view++)
        CHECK_RULE(ask(g, KL_VOTE_NOTARIZE, 0, view, 1), KL_RULE_NONE);
    CHECK_OK(kl_guard_sync(g));
    kl_guard_close(g);
    for (u64 at = 0; at < (1 + KL_GUARD_ROOM_MIN) * GUARD_SECTOR;
         at += 1 + kl_rand_below(seed, 7)) {
        unsigned bit = (unsigned)kl_rand_below(seed, 8);
        CHECK_OK(kl_sim_disk_flip(disk, GUARD_NAME, at, bit));
        CHECK_RULE(opened(&g), KL_RULE_GUARD_DAMAGED);
        CHECK_OK(kl_sim_disk_flip(disk, GUARD_NAME, at, bit));
    }
    CHECK_RULE(opened(&g), KL_RULE_NONE);
    kl_guard_close(g);
    for (unsigned i = 0; i < 4; i++) {
        kl_guard_owner right = owner;
        owner.domain.chain_id += i == 0;
        owner.domain.genesis_hash.b[3] ^= i == 1;
        owner.key[0] ^= i == 2;
        if (i == 3)
            owner.scheme = kl_vote_scheme_of(KL_SCHEME_KEYED_HASH, true);
        CHECK_RULE(opened(&g), KL_RULE_GUARD_FOREIGN);
        owner = right;
    }
    struct kl_file *file;
    static const u64 sizes[] = {0, 511, 512, 4000, 9 * 512 - 1, 9 * 512 + 512};
    for (usize i = 0; i < KL_COUNT_OF(sizes); i++) {
        struct kl_sim_disk *copy, *whole = disk;
        CHECK_OK(kl_sim_disk_cut(whole, kl_sim_disk_operations(whole), KL_CUT_KEEP, 0, &copy));
        fs = kl_sim_disk_fs(copy);
        CHECK_OK(kl_fs_open(fs, &file, GUARD_NAME, KL_OPEN_WRITE));
        CHECK_OK(kl_file_truncate(file, sizes[i]));
        kl_file_close(file);
        CHECK_RULE(opened(&g), KL_RULE_GUARD_DAMAGED);
        kl_sim_disk_free(copy);
        fs = kl_sim_disk_fs(whole);
    }
    kl_sim_disk_free(disk);
}

/* A request for which room has to be made is judged by the floor that rose. */
KL_TEST(guard_makes_room_before_it_allows)
{
    init();
    struct kl_guard *g = made(KL_GUARD_ROOM_MIN);
    for (u64 view = 10; view < 10 + KL_GUARD_ROOM_MIN; view++)
        CHECK_RULE(ask(g, KL_VOTE_NOTARIZE, 0, view, 1), KL_RULE_NONE);
    CHECK_U64(kl_guard_floor(g).view, 0);
    CHECK_RULE(ask(g, KL_VOTE_NULLIFY, 0, 11, 0), KL_RULE_GUARD_FLOOR);
    CHECK_U64(kl_guard_floor(g).view, 10 + KL_GUARD_ROOM_MIN / 2);
    for (u64 view = kl_guard_floor(g).view; view < 10 + KL_GUARD_ROOM_MIN; view++)
        CHECK_RULE(ask(g, KL_VOTE_NOTARIZE, 0, view, 2), KL_RULE_GUARD_NOTARIZE);
    CHECK_RULE(ask(g, KL_VOTE_NULLIFY, 0, 17, 0), KL_RULE_NONE);
    CHECK_OK(kl_guard_sync(g));
    kl_guard_close(g);
    CHECK_RULE(opened(&g), KL_RULE_NONE);
    CHECK_U64(kl_guard_floor(g).view, 10 + KL_GUARD_ROOM_MIN / 2);
    CHECK_RULE(ask(g, KL_VOTE_FINALIZE, 0, 17, 1), KL_RULE_GUARD_NULLIFIED);
    kl_guard_close(g);
    kl_sim_disk_free(disk);
}

/* Nothing that was durable may be missing, though records that never were leave holes. */
KL_TEST(guard_tells_a_hole_from_a_lost_record)
{
    static const u8 zeros[GUARD_SECTOR];
    for (unsigned lost = 0; lost < 4; lost++) {
        init();
        struct kl_guard *g = made(KL_GUARD_ROOM_MIN);
        struct kl_file *file;
        for (u64 view = 1; view <= 4; view++) {
            CHECK_RULE(ask(g, KL_VOTE_NULLIFY, 0, view, 0), KL_RULE_NONE);
            if (view == 2)
                CHECK_OK(kl_guard_sync(g));
        }
        kl_guard_close(g);
        CHECK_OK(kl_fs_open(fs, &file, GUARD_NAME, KL_OPEN_WRITE));
        CHECK_OK(kl_file_write(file, zeros, sizeof zeros, (1 + lost) * GUARD_SECTOR));
        kl_file_close(file);
        CHECK_RULE(opened(&g), lost < 2 ? KL_RULE_GUARD_DAMAGED : KL_RULE_NONE);
        kl_guard_close(g);
        kl_sim_disk_free(disk);
    }
}

/* The same votes at each n-th operation failing: from the failure on nothing is answered, though
 * the disk works again; and a guard opened behind a power cut knows all that was signed. */
KL_TEST(guard_signs_nothing_after_a_failure)
{
    unsigned failures = 0;
    for (u64 n = 0; n < 60; n++) {
        init();
        struct kl_guard *g = made(KL_GUARD_ROOM_MIN);
        kl_status failure = n % 2 ? KL_IO : KL_FULL, status = KL_OK;
        kl_vote_subject last = {0};
        kl_vote vote;
        u64 signed_view = 0;
        kl_sim_disk_fail(disk, n, failure, kl_rand(seed));
        for (u64 view = 1; view <= 20 && status == KL_OK;
             view++) { /* the file is written anew twice */
            kl_rule broken = KL_RULE_COUNT;
            last = subject(KL_VOTE_NOTARIZE, 0, view, 1);
            status = kl_guard_ask(g, &last, &broken);
            if (status == KL_OK)
                status = kl_guard_sync(g);
            if (status == KL_OK && kl_guard_sign(g, &vote, &last, 0, &secret) == KL_OK)
                signed_view = view;
        }
        kl_sim_disk_fail(disk, 0, KL_OK, 0);
        if (status != KL_OK) {
            failures++;
            CHECK_U64(status, failure);
            kl_rule broken = KL_RULE_COUNT;
            kl_vote_subject before = subject(KL_VOTE_NOTARIZE, 0, signed_view, 1);
            for (int again = 0; again < 3; again++) {
                CHECK(kl_guard_ask(g, again ? &last : &before, &broken) == failure);
                CHECK(kl_guard_sync(g) == failure);
                CHECK(kl_guard_sign(g, &vote, &before, 0, &secret) == failure);
                CHECK(broken == KL_RULE_COUNT);
            }
        }
        kl_guard_close(g);
        for (unsigned how = KL_CUT_DROP; how <= KL_CUT_RANDOM; how++) {
            struct kl_sim_disk *after;
            CHECK_OK(kl_sim_disk_cut(disk, kl_sim_disk_operations(disk), (kl_power_cut)how,
                                     kl_rand(seed), &after));
            fs = kl_sim_disk_fs(after);
            CHECK_RULE(opened(&g), KL_RULE_NONE);
            if (signed_view)
                CHECK_RULE(ask(g, KL_VOTE_NOTARIZE, 0, signed_view, 2), KL_RULE_GUARD_NOTARIZE);
            CHECK(kl_guard_newest(g).view <= signed_view + 1);
            kl_guard_close(g);
            kl_sim_disk_free(after);
        }
        kl_sim_disk_free(disk);
    }
    CHECK(failures > 30);
}

/* The signatures a key ever made, kept outside. */
typedef struct signatures {
    kl_vote_subject of[4096];
    usize count;
} signatures;

static void sign(signatures *all, struct kl_guard *g, const kl_vote_subject *s)
{
    kl_vote vote;
    CHECK_OK(kl_guard_sign(g, &vote, s, 0, &secret));
    for (usize i = 0; i < all->count; i++) {
        CHECK_U64(kl_evidence_of(&all->of[i], s), KL_EVIDENCE_NONE);
        if (kl_vote_subject_eq(&all->of[i], s))
            return;
    }
    CHECK(all->count < KL_COUNT_OF(all->of));
    all->of[all->count++] = *s;
}

/* Property: over a long life of rising views and epochs, floors, files written anew and power cuts,
 * a key never signs the contrary of anything it signed, and signs again, when asked, everything at
 * or above the floor. */
KL_TEST(guard_survives_a_long_life)
{
    static signatures all;
    all.count = 0;
    init();
    owner.scheme = kl_vote_scheme_of(KL_SCHEME_KEYED_HASH, true);
    CHECK(owner.scheme->public_key(owner.key, &secret));
    struct kl_guard *g = made(16);
    u64 epoch = 0, view = 2, refused = 0, again = 0, cuts = 0;
    for (int step = 0; step < 6000; step++) {
        kl_rule broken;
        kl_vote_kind kind = (kl_vote_kind)(1 + kl_rand_below(seed, 3));
        u64 back = kl_rand_below(seed, 5);
        kl_vote_subject s =
            subject(kind, epoch, view - KL_MIN(back, view - 1), (u8)kl_rand_below(seed, 2));
        CHECK_OK(kl_guard_ask(g, &s, &broken));
        refused += broken != KL_RULE_NONE;
        if (broken == KL_RULE_NONE && kl_rand_below(seed, 3)) {
            CHECK_OK(kl_guard_sync(g));
            sign(&all, g, &s);
        }
        view += kl_rand_below(seed, 6) == 0;
        if (kl_rand_below(seed, 150) == 0) {
            epoch++;
            view = 1 + kl_rand_below(seed, 3);
        }
        if (kl_rand_below(seed, 100) == 0)
            kl_guard_raise(g, (kl_guard_view){epoch, view - KL_MIN(view - 1, 3)});
        if (kl_rand_below(seed, 40) == 0) {
            struct kl_sim_disk *after;
            kl_guard_close(g);
            CHECK_OK(kl_sim_disk_cut(disk, kl_sim_disk_operations(disk),
                                     (kl_power_cut)kl_rand_below(seed, 3), kl_rand(seed), &after));
            kl_sim_disk_free(disk);
            disk = after;
            fs = kl_sim_disk_fs(disk);
            CHECK_RULE(opened(&g), KL_RULE_NONE);
            cuts++;
        }
        const kl_vote_subject *old = all.count ? &all.of[kl_rand_below(seed, all.count)] : NULL;
        if (old && kl_guard_floor(g).epoch <= old->proposal.epoch) {
            CHECK_OK(kl_guard_ask(g, old, &broken));
            bool below = old->proposal.epoch == kl_guard_floor(g).epoch &&
                         old->proposal.view < kl_guard_floor(g).view;
            CHECK_RULE(broken, below ? KL_RULE_GUARD_FLOOR : KL_RULE_NONE);
            again += !below;
        }
    }
    CHECK(refused > 500 && again > 20 && cuts > 80 && all.count > 1000);
    kl_guard_close(g);
    kl_sim_disk_free(disk);
}

struct listed {
    kl_vote_subject list[16];
    usize count;
};

static void list(void *ctx, const kl_vote_subject *s)
{
    struct listed *listed = ctx;
    CHECK(listed->count < KL_COUNT_OF(listed->list));
    listed->list[listed->count++] = *s;
}

KL_TEST(guard_tells_what_may_have_been_signed_in_order_of_views)
{
    init();
    struct listed listed = {0};
    struct kl_guard *g = made(16);
    CHECK_RULE(ask(g, KL_VOTE_NULLIFY, 1, 2, 0), KL_RULE_NONE);
    CHECK_RULE(ask(g, KL_VOTE_NOTARIZE, 0, 9, 1), KL_RULE_NONE);
    CHECK_RULE(ask(g, KL_VOTE_NOTARIZE, 1, 2, 1), KL_RULE_NONE);
    CHECK_RULE(ask(g, KL_VOTE_FINALIZE, 1, 2, 1), KL_RULE_GUARD_NULLIFIED);
    CHECK_OK(kl_guard_sync(g));
    kl_guard_close(g);
    CHECK_RULE(opened(&g), KL_RULE_NONE);
    kl_guard_each(g, list, &listed);
    const kl_vote_subject want[] = {subject(KL_VOTE_NOTARIZE, 0, 9, 1),
                                    subject(KL_VOTE_NOTARIZE, 1, 2, 1),
                                    subject(KL_VOTE_NULLIFY, 1, 2, 0)};
    CHECK_U64(listed.count, KL_COUNT_OF(want));
    for (usize i = 0; i < KL_COUNT_OF(want); i++)
        CHECK(kl_vote_subject_eq(&listed.list[i], &want[i]));
    kl_guard_raise(g, (kl_guard_view){1, 0});
    listed.count = 0;
    kl_guard_each(g, list, &listed);
    CHECK_U64(listed.count, 2);
    kl_guard_close(g);
    kl_sim_disk_free(disk);
}

/* Of whichever operation the power goes at: before kl_guard_bar has ended the key may sign again in
 * another life, behind that never. */
KL_TEST(guard_of_a_key_that_is_used_elsewhere_signs_nothing_in_any_life)
{
    u64 cuts = 0;
    for (u64 at = 0;; at++, cuts++) {
        init();
        struct kl_guard *g = made(KL_GUARD_ROOM_MIN);
        struct kl_sim_disk *after;
        kl_rule broken;
        CHECK_RULE(ask(g, KL_VOTE_NOTARIZE, 0, 1, 1), KL_RULE_NONE);
        CHECK_OK(kl_guard_sync(g));
        u64 before = kl_sim_disk_operations(disk);
        CHECK_OK(kl_guard_bar(g));
        CHECK_OK(kl_guard_bar(g));
        CHECK_RULE(ask(g, KL_VOTE_NOTARIZE, 0, 1, 1), KL_RULE_GUARD_USED);
        CHECK_RULE(ask(g, KL_VOTE_NULLIFY, 0, 2, 0), KL_RULE_GUARD_USED);
        kl_guard_close(g);
        u64 operations = kl_sim_disk_operations(disk);
        CHECK_OK(kl_sim_disk_cut(disk, KL_MIN(before + at, operations),
                                 (kl_power_cut)kl_rand_below(seed, 3), kl_rand(seed), &after));
        CHECK_OK(kl_guard_open(&g, kl_sim_disk_fs(after), &owner, &broken));
        CHECK(broken == KL_RULE_GUARD_USED || (broken == KL_RULE_NONE && before + at < operations));
        kl_guard_close(g);
        kl_sim_disk_free(after);
        kl_sim_disk_free(disk);
        if (before + at >= operations)
            break;
    }
    CHECK(cuts > 3);
}

KL_TEST(guard_that_is_resumed_is_doubted_until_it_is_trusted)
{
    init();
    struct kl_guard *g = NULL;
    CHECK(kl_guard_resume(fs) == KL_NOTFOUND);
    g = made(KL_GUARD_ROOM_MIN);
    CHECK(!kl_guard_is_doubted(g));
    CHECK_RULE(ask(g, KL_VOTE_NOTARIZE, 0, 1, 1), KL_RULE_NONE);
    CHECK_OK(kl_guard_sync(g));
    CHECK_OK(kl_guard_bar(g));
    CHECK(kl_guard_resume(fs) == KL_BUSY);
    kl_guard_close(g);
    CHECK_RULE(opened(&g), KL_RULE_GUARD_USED);
    CHECK_OK(kl_guard_resume(fs));
    CHECK_OK(kl_guard_resume(fs));
    for (unsigned life = 0; life < 2; life++) {
        CHECK_RULE(opened(&g), KL_RULE_NONE);
        CHECK(kl_guard_is_doubted(g));
        CHECK_RULE(ask(g, KL_VOTE_NOTARIZE, 0, 1, 2), KL_RULE_GUARD_NOTARIZE);
        if (life)
            CHECK_OK(kl_guard_trust(g));
        kl_guard_close(g);
    }
    CHECK_RULE(opened(&g), KL_RULE_NONE);
    CHECK(!kl_guard_is_doubted(g));
    CHECK_OK(kl_guard_trust(g));
    kl_guard_close(g);
    kl_sim_disk_free(disk);
}
