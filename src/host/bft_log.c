/* The index is made from the records when the log is opened, and follows them from then on.  A body
 * is stored behind its view and hash, so that nothing has to be understood of it here. */
#include "host/bft_log.h"

#include <stdlib.h>

#include "base/sync.h"
#include "host/bft_log_priv.h"

#define FOLDER        "consensus"
#define SUFFIX        ".seg"
#define SUFFIX_ASIDE  ".seg.damaged"
#define RECORD_MEMORY (2 * (usize)KL_SEGLOG_RECORD_MAX)

enum {
    RECORD_CERTIFICATE = 1,
    RECORD_BODY = 2,
    RECORD_VOTE = 3,
    RECORD_TURN = 4,
    BODY_HEAD = 8 + 8 + 32,         /* epoch, view, hash */
    VOTE_LEN = 1 + 4 * 8 + 32 + 32, /* kind, epoch, view, parent view, height, hashes */
    TURN_LEN = 8 + 8,               /* epoch, view */
};

struct kl_bft_log {
    struct kl_fs *fs;
    struct kl_seglog *log;
    kl_mutex lock; /* over the index */
    log_index index;
    u8 room[KL_CERTIFICATE_RLP_MAX]; /* the appending thread's */
};

/* Names in the folder that end in a suffix; each is given to use, which may change the folder. */
struct named {
    const char *suffix;
    char (*names)[KL_PATH_MAX + 1];
    usize count;
    bool failed;
};

static void named_done(struct named *named)
{
    free(named->names);
}

static void see_name(void *ctx, const char *name)
{
    struct named *named = ctx;
    usize len = strlen(name), suffix = strlen(named->suffix);
    if (len < suffix || strcmp(name + len - suffix, named->suffix) != 0 ||
        sizeof FOLDER + len + sizeof SUFFIX_ASIDE > KL_PATH_MAX)
        return;
    char(*names)[KL_PATH_MAX + 1] = realloc(named->names, (named->count + 1) * sizeof *names);
    if (!names) {
        named->failed = true;
        return;
    }
    named->names = names;
    char *out = names[named->count++];
    memcpy(out, FOLDER "/", sizeof FOLDER);
    memcpy(out + sizeof FOLDER, name, len + 1);
}

static kl_status look(struct kl_fs *fs, struct named *named)
{
    kl_status status = kl_fs_list(fs, FOLDER, see_name, named);
    return status == KL_NOTFOUND ? KL_OK : status == KL_OK && named->failed ? KL_NOMEM : status;
}

/* The segments as they are keep their bytes under another name. */
static kl_status set_aside(struct kl_fs *fs)
{
    KL_CLEANUP(named_done) struct named named = {.suffix = SUFFIX};
    KL_TRY(look(fs, &named));
    for (usize i = 0; i < named.count; i++) {
        char aside[KL_PATH_MAX + 1] = {0};
        usize stem = strlen(named.names[i]) - strlen(SUFFIX);
        memcpy(aside, named.names[i], stem);
        memcpy(aside + stem, SUFFIX_ASIDE, sizeof SUFFIX_ASIDE);
        KL_TRY(kl_fs_rename(fs, named.names[i], aside));
    }
    return kl_fs_sync_dir(fs, FOLDER);
}

kl_status kl_bft_log_mended(struct kl_bft_log *log)
{
    KL_CLEANUP(named_done) struct named named = {.suffix = SUFFIX_ASIDE};
    KL_TRY(look(log->fs, &named));
    for (usize i = 0; i < named.count; i++)
        KL_TRY(kl_fs_unlink(log->fs, named.names[i]));
    return named.count ? kl_fs_sync_dir(log->fs, FOLDER) : KL_OK;
}

/* A record's payload in parts; false when it is none of ours. */
static bool parse_certificate(const kl_record *record, kl_certificate *out)
{
    return record->kind == RECORD_CERTIFICATE &&
           kl_certificate_decode(out, record->payload) == KL_RULE_NONE;
}

static bool parse_body(const kl_record *record, kl_hash *hash, u64 *epoch, u64 *view, kl_span *body)
{
    if (record->kind != RECORD_BODY || record->payload.len < BODY_HEAD)
        return false;
    *epoch = kl_load_be64(record->payload.p);
    *view = kl_load_be64(record->payload.p + 8);
    memcpy(hash->b, record->payload.p + 16, sizeof hash->b);
    *body = kl_span_of(record->payload.p + BODY_HEAD, record->payload.len - BODY_HEAD);
    return true;
}

