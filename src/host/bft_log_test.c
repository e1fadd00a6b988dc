#include "host/bft_log_rig_test.h"
#include "sim/disk.h"

#define SEGMENT 16384u

void rig_item_make(rig_item *out, u64 n)
{
    u64 state = n ^ 0x6b65656c;
    *out = (rig_item){.epoch = n / 60, .view = 1 + n % 60 / 3};
    kl_rand_fill(&state, &out->hash, sizeof out->hash);
    out->is_body = n % 3 == 2;
    out->body_len = kl_rand_below(&state, RIG_BODY_MAX);
    kl_rand_fill(&state, out->body, out->body_len);
    kl_rand_fill(&state, out->signatures, sizeof out->signatures);
    kl_vote_kind kind = (kl_vote_kind)(1 + n % 3);
    kl_proposal p = {.epoch = out->epoch, .view = out->view};
    if (kind != KL_VOTE_NULLIFY) {
        p.parent_view = out->view - 1;
        p.height = n + 1;
        p.block_hash = out->hash;
    }
    out->certificate = (kl_certificate){.subject = {.kind = kind, .proposal = p}, .signers = {3}};
}

/* The item may have been copied since: its spans are set where they are used. */
static kl_certificate certificate_of(const rig_item *item)
{
    kl_certificate certificate = item->certificate;
    certificate.signatures = KL_SPAN_OF(item->signatures);
    return certificate;
}

kl_status rig_append(struct kl_bft_log *log, const rig_item *item)
{
    kl_certificate certificate = certificate_of(item);
    return item->is_body ? kl_bft_log_body(log, &item->hash, item->epoch, item->view,
                                           kl_span_of(item->body, item->body_len))
                         : kl_bft_log_certificate(log, &certificate);
}

struct search {
    const rig_item *item;
    bool found;
};

static bool see(void *ctx, const kl_certificate *certificate)
{
    struct search *search = ctx;
    const rig_item *item = search->item;
    if (!kl_vote_subject_eq(&certificate->subject, &item->certificate.subject))
        return true;
    CHECK_SPAN(certificate->signatures, KL_SPAN_OF(item->signatures));
    CHECK(!search->found);
    search->found = true;
    return true;
}

static bool has_body(struct kl_bft_log *log, const rig_item *item)
{
    struct kl_arena arena;
    kl_span body;
    kl_arena_init(&arena, SIZE_MAX);
    kl_status status = kl_bft_log_find_body(log, &item->hash, &arena, &body);
    CHECK(status == KL_OK || status == KL_NOTFOUND);
    if (status == KL_OK)
        CHECK_SPAN(body, kl_span_of(item->body, item->body_len));
    kl_arena_done(&arena);
    return status == KL_OK;
}

bool rig_has(struct kl_bft_log *log, const rig_item *item)
{
    struct search search = {.item = item};
    if (item->is_body)
        return has_body(log, item);
    CHECK_OK(kl_bft_log_certificates(log, item->epoch, item->view, item->view, 100, see, &search));
    return search.found;
}

static struct kl_bft_log *open_on(struct kl_sim_disk *disk, kl_bft_log_report *report)
{
    struct kl_bft_log *log;
    CHECK_OK(kl_bft_log_open(&log, kl_sim_disk_fs(disk), SEGMENT, report));
    return log;
}

static struct kl_sim_disk *new_disk(void)
{
    struct kl_sim_disk *disk;
    CHECK_OK(kl_sim_disk_new(&disk));
    return disk;
}

static rig_item item;

static void append(struct kl_bft_log *log, u64 from, u64 to)
{
    for (u64 n = from; n < to; n++) {
        rig_item_make(&item, n);
        CHECK_OK(rig_append(log, &item));
    }
}

static u64 count_found(struct kl_bft_log *log, u64 from, u64 to)
{
    u64 count = 0;
    for (u64 n = from; n < to; n++) {
        rig_item_make(&item, n);
        count += rig_has(log, &item);
    }
    return count;
}

