/* The durability barrier [DESIGN 7]: what justifies a vote goes to the consensus log, the vote's
 * own record to the sign guard, both at once, each in batches: all that one step of the engine asks
 * for, and what comes while a batch is written makes the next.  Both lanes keep their order, so a
 * barrier's end is the end of all before it.
 *
 * The log gets the vote too, in the same batch, and the signature is told when both have it: a
 * guard that comes back from an old copy is made whole from the log.  So is a turn that is taken;
 * a vote in it is signed and told as soon as the guard has written it down, and synced behind that
 * [docs/adr/0011]. */
#include <stdlib.h>

#include "host/replica_priv.h"

enum { GATHER_MAX = 64 }; /* certificates that wait for a barrier */

static void embedded_drop(struct replica_work *work)
{
    (void)work; /* the replica's own */
}

/* --- the consensus log --- */

static void clear_records(struct replica_record *list, usize *count)
{
    for (usize i = 0; i < *count; i++) {
        free(list[i].signatures);
        replica_body_unref(list[i].body);
    }
    *count = 0;
}

static kl_status write_batch(struct kl_replica *r, const struct replica_log *log)
{
    for (usize i = 0; i < log->batch_count; i++) {
        const struct replica_record *record = &log->batch[i];
        if (record->is_vote)
            KL_TRY(kl_bft_log_vote(r->log, &record->certificate.subject,
                                   kl_span_of(record->leader, record->leader_len)));
        else if (record->is_turn)
            KL_TRY(kl_bft_log_turn(r->log, record->epoch, record->view));
        else if (record->body)
            KL_TRY(kl_bft_log_body(r->log, &record->body->hash, record->epoch, record->view,
                                   kl_span_of(record->body->bytes, record->body->len)));
        else
            KL_TRY(kl_bft_log_certificate(r->log, &record->certificate));
    }
    if (log->batch_token || log->batch_mark || log->batch_votes)
        KL_TRY(kl_bft_log_sync(r->log));
    if (log->mend)
        KL_TRY(kl_bft_log_mended(r->log));
    return log->forget ? kl_bft_log_forget(r->log, log->floor.epoch, log->floor.view) : KL_OK;
}

static void log_run(struct kl_job *job)
{
    struct kl_replica *r = ((struct replica_work *)job)->replica;
    r->to_log.status = write_batch(r, &r->to_log);
}

static void begin_log(struct kl_replica *r);
static void tell_waiting(struct kl_replica *r);

static void log_finish(struct replica_work *work)
{
    struct kl_replica *r = work->replica;
    struct replica_log *log = &r->to_log;
    u64 token = log->batch_token;
    u64 mark = log->batch_mark;
    log->busy = log->forget = log->mend = false;
    log->batch_token = log->batch_mark = 0;
    clear_records(log->batch, &log->batch_count);
    if (log->status != KL_OK) {
        replica_fail(r, log->status, "the consensus log fails");
        return;
    }
    log->done = log->given;
    begin_log(r);
    tell_waiting(r);
    if (token) {
        r->token_done = token;
        replica_tell(
            r, &(kl_bft_event){.kind = KL_BFT_PERSISTED, .peer = KL_BFT_NO_PEER, .token = token});
        replica_show(r);
    }
    if (mark) {
        r->epoch_marked = mark;
        replica_epoch_due(r);
    }
}

/* Gives the next batch; with `due` also when it has no records. */
static void give_log(struct kl_replica *r, bool due)
{
    struct replica_log *log = &r->to_log;
    if (log->busy || r->broken != KL_OK ||
        !(due || log->next_token || log->next_mark || log->next_votes ||
          log->next_count >= GATHER_MAX))
        return;
    struct replica_record *list = log->batch;
    usize cap = log->batch_cap;
    log->batch = log->next;
    log->batch_count = log->next_count;
    log->batch_cap = log->next_cap;
    log->batch_token = log->next_token;
    log->batch_mark = log->next_mark;
    log->batch_votes = log->next_votes;
    log->given++;
    log->next = list;
    log->next_cap = cap;
    log->next_count = 0;
    log->next_token = log->next_mark = 0;
    log->next_votes = false;
    log->busy = true;
    replica_give(r, KL_LANE_LOG, &log->work, log_run, log_finish, embedded_drop);
}

static void begin_log(struct kl_replica *r)
{
    give_log(r, false);
}

static struct replica_record *record_room(struct kl_replica *r)
{
    struct replica_log *log = &r->to_log;
    void *list = log->next;
    bool room = replica_grow(&list, log->next_count, &log->next_cap, sizeof *log->next);
    log->next = list;
    if (!room)
        replica_fail(r, KL_NOMEM, "out of memory");
    return room && r->broken == KL_OK ? &log->next[log->next_count] : NULL;
}

void replica_persist(struct kl_replica *r, const kl_certificate *certificate)
{
    struct replica_record *record = record_room(r);
    if (!record)
        return;
    *record = (struct replica_record){0};
    if (!replica_certificate_copy(&record->certificate, &record->signatures, certificate)) {
        replica_fail(r, KL_NOMEM, "out of memory");
        return;
    }
    r->to_log.next_count++; /* a barrier takes it along, or others of its kind */
}