static void put_vote(u8 out[VOTE_LEN], const kl_vote_subject *subject)
{
    const kl_proposal *p = &subject->proposal;
    out[0] = (u8)subject->kind;
    kl_store_be64(out + 1, p->epoch);
    kl_store_be64(out + 9, p->view);
    kl_store_be64(out + 17, p->parent_view);
    kl_store_be64(out + 25, p->height);
    memcpy(out + 33, p->parent_hash.b, 32);
    memcpy(out + 65, p->block_hash.b, 32);
}

static bool parse_vote(const kl_record *record, kl_vote_subject *out, kl_span *leader)
{
    const u8 *bytes = record->payload.p;
    if (record->kind != RECORD_VOTE || record->payload.len < VOTE_LEN ||
        record->payload.len > VOTE_LEN + KL_VOTE_SIGNATURE_MAX || bytes[0] < KL_VOTE_NOTARIZE ||
        bytes[0] > KL_VOTE_FINALIZE)
        return false;
    *out = (kl_vote_subject){.kind = (kl_vote_kind)bytes[0],
                             .proposal = {.epoch = kl_load_be64(bytes + 1),
                                          .view = kl_load_be64(bytes + 9),
                                          .parent_view = kl_load_be64(bytes + 17),
                                          .height = kl_load_be64(bytes + 25)}};
    memcpy(out->proposal.parent_hash.b, bytes + 33, 32);
    memcpy(out->proposal.block_hash.b, bytes + 65, 32);
    *leader = kl_span_of(bytes + VOTE_LEN, record->payload.len - VOTE_LEN);
    return true;
}

static bool parse_turn(const kl_record *record, kl_vote_subject *out)
{
    if (record->kind != RECORD_TURN || record->payload.len != TURN_LEN)
        return false;
    *out = (kl_vote_subject){.proposal = {.epoch = kl_load_be64(record->payload.p),
                                          .view = kl_load_be64(record->payload.p + 8)}};
    return true;
}

static kl_status index_record(struct kl_bft_log *log, const kl_record *record,
                              kl_bft_log_report *report)
{
    kl_certificate certificate;
    kl_hash hash;
    u64 epoch, view;
    kl_span body, leader = {NULL, 0};
    kl_vote_subject subject;
    KL_TRY(log_index_reserve(&log->index));
    if (parse_certificate(record, &certificate)) {
        log_index_certificate(&log->index, &certificate);
        report->certificates++;
    } else if (parse_body(record, &hash, &epoch, &view, &body)) {
        KL_TRY(log_index_body(&log->index, &hash, epoch, view));
        report->bodies++;
    } else if (parse_vote(record, &subject, &leader) || parse_turn(record, &subject)) {
        log_index_vote(&log->index, &subject, leader);
    } else {
        log_index_unread(&log->index);
        report->damaged = true;
    }
    return KL_OK;
}

static kl_status index_all(struct kl_bft_log *log, struct kl_arena *arena,
                           kl_bft_log_report *report)
{
    for (u64 seq = kl_seglog_first(log->log); seq < kl_seglog_end(log->log); seq++) {
        kl_seglog_report damage = {.damage = NULL};
        kl_record record;
        kl_arena_reset(arena, 1 << 20);
        kl_status status = kl_seglog_read(log->log, seq, arena, &record, &damage);
        if (status == KL_CORRUPT) {
            KL_TRY(log_index_reserve(&log->index));
            log_index_unread(&log->index);
            report->log = damage;
            report->damaged = true;
            continue;
        }
        KL_TRY(status);
        KL_TRY(index_record(log, &record, report));
    }
    return KL_OK;
}

static kl_status open_log(struct kl_bft_log *log, usize segment_bytes, kl_bft_log_report *report)
{
    KL_CLEANUP(named_done) struct named aside = {.suffix = SUFFIX_ASIDE};
    kl_seglog_config config = {.dir = FOLDER, .segment_bytes = segment_bytes};
    kl_seglog_report again;
    kl_status status = kl_seglog_open(&log->log, log->fs, &config, &report->log);
    if (status == KL_CORRUPT) {
        KL_TRY(set_aside(log->fs));
        status = kl_seglog_open(&log->log, log->fs, &config, &again);
    }
    KL_TRY(status);
    KL_TRY(look(log->fs, &aside));
    report->damaged = aside.count > 0;
    log_index_init(&log->index, kl_seglog_first(log->log));
    struct kl_arena arena;
    kl_arena_init(&arena, RECORD_MEMORY);
    status = index_all(log, &arena, report);
    kl_arena_done(&arena);
    return status;
}