KL_TEST(bft_log_gives_back_what_it_took_before_and_after_opening)
{
    struct kl_sim_disk *disk = new_disk();
    kl_bft_log_report report;
    struct kl_bft_log *log = open_on(disk, &report);
    CHECK_U64(report.certificates + report.bodies, 0);
    append(log, 0, 200);
    CHECK_U64(count_found(log, 0, 200), 200);
    CHECK_U64(count_found(log, 200, 210), 0);
    CHECK_OK(kl_bft_log_sync(log));
    kl_bft_log_close(log);
    log = open_on(disk, &report);
    CHECK(!report.damaged);
    CHECK_U64(report.certificates, 134);
    CHECK_U64(report.bodies, 66);
    CHECK_U64(count_found(log, 0, 200), 200);
    kl_bft_log_close(log);
    kl_sim_disk_free(disk);
}

KL_TEST(bft_log_takes_nothing_twice)
{
    struct kl_sim_disk *disk = new_disk();
    kl_bft_log_report report;
    struct kl_bft_log *log = open_on(disk, &report);
    append(log, 0, 30);
    append(log, 0, 30);
    CHECK_OK(kl_bft_log_sync(log));
    append(log, 10, 40);
    CHECK_OK(kl_bft_log_sync(log));
    kl_bft_log_close(log);
    log = open_on(disk, &report);
    CHECK_U64(report.certificates + report.bodies, 40);
    kl_bft_log_close(log);
    kl_sim_disk_free(disk);
}

struct walk {
    u64 view, epoch, count, stop_at;
};

static bool walk_on(void *ctx, const kl_certificate *certificate)
{
    struct walk *walk = ctx;
    const kl_proposal *p = &certificate->subject.proposal;
    CHECK_U64(p->epoch, walk->epoch);
    CHECK(p->view >= walk->view);
    walk->view = p->view;
    return ++walk->count != walk->stop_at;
}

KL_TEST(bft_log_walks_over_an_epochs_certificates_in_order_of_views)
{
    struct kl_sim_disk *disk = new_disk();
    kl_bft_log_report report;
    struct kl_bft_log *log = open_on(disk, &report);
    for (u64 n = 0; n < 180; n++) { /* appended in a mixed order */
        rig_item_make(&item, n * 77 % 180);
        CHECK_OK(rig_append(log, &item));
    }
    struct walk all = {.epoch = 1}, some = {.epoch = 1}, few = {.epoch = 1, .stop_at = 3},
                range = {.epoch = 1, .view = 5}, none = {.epoch = 3};
    CHECK_OK(kl_bft_log_certificates(log, 1, 0, UINT64_MAX, 1000, walk_on, &all));
    CHECK_U64(all.count, 40);
    CHECK_OK(kl_bft_log_certificates(log, 1, 0, UINT64_MAX, 7, walk_on, &some));
    CHECK_U64(some.count, 7);
    CHECK_OK(kl_bft_log_certificates(log, 1, 0, UINT64_MAX, 1000, walk_on, &few));
    CHECK_U64(few.count, 3);
    CHECK_OK(kl_bft_log_certificates(log, 1, 5, 6, 1000, walk_on, &range));
    CHECK_U64(range.count, 4);
    CHECK_OK(kl_bft_log_certificates(log, 3, 0, UINT64_MAX, 1000, walk_on, &none));
    CHECK_U64(none.count, 0);
    kl_bft_log_close(log);
    kl_sim_disk_free(disk);
}

