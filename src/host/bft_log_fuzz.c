/* Opens a consensus log whose records are arbitrary bytes behind good checksums (what stands below
 * the records is seglog_fuzz's): what it gives is well-formed and was there, and it takes, keeps
 * and gives back what comes afterwards.
 *
 * The input is records one behind the other: a byte for the kind, two for the length, bytes. */
#include "base/fuzz.h"
#include "host/bft_log.h"
#include "sim/disk.h"

enum { SEGMENT = 1 << 20, INPUT_MAX = 1 << 15, CERTIFICATES_MAX = 1000, BODY_HEAD = 48 };

struct seen {
    u64 epoch, view;
    usize count;
};

/* One kind, length and payload off the front; false at the end. */
static bool next(kl_span *rest, u8 *kind, kl_span *payload)
{
    if (rest->len < 3)
        return false;
    kl_span head = kl_span_take(rest, 3);
    *kind = head.p[0];
    *payload = kl_span_take(rest, kl_load_be16(head.p + 1));
    return true;
}

static void put_records(struct kl_fs *fs, kl_span rest)
{
    const kl_seglog_config config = {.dir = "consensus", .segment_bytes = SEGMENT};
    struct kl_seglog *log;
    kl_seglog_report report;
    kl_span payload;
    u8 kind;
    u64 seq;
    KL_ASSERT(kl_seglog_open(&log, fs, &config, &report) == KL_OK);
    while (next(&rest, &kind, &payload))
        KL_ASSERT(kl_seglog_append(log, kind ? kind : 1, &payload, 1, &seq) == KL_OK);
    KL_ASSERT(kl_seglog_write(log) == KL_OK && kl_seglog_sync(log) == KL_OK);
    kl_seglog_close(log);
}

static bool see_certificate(void *ctx, const kl_certificate *c)
{
    struct seen *seen = ctx;
    static u8 room[KL_CERTIFICATE_RLP_MAX];
    kl_out out = kl_out_of(room, sizeof room);
    const kl_proposal *p = &c->subject.proposal;
    KL_ASSERT(p->epoch == seen->epoch && (seen->count == 0 || p->view >= seen->view));
    seen->view = p->view;
    seen->count++;
    kl_certificate_encode(&out, c);
    (void)kl_out_done(&out);
    return true;
}

static void see_vote(void *ctx, const kl_vote_subject *subject, KL_UNUSED kl_span leader)
{
    ++*(usize *)ctx;
    KL_ASSERT(subject->kind == KL_VOTE_NOTARIZE || subject->kind == KL_VOTE_NULLIFY ||
              subject->kind == KL_VOTE_FINALIZE);
}

static void see_turn(void *ctx, KL_UNUSED u64 epoch, KL_UNUSED u64 view)
{
    (*(usize *)ctx)++;
}

/* What the log gives of the bodies that stand in the records is one of these. */
static void read_bodies(struct kl_bft_log *log, kl_span rest)
{
    struct kl_arena arena;
    kl_span payload, body;
    u8 kind;
    kl_arena_init(&arena, 1 << 24);
    while (next(&rest, &kind, &payload)) {
        if (kind != 2 || payload.len < BODY_HEAD)
            continue;
        kl_hash hash;
        memcpy(hash.b, payload.p + 16, sizeof hash.b);
        kl_status status = kl_bft_log_find_body(log, &hash, &arena, &body);
        KL_ASSERT(kl_bft_log_has_body(log, &hash) == (status == KL_OK));
    }
    kl_arena_done(&arena);
}

static usize read_all(struct kl_bft_log *log, kl_span records)
{
    usize votes = 0, certificates = 0;
    for (u64 epoch = 0; epoch < 4; epoch++) {
        struct seen seen = {.epoch = epoch};
        KL_ASSERT(kl_bft_log_certificates(log, epoch, 0, UINT64_MAX, CERTIFICATES_MAX,
                                          see_certificate, &seen) == KL_OK);
        certificates += seen.count;
    }
    read_bodies(log, records);
    kl_bft_log_votes(log, see_vote, &votes);
    kl_bft_log_turns(log, see_turn, &votes);
    return votes + certificates;
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    kl_span records = kl_span_of(bytes, KL_MIN(len, (usize)INPUT_MAX)), body;
    struct kl_sim_disk *disk;
    struct kl_bft_log *log;
    struct kl_arena arena;
    kl_bft_log_report report;
    const kl_vote_subject vote = {.kind = KL_VOTE_NULLIFY, .proposal = {.epoch = 1, .view = 7}};
    kl_hash hash = {{0x77}};
    KL_ASSERT(kl_sim_disk_new(&disk) == KL_OK);
    struct kl_fs *fs = kl_sim_disk_fs(disk);
    put_records(fs, records);
    KL_ASSERT(kl_bft_log_open(&log, fs, SEGMENT, &report) == KL_OK);
    usize before = read_all(log, records);
    KL_ASSERT(kl_bft_log_vote(log, &vote, KL_SPAN_TEXT("")) == KL_OK);
    KL_ASSERT(kl_bft_log_turn(log, 1, 7) == KL_OK);
    KL_ASSERT(kl_bft_log_body(log, &hash, 1, 7, KL_SPAN_TEXT("body")) == KL_OK);
    KL_ASSERT(kl_bft_log_sync(log) == KL_OK);
    KL_ASSERT(read_all(log, records) >= before);
    kl_bft_log_close(log);
    KL_ASSERT(kl_bft_log_open(&log, fs, SEGMENT, &report) == KL_OK);
    KL_ASSERT(read_all(log, records) >= before);
    kl_arena_init(&arena, 1 << 20);
    KL_ASSERT(kl_bft_log_find_body(log, &hash, &arena, &body) == KL_OK);
    kl_arena_done(&arena);
    KL_ASSERT(kl_bft_log_forget(log, 1, 8) == KL_OK && kl_bft_log_mended(log) == KL_OK);
    (void)read_all(log, records);
    kl_bft_log_close(log);
    kl_sim_disk_free(disk);
    return 0;
}
