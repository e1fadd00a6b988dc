/* The guard's file of arbitrary bytes, and damaged ones.  Opening never crashes; what opens never
 * signs beside what it says it has signed, nor does the guard that is opened after it; and a file
 * that was damaged does not open.
 *
 * The first input byte says what the file is: as it comes; sectors that are put together and
 * sealed, so that inputs get behind the checksums; or what a guard wrote that was asked for the
 * votes of the input, with one burst of up to 32 bits turned somewhere, which the checksum of a
 * sector always finds. */
#include <stdlib.h>

#include "base/fuzz.h"
#include "crypto/digest.h"
#include "guard/guard_priv.h"
#include "sim/disk.h"

enum { RAW, SEALED, BURST, MODES, ROOM = 16, FILE_MAX = 64 * GUARD_SECTOR };

static const kl_secret32 secret = {.b = {[31] = 7}};
static kl_guard_owner owner;

static u32 next_number(kl_span *in, u32 len)
{
    u32 number = 0;
    while (len--)
        number = number << 8 | kl_fuzz_u8(in);
    return number;
}

/* A few views, kinds and blocks, so that votes meet; now and then a turn. */
static kl_vote_subject next_subject(kl_span *in)
{
    u8 what = kl_fuzz_u8(in), where = kl_fuzz_u8(in);
    kl_vote_subject subject = {.kind = (kl_vote_kind)(1 + what % 3),
                               .proposal = {.epoch = where >> 6, .view = where & 15}};
    if (what >= 0xf0) {
        subject.kind = GUARD_TURN;
    } else if (subject.kind != KL_VOTE_NULLIFY) {
        subject.proposal.height = 1;
        subject.proposal.block_hash.b[0] = what >> 2 & 3;
    }
    return subject;
}

static void put(struct kl_fs *fs, const u8 *bytes, usize len)
{
    struct kl_file *file;
    kl_status status = kl_fs_open(fs, &file, GUARD_NAME, KL_OPEN_CREATE);
    KL_ASSERT(status == KL_OK);
    status = len ? kl_file_write(file, bytes, len, 0) : KL_OK;
    KL_ASSERT(status == KL_OK);
    status = kl_file_sync(file);
    KL_ASSERT(status == KL_OK);
    kl_file_close(file);
}

/* A header, then a record for every four bytes: where it lies, what number it says it has, how many
 * were durable, what was signed. */
static void put_sealed(struct kl_fs *fs, kl_span *in)
{
    static u8 file[FILE_MAX];
    memset(file, 0, sizeof file);
    u8 odd = kl_fuzz_u8(in);
    guard_header header = {.owner = owner,
                           .room = odd & 1 ? odd : ROOM,
                           .floor = {.epoch = odd >> 1 & 1, .view = odd >> 2 & 7}};
    if (odd >> 5 == 1)
        header.owner.domain.chain_id++;
    guard_put_header(file, &header);
    while (in->len) {
        u8 place = kl_fuzz_u8(in), durable = kl_fuzz_u8(in);
        kl_vote_subject subject = next_subject(in);
        const guard_record record = {.number = (u64)(place % ROOM) + (place >> 7),
                                     .durable = durable % (2 * ROOM),
                                     .subject = subject};
        guard_put_record(file + (1 + place % ROOM) * GUARD_SECTOR, &record, &owner);
    }
    if (odd >> 5 == 2) /* a kind that there is not, sealed */
        file[GUARD_SECTOR + 28 + 11 + 1 + 8 + 32] = 0;
    put(fs, file, (usize)(1 + ROOM + (odd >> 5 == 3)) * GUARD_SECTOR);
}

static bool contradicts(const kl_vote_subject *a, const kl_vote_subject *b)
{
    if (a->proposal.epoch != b->proposal.epoch || a->proposal.view != b->proposal.view)
        return false;
    return a->kind == b->kind ? !kl_vote_subject_eq(a, b)
                              : a->kind + b->kind == KL_VOTE_NULLIFY + KL_VOTE_FINALIZE;
}

/* What a guard says it may have signed. */
struct known {
    kl_vote_subject subjects[64];
    usize count;
};

static void know(void *ctx, const kl_vote_subject *subject)
{
    struct known *known = ctx;
    KL_ASSERT(known->count < KL_COUNT_OF(known->subjects));
    for (usize i = 0; i < known->count; i++)
        KL_ASSERT(!contradicts(&known->subjects[i], subject));
    known->subjects[known->count++] = *subject;
}

static struct kl_guard *open_guard(struct kl_fs *fs, kl_rule *broken)
{
    struct kl_guard *guard;
    kl_status status = kl_guard_open(&guard, fs, &owner, broken);
    KL_ASSERT(status == KL_OK && (guard != NULL) == (*broken == KL_RULE_NONE));
    KL_ASSERT(guard || *broken == KL_RULE_GUARD_MISSING || *broken == KL_RULE_GUARD_DAMAGED ||
              *broken == KL_RULE_GUARD_FOREIGN);
    return guard;
}