KL_TEST(bft_log_forgets_whole_segments_and_nothing_that_is_needed)
{
    struct kl_sim_disk *disk = new_disk();
    kl_bft_log_report report;
    struct kl_bft_log *log = open_on(disk, &report);
    append(log, 0, 300);
    CHECK_OK(kl_bft_log_sync(log));
    rig_item_make(&item, 200);
    CHECK_OK(kl_bft_log_forget(log, item.epoch, item.view));
    CHECK_U64(count_found(log, 198, 300), 102); /* that view's own stay */
    u64 left = count_found(log, 0, 198);
    CHECK(left < 40);
    append(log, 300, 330);
    CHECK_OK(kl_bft_log_sync(log));
    kl_bft_log_close(log);
    log = open_on(disk, &report);
    CHECK(!report.damaged);
    CHECK_U64(report.certificates + report.bodies, 132 + left);
    CHECK_U64(count_found(log, 198, 330), 132);
    rig_item_make(&item, 329);
    CHECK_OK(kl_bft_log_forget(log, item.epoch + 1, 0));
    CHECK(count_found(log, 0, 330) < 40);
    append(log, 198, 210); /* what went may come again */
    CHECK_U64(count_found(log, 198, 210), 12);
    kl_bft_log_close(log);
    kl_sim_disk_free(disk);
}

static const char *nth_segment(struct kl_sim_disk *disk, bool newest);

static void remember_first(void *ctx, const char *name)
{
    char *out = ctx;
    if (!out[0] && strstr(name, ".seg"))
        memcpy(out, name, strlen(name) + 1);
}

static void remember_last(void *ctx, const char *name)
{
    char *out = ctx;
    if (strstr(name, ".seg"))
        memcpy(out, name, strlen(name) + 1);
}

static const char *nth_segment(struct kl_sim_disk *disk, bool newest)
{
    static char path[2 * KL_PATH_MAX];
    static const char folder[] = "consensus/";
    memset(path, 0, sizeof path);
    CHECK_OK(kl_fs_list(kl_sim_disk_fs(disk), "consensus", newest ? remember_last : remember_first,
                        path + strlen(folder)));
    memcpy(path, folder, strlen(folder));
    return path;
}

static void flip(struct kl_sim_disk *disk, bool newest, u64 offset)
{
    CHECK_OK(kl_sim_disk_flip(disk, nth_segment(disk, newest), offset, 3));
}

KL_TEST(bft_log_goes_on_without_what_is_damaged)
{
    struct kl_sim_disk *disk = new_disk();
    kl_bft_log_report report;
    struct kl_bft_log *log = open_on(disk, &report);
    append(log, 0, 100);
    CHECK_OK(kl_bft_log_sync(log));
    kl_bft_log_close(log);
    flip(disk, false, 3000);
    log = open_on(disk, &report);
    CHECK(report.damaged && report.log.damage);
    u64 found = count_found(log, 0, 100);
    CHECK(found < 100 && found > 60);
    CHECK_U64(report.certificates + report.bodies, found);
    append(log, 0, 120); /* and what is missing may come again */
    CHECK_U64(count_found(log, 0, 120), 120);
    kl_bft_log_close(log);
    kl_sim_disk_free(disk);
}

KL_TEST(bft_log_that_cannot_be_opened_is_set_aside_and_counts_as_damaged_until_it_is_mended)
{
    struct kl_sim_disk *disk = new_disk();
    kl_bft_log_report report;
    struct kl_bft_log *log = open_on(disk, &report);
    append(log, 0, 100);
    CHECK_OK(kl_bft_log_sync(log));
    kl_bft_log_close(log);
    flip(disk, true, 20);
    log = open_on(disk, &report);
    CHECK(report.damaged && report.log.damage);
    CHECK_U64(count_found(log, 0, 100), 0);
    append(log, 0, 100);
    CHECK_OK(kl_bft_log_sync(log));
    kl_bft_log_close(log);
    log = open_on(disk, &report);
    CHECK(report.damaged);
    CHECK_U64(count_found(log, 0, 100), 100);
    CHECK_OK(kl_bft_log_mended(log));
    kl_bft_log_close(log);
    log = open_on(disk, &report);
    CHECK(!report.damaged);
    CHECK_U64(count_found(log, 0, 100), 100);
    kl_bft_log_close(log);
    kl_sim_disk_free(disk);
}