void replica_barrier(struct kl_replica *r, u64 token, const kl_proposal *with_body)
{
    if (with_body) {
        const struct replica_candidate *c = replica_candidate_of(r, &with_body->block_hash);
        bool in_log = kl_bft_log_has_body(r->log, &with_body->block_hash);
        struct replica_record *record = in_log ? NULL : record_room(r);
        bool is_final = with_body->height <= r->head->header.number;
        KL_ASSERT(in_log || is_final || (c && c->body)); /* it was executed here */
        if (record && c && c->body) {
            *record = (struct replica_record){.body = replica_body_ref(c->body),
                                              .epoch = with_body->epoch,
                                              .view = with_body->view};
            r->to_log.next_count++;
        }
    }
    r->to_log.next_token = token;
}

void replica_log_mark(struct kl_replica *r, u64 epoch)
{
    r->to_log.next_mark = epoch;
    begin_log(r);
}

void replica_log_forget(struct kl_replica *r, kl_guard_view floor)
{
    if (r->to_log.busy)
        return; /* a later floor forgets more */
    r->to_log.forget = true;
    r->to_log.floor = floor;
    give_log(r, true);
}

void replica_log_mend(struct kl_replica *r)
{
    if (r->to_log.busy)
        return; /* at the next start it is damaged still, and watches again */
    r->to_log.mend = true;
    give_log(r, true);
}

/* --- the sign guard --- */

static kl_status ask_all(struct kl_replica *r, struct replica_guard *guard)
{
    if (guard->raise)
        kl_guard_raise(r->guard, guard->floor);
    if (guard->bar)
        KL_TRY(kl_guard_bar(r->guard));
    if (guard->trust)
        KL_TRY(kl_guard_trust(r->guard));
    for (usize i = 0; i < guard->batch_count; i++) {
        struct replica_ask *ask = &guard->batch[i];
        const kl_proposal *p = &ask->subject.proposal;
        const kl_guard_view view = {p->epoch, p->view};
        KL_TRY(ask->is_turn ? kl_guard_reserve(r->guard, view, false, &ask->broken)
                            : kl_guard_ask(r->guard, &ask->subject, &ask->broken));
    }
    return KL_OK;
}

static kl_status sign(struct kl_replica *r, struct replica_ask *ask)
{
    if (ask->is_turn || ask->broken != KL_RULE_NONE)
        return KL_OK;
    return kl_guard_sign(r->guard, &ask->vote, &ask->subject, ask->signer, &r->config.vote_secret);
}

/* The one of a batch that does not wait for its sync, or NULL: a leader has one vote at a time. */
static struct replica_ask *hurried(const struct replica_guard *guard)
{
    for (usize i = 0; i < guard->batch_count; i++)
        if (guard->batch[i].in_turn)
            return &guard->batch[i];
    return NULL;
}

static kl_status guard_batch(struct kl_replica *r, struct replica_guard *guard)
{
    struct replica_ask *first = guard->asked ? NULL : hurried(guard);
    if (!guard->asked)
        KL_TRY(ask_all(r, guard));
    if (first)
        return sign(r, first); /* the rest with the next job */
    KL_TRY(kl_guard_sync(r->guard));
    for (usize i = 0; i < guard->batch_count; i++)
        KL_TRY(sign(r, &guard->batch[i]));
    return KL_OK;
}

static void guard_run(struct kl_job *job)
{
    struct kl_replica *r = ((struct replica_work *)job)->replica;
    r->to_guard.status = guard_batch(r, &r->to_guard);
}

static void begin_guard(struct kl_replica *r);

static void tell_signed(struct kl_replica *r, const struct replica_ask *ask)
{
    struct kl_replica_watch *watch = r->config.watch;
    bool is_signed = ask->broken == KL_RULE_NONE;
    if (ask->is_turn) {
        if (is_signed)
            replica_tell(r, &(kl_bft_event){.kind = KL_BFT_RESERVED,
                                            .peer = KL_BFT_NO_PEER,
                                            .epoch = ask->subject.proposal.epoch,
                                            .view = ask->subject.proposal.view});
        return;
    }
    if (is_signed && watch && watch->signs)
        watch->signs(watch, &ask->vote);
    replica_tell(r, &(kl_bft_event){.kind = is_signed ? KL_BFT_SIGNED : KL_BFT_SIGN_REFUSED,
                                    .peer = KL_BFT_NO_PEER,
                                    .vote = &ask->vote,
                                    .subject = &ask->subject});
}

/* Signatures whose votes the log holds, durable. */
static void tell_waiting(struct kl_replica *r)
{
    struct replica_guard *guard = &r->to_guard;
    while (guard->waiting_count && guard->waiting[0].log_batch <= r->to_log.done &&
           r->broken == KL_OK) {
        struct replica_ask ask = guard->waiting[0];
        memmove(&guard->waiting[0], &guard->waiting[1],
                --guard->waiting_count * sizeof guard->waiting[0]);
        tell_signed(r, &ask);
    }
}

static void guard_finish(struct replica_work *work);