/* Asks for it; what is allowed is signed. */
static bool signs(struct kl_guard *guard, const kl_vote_subject *subject)
{
    kl_rule broken;
    kl_vote vote;
    const kl_guard_view view = {subject->proposal.epoch, subject->proposal.view};
    bool is_turn = subject->kind == GUARD_TURN;
    kl_status status = is_turn ? kl_guard_reserve(guard, view, false, &broken)
                               : kl_guard_ask(guard, subject, &broken);
    KL_ASSERT(status == KL_OK);
    if (broken != KL_RULE_NONE)
        return false;
    status = kl_guard_sync(guard);
    KL_ASSERT(status == KL_OK);
    status = is_turn ? KL_OK : kl_guard_sign(guard, &vote, subject, 3, &secret);
    KL_ASSERT(status == KL_OK);
    return true;
}

/* No turn of an earlier life is taken again, nor is anything notarized in it. */
static void refuse_turn(void *ctx, kl_guard_view view)
{
    struct kl_guard *guard = ctx;
    kl_vote_subject vote = {.kind = KL_VOTE_NOTARIZE, .proposal = {.height = 1}};
    kl_rule broken;
    kl_status status = kl_guard_reserve(guard, view, false, &broken);
    KL_ASSERT(status == KL_OK && broken == KL_RULE_GUARD_TURN);
    vote.proposal.epoch = view.epoch;
    vote.proposal.view = view.view;
    status = kl_guard_ask(guard, &vote, &broken);
    KL_ASSERT(status == KL_OK && broken == KL_RULE_GUARD_TURN);
}

/* Of every vote that it knows it signs that one and no contrary, in this life and the next. */
static void use(struct kl_fs *fs, struct kl_guard *guard)
{
    for (u32 life = 0; life < 2; life++) {
        struct known known = {.count = 0};
        kl_guard_each(guard, know, &known);
        kl_guard_each_turn(guard, refuse_turn, guard);
        for (usize i = 0; i < known.count; i++) {
            kl_vote_subject other = known.subjects[i];
            bool again = signs(guard, &other);
            KL_ASSERT(again);
            other.kind = other.kind == KL_VOTE_NOTARIZE
                             ? KL_VOTE_NOTARIZE
                             : (kl_vote_kind)(KL_VOTE_NULLIFY + KL_VOTE_FINALIZE - other.kind);
            other.proposal.block_hash.b[1] ^= 1;
            again = signs(guard, &other);
            KL_ASSERT(!again);
        }
        const kl_vote_subject more = {.kind = KL_VOTE_NULLIFY,
                                      .proposal = {.epoch = UINT64_MAX, .view = 1 + life}};
        (void)signs(guard, &more);
        kl_guard_close(guard);
        kl_rule broken;
        guard = open_guard(fs, &broken);
        KL_ASSERT(guard);
    }
    kl_guard_close(guard);
}

/* True when a guard wrote a file and one burst was turned in it. */
static bool put_burst(struct kl_fs *fs, kl_span *in)
{
    struct kl_guard *guard;
    struct kl_file *file;
    u8 bytes[4];
    u32 burst = next_number(in, sizeof bytes);
    usize at = next_number(in, 2) % ((1 + ROOM) * GUARD_SECTOR - sizeof bytes);
    kl_status status = kl_guard_create(&guard, fs, &owner, (kl_guard_view){0}, ROOM);
    KL_ASSERT(status == KL_OK);
    while (in->len) {
        kl_vote_subject subject = next_subject(in);
        (void)signs(guard, &subject);
    }
    kl_guard_close(guard);
    at -= at % GUARD_SECTOR > GUARD_SECTOR - sizeof bytes ? sizeof bytes : 0;
    status = kl_fs_open(fs, &file, GUARD_NAME, KL_OPEN_WRITE);
    KL_ASSERT(status == KL_OK);
    status = kl_file_read(file, bytes, sizeof bytes, at);
    KL_ASSERT(status == KL_OK);
    kl_store_be32(bytes, kl_load_be32(bytes) ^ burst);
    status = kl_file_write(file, bytes, sizeof bytes, at);
    KL_ASSERT(status == KL_OK);
    kl_file_close(file);
    return burst != 0;
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    kl_span in = {bytes, KL_MIN(len, (usize)FILE_MAX)};
    struct kl_sim_disk *disk;
    kl_rule broken;
    kl_status status = kl_sim_disk_new(&disk);
    KL_ASSERT(status == KL_OK);
    struct kl_fs *fs = kl_sim_disk_fs(disk);
    owner = (kl_guard_owner){.domain = {.chain_id = 7},
                             .scheme = kl_vote_scheme_of(KL_SCHEME_KEYED_HASH, true)};
    bool made = owner.scheme->public_key(owner.key, &secret);
    KL_ASSERT(made);
    u8 mode = kl_fuzz_u8(&in) % MODES;
    bool damaged = mode == BURST && put_burst(fs, &in);
    if (mode == RAW)
        put(fs, in.p, in.len);
    else if (mode == SEALED)
        put_sealed(fs, &in);
    struct kl_guard *guard = open_guard(fs, &broken);
    KL_ASSERT(!(damaged && guard));
    if (guard)
        use(fs, guard);
    kl_sim_disk_free(disk);
    return 0;
}