kl_status kl_bft_log_open(struct kl_bft_log **out, struct kl_fs *fs, usize segment_bytes,
                          kl_bft_log_report *report)
{
    struct kl_bft_log *log = calloc(1, sizeof *log);
    if (!log)
        return KL_NOMEM;
    *report = (kl_bft_log_report){0};
    log->fs = fs;
    kl_mutex_init(&log->lock);
    kl_status status = open_log(log, segment_bytes, report);
    if (status != KL_OK) {
        kl_bft_log_close(log);
        return status;
    }
    *out = log;
    return KL_OK;
}

void kl_bft_log_close(struct kl_bft_log *log)
{
    if (!log)
        return;
    if (log->log)
        kl_seglog_close(log->log);
    log_index_done(&log->index);
    kl_mutex_done(&log->lock);
    free(log);
}

kl_status kl_bft_log_certificate(struct kl_bft_log *log, const kl_certificate *certificate)
{
    u64 seq;
    kl_lock(&log->lock);
    bool has = log_index_has(&log->index, &certificate->subject);
    kl_status status = has ? KL_OK : log_index_reserve(&log->index);
    kl_unlock(&log->lock);
    if (has || status != KL_OK)
        return status;
    kl_out out = kl_out_of(log->room, sizeof log->room);
    kl_certificate_encode(&out, certificate);
    kl_span part = kl_span_of(log->room, out.len);
    KL_TRY(kl_seglog_append(log->log, RECORD_CERTIFICATE, &part, 1, &seq));
    kl_lock(&log->lock);
    log_index_certificate(&log->index, certificate);
    kl_unlock(&log->lock);
    return KL_OK;
}

kl_status kl_bft_log_body(struct kl_bft_log *log, const kl_hash *hash, u64 epoch, u64 view,
                          kl_span body)
{
    u8 head[BODY_HEAD];
    u64 seq;
    if (kl_bft_log_has_body(log, hash))
        return KL_OK;
    kl_store_be64(head, epoch);
    kl_store_be64(head + 8, view);
    memcpy(head + 16, hash->b, sizeof hash->b);
    kl_span parts[] = {KL_SPAN_OF(head), body};
    kl_lock(&log->lock);
    kl_status status = log_index_reserve(&log->index);
    kl_unlock(&log->lock);
    KL_TRY(status);
    KL_TRY(kl_seglog_append(log->log, RECORD_BODY, parts, KL_COUNT_OF(parts), &seq));
    kl_lock(&log->lock);
    status = log_index_body(&log->index, hash, epoch, view);
    if (status != KL_OK)
        log_index_unread(&log->index);
    kl_unlock(&log->lock);
    return status;
}

/* A vote, or a turn, which is a subject of kind 0. */
static kl_status append_own(struct kl_bft_log *log, u8 kind, const kl_vote_subject *subject,
                            const kl_span parts[2])
{
    u64 seq;
    kl_lock(&log->lock);
    bool has = log_index_has_vote(&log->index, subject);
    kl_status status = has ? KL_OK : log_index_reserve(&log->index);
    kl_unlock(&log->lock);
    if (has || status != KL_OK)
        return status;
    KL_TRY(kl_seglog_append(log->log, kind, parts, parts[1].len ? 2 : 1, &seq));
    kl_lock(&log->lock);
    log_index_vote(&log->index, subject, parts[1]);
    kl_unlock(&log->lock);
    return KL_OK;
}

kl_status kl_bft_log_vote(struct kl_bft_log *log, const kl_vote_subject *subject, kl_span leader)
{
    u8 bytes[VOTE_LEN];
    put_vote(bytes, subject);
    const kl_span parts[2] = {KL_SPAN_OF(bytes), leader};
    return append_own(log, RECORD_VOTE, subject, parts);
}

kl_status kl_bft_log_turn(struct kl_bft_log *log, u64 epoch, u64 view)
{
    u8 bytes[TURN_LEN];
    kl_store_be64(bytes, epoch);
    kl_store_be64(bytes + 8, view);
    const kl_vote_subject turn = {.proposal = {.epoch = epoch, .view = view}};
    const kl_span parts[2] = {KL_SPAN_OF(bytes), {NULL, 0}};
    return append_own(log, RECORD_TURN, &turn, parts);
}

void kl_bft_log_votes(struct kl_bft_log *log,
                      void (*each)(void *ctx, const kl_vote_subject *subject, kl_span leader),
                      void *ctx)
{
    kl_lock(&log->lock);
    for (usize i = 0; i < log->index.vote_count; i++) {
        const log_vote *vote = &log->index.votes[i];
        if (vote->subject.kind)
            each(ctx, &vote->subject, kl_span_of(vote->leader, vote->leader_len));
    }
    kl_unlock(&log->lock);
}