/* The batch is written down; its hurried vote is told while the rest is synced. */
static void guard_go_on(struct kl_replica *r, struct replica_ask *first)
{
    struct replica_guard *guard = &r->to_guard;
    struct replica_ask ask = *first;
    usize behind = (usize)(&guard->batch[guard->batch_count] - (first + 1));
    memmove(first, first + 1, behind * sizeof *first);
    guard->batch_count--;
    guard->asked = true;
    replica_give(r, KL_LANE_GUARD, &guard->work, guard_run, guard_finish, embedded_drop);
    tell_signed(r, &ask);
}

static void guard_finish(struct replica_work *work)
{
    struct kl_replica *r = work->replica;
    struct replica_guard *guard = &r->to_guard;
    struct replica_ask *first = guard->asked ? NULL : hurried(guard);
    guard->raise = false;
    if (guard->status != KL_OK)
        replica_fail(r, guard->status, "the sign guard fails");
    if (first && r->broken == KL_OK) {
        guard_go_on(r, first);
        return;
    }
    for (usize i = 0; i < guard->batch_count && r->broken == KL_OK; i++) {
        void *list = guard->waiting;
        bool room =
            replica_grow(&list, guard->waiting_count, &guard->waiting_cap, sizeof *guard->waiting);
        guard->waiting = list;
        if (room)
            guard->waiting[guard->waiting_count++] = guard->batch[i];
        else
            replica_fail(r, KL_NOMEM, "out of memory");
    }
    guard->batch_count = 0;
    tell_waiting(r); /* what is asked for meanwhile makes the next batch */
    guard->busy = false;
    begin_guard(r);
}

static void begin_guard(struct kl_replica *r)
{
    struct replica_guard *guard = &r->to_guard;
    if (guard->busy || r->broken != KL_OK || !r->guard ||
        !(guard->next_count || guard->raise || guard->bar_due || guard->trust_due))
        return;
    struct replica_ask *list = guard->batch;
    usize cap = guard->batch_cap;
    guard->batch = guard->next;
    guard->batch_count = guard->next_count;
    guard->batch_cap = guard->next_cap;
    guard->next = list;
    guard->next_cap = cap;
    guard->next_count = 0;
    guard->bar = guard->bar_due;
    guard->trust = guard->trust_due;
    guard->bar_due = guard->trust_due = guard->asked = false;
    guard->busy = true;
    replica_give(r, KL_LANE_GUARD, &guard->work, guard_run, guard_finish, embedded_drop);
}

/* Both are written down in the next batches of guard and log. */
static void write_down(struct kl_replica *r, const struct replica_ask *ask,
                       const struct replica_record *wanted)
{
    struct replica_guard *guard = &r->to_guard;
    if (!r->guard || r->broken != KL_OK)
        return;
    void *list = guard->next;
    bool room = replica_grow(&list, guard->next_count, &guard->next_cap, sizeof *guard->next);
    guard->next = list;
    if (!room) {
        replica_fail(r, KL_NOMEM, "out of memory");
        return;
    }
    struct replica_record *record = record_room(r);
    if (!record)
        return;
    *record = *wanted;
    r->to_log.next_count++;
    r->to_log.next_votes = true;
    guard->next[guard->next_count] = *ask;
    guard->next[guard->next_count].log_batch = r->to_log.given + 1;
    guard->next_count++;
}

void replica_sign(struct kl_replica *r, const kl_bft_effect *effect)
{
    const struct replica_ask ask = {
        .subject = effect->subject, .in_turn = effect->in_turn, .signer = r->self};
    struct replica_record record = {.is_vote = true, .certificate = {.subject = effect->subject}};
    if (effect->vote) {
        record.leader_len = (u8)r->scheme->signature_len;
        memcpy(record.leader, effect->vote->signature, record.leader_len);
    }
    write_down(r, &ask, &record);
}

void replica_reserve(struct kl_replica *r, u64 epoch, u64 view)
{
    const struct replica_ask ask = {.is_turn = true,
                                    .subject.proposal = {.epoch = epoch, .view = view}};
    write_down(r, &ask, &(struct replica_record){.is_turn = true, .epoch = epoch, .view = view});
}

void replica_barrier_begin(struct kl_replica *r)
{
    begin_log(r);
    begin_guard(r);
}

void replica_guard_raise(struct kl_replica *r, kl_guard_view floor)
{
    if (!r->guard || r->to_guard.busy)
        return; /* a later floor raises it further */
    r->to_guard.raise = true;
    r->to_guard.floor = floor;
    begin_guard(r);
}

void replica_guard_bar(struct kl_replica *r)
{
    r->to_guard.bar_due = true;
    begin_guard(r);
}

void replica_guard_trust(struct kl_replica *r)
{
    r->to_guard.trust_due = true;
    begin_guard(r);
}

void replica_barrier_done(struct kl_replica *r)
{
    clear_records(r->to_log.batch, &r->to_log.batch_count);
    clear_records(r->to_log.next, &r->to_log.next_count);
    free(r->to_log.batch);
    free(r->to_log.next);
    free(r->to_guard.batch);
    free(r->to_guard.next);
    free(r->to_guard.waiting);
}