KL_TEST(bft_log_stays_broken_after_a_failed_sync_and_still_reads)
{
    struct kl_sim_disk *disk = new_disk();
    kl_bft_log_report report;
    struct kl_bft_log *log = open_on(disk, &report);
    append(log, 0, 10);
    CHECK_OK(kl_bft_log_sync(log));
    append(log, 10, 12);
    kl_sim_disk_fail(disk, 0, KL_IO, 1);
    CHECK(kl_bft_log_sync(log) == KL_IO);
    kl_sim_disk_fail(disk, 0, KL_OK, 1);
    CHECK(kl_bft_log_sync(log) == KL_IO);
    rig_item_make(&item, 12);
    CHECK(rig_append(log, &item) == KL_IO);
    CHECK_U64(count_found(log, 0, 10), 10);
    kl_bft_log_close(log);
    kl_sim_disk_free(disk);
}

struct votes {
    kl_vote_subject list[64];
    usize leader_lens[64], count;
};

/* Every third was notarized on a leader's signature of as many bytes. */
static const u8 leaders[KL_VOTE_SIGNATURE_MAX] = {1, 2, 3};

static kl_span leader_of(u64 n)
{
    return kl_span_of(leaders, n % 3 ? 0 : 1 + n % KL_VOTE_SIGNATURE_MAX);
}

static void list_turn(void *ctx, u64 epoch, u64 view)
{
    struct votes *votes = ctx;
    CHECK(votes->count < KL_COUNT_OF(votes->list));
    votes->list[votes->count++] = (kl_vote_subject){.proposal = {.epoch = epoch, .view = view}};
}

static void list_vote(void *ctx, const kl_vote_subject *subject, kl_span leader)
{
    struct votes *votes = ctx;
    CHECK(votes->count < KL_COUNT_OF(votes->list));
    votes->leader_lens[votes->count] = leader.len;
    CHECK(leader.len <= sizeof leaders && (!leader.len || leader.p[0] == 1));
    votes->list[votes->count++] = *subject;
}

KL_TEST(bft_log_keeps_own_votes_until_their_views_are_forgotten)
{
    struct kl_sim_disk *disk = new_disk();
    kl_bft_log_report report;
    struct kl_bft_log *log = open_on(disk, &report);
    for (u64 n = 0; n < 60; n++) {
        rig_item_make(&item, n);
        for (int again = 0; again < 2; again++) { /* no second time */
            CHECK_OK(kl_bft_log_vote(log, &item.certificate.subject, leader_of(n)));
            CHECK_OK(kl_bft_log_turn(log, item.epoch, item.view));
        }
        append(log, n, n + 1);
    }
    CHECK_OK(kl_bft_log_sync(log));
    kl_bft_log_close(log);
    log = open_on(disk, &report);
    CHECK(!report.damaged);
    struct votes votes = {0};
    kl_bft_log_votes(log, list_vote, &votes);
    CHECK_U64(votes.count, 60);
    for (u64 n = 0; n < 60; n++) {
        rig_item_make(&item, n);
        CHECK(kl_vote_subject_eq(&votes.list[n], &item.certificate.subject));
        CHECK_U64(votes.leader_lens[n], leader_of(n).len);
    }
    votes.count = 0;
    kl_bft_log_turns(log, list_turn, &votes);
    CHECK(votes.count > 10);
    rig_item_make(&item, 45);
    CHECK_OK(kl_bft_log_forget(log, item.epoch, item.view));
    votes.count = 0;
    kl_bft_log_votes(log, list_vote, &votes);
    const u64 epoch = item.epoch, view = item.view;
    u32 left = 0;
    for (u64 n = 0; n < 60; n++) {
        rig_item_make(&item, n);
        left += item.epoch == epoch ? item.view >= view : item.epoch > epoch;
    }
    CHECK_U64(votes.count, left);
    CHECK(left >= 15 && left < 40);
    kl_bft_log_close(log);
    kl_sim_disk_free(disk);
}