void kl_bft_log_turns(struct kl_bft_log *log, void (*each)(void *ctx, u64 epoch, u64 view),
                      void *ctx)
{
    kl_lock(&log->lock);
    for (usize i = 0; i < log->index.vote_count; i++) {
        const kl_proposal *p = &log->index.votes[i].subject.proposal;
        if (!log->index.votes[i].subject.kind)
            each(ctx, p->epoch, p->view);
    }
    kl_unlock(&log->lock);
}

kl_status kl_bft_log_sync(struct kl_bft_log *log)
{
    KL_TRY(kl_seglog_write(log->log));
    return kl_seglog_sync_alone(log->log);
}

/* Goes on to the next certificate of the epoch: *skip ones of at->view were given.  While others
 * are appended one of that view may come twice or not at all. */
static bool next_certificate(struct kl_bft_log *log, log_certificate *at, usize *skip, u64 to)
{
    kl_lock(&log->lock);
    usize i = log_index_from(&log->index, at->epoch, at->view) + *skip;
    bool any = i < log->index.certificate_count;
    const log_certificate *next = any ? &log->index.certificates[i] : NULL;
    any = any && next->epoch == at->epoch && next->view <= to;
    if (any) {
        *skip = next->view == at->view ? *skip + 1 : 1;
        *at = *next;
    }
    kl_unlock(&log->lock);
    return any;
}

kl_status kl_bft_log_certificates(struct kl_bft_log *log, u64 epoch, u64 from, u64 to, usize most,
                                  bool (*each)(void *ctx, const kl_certificate *certificate),
                                  void *ctx)
{
    log_certificate at = {.epoch = epoch, .view = from};
    usize skip = 0;
    struct kl_arena arena;
    kl_status status = KL_OK;
    bool on = true;
    kl_arena_init(&arena, RECORD_MEMORY);
    while (status == KL_OK && on && most && next_certificate(log, &at, &skip, to)) {
        kl_record record;
        kl_certificate certificate;
        kl_arena_reset(&arena, 1 << 20);
        status = kl_seglog_read(log->log, at.seq, &arena, &record, NULL);
        if (status == KL_OK && parse_certificate(&record, &certificate)) {
            on = each(ctx, &certificate);
            most--;
        }
        if (status == KL_CORRUPT || status == KL_NOTFOUND)
            status = KL_OK; /* damaged since, or forgotten meanwhile: not here */
    }
    kl_arena_done(&arena);
    return status;
}

static bool seq_of_body(struct kl_bft_log *log, const kl_hash *hash, u64 *seq)
{
    kl_lock(&log->lock);
    const struct log_body *body = kl_map_get(&log->index.bodies, hash);
    if (body)
        *seq = body->seq;
    kl_unlock(&log->lock);
    return body;
}

kl_status kl_bft_log_find_body(struct kl_bft_log *log, const kl_hash *hash, struct kl_arena *arena,
                               kl_span *out)
{
    kl_record record;
    kl_hash found;
    u64 seq, epoch, view;
    kl_span body;
    if (!seq_of_body(log, hash, &seq))
        return KL_NOTFOUND;
    kl_status status = kl_seglog_read(log->log, seq, arena, &record, NULL);
    if (status == KL_CORRUPT)
        return KL_NOTFOUND;
    KL_TRY(status);
    if (!parse_body(&record, &found, &epoch, &view, &body) || !kl_hash_eq(&found, hash))
        return KL_NOTFOUND;
    *out = body;
    return KL_OK;
}

bool kl_bft_log_has_body(struct kl_bft_log *log, const kl_hash *hash)
{
    u64 seq;
    return seq_of_body(log, hash, &seq);
}

kl_status kl_bft_log_forget(struct kl_bft_log *log, u64 epoch, u64 view)
{
    kl_lock(&log->lock);
    u64 needed = log_index_needed(&log->index, epoch, view);
    kl_unlock(&log->lock);
    kl_seglog_prepare(log->log);
    if (kl_seglog_would_leave(log->log, needed) == kl_seglog_first(log->log))
        return KL_OK;
    KL_TRY(kl_seglog_drop(log->log, needed));
    kl_lock(&log->lock);
    log_index_drop(&log->index, kl_seglog_first(log->log));
    kl_unlock(&log->lock);
    return KL_OK;
}
