/* Everything that happens is an event for the engine, for the machine that fetches, or the end of a
 * job; each ends with replica_settle.  The engine is never called while it is being heard out:
 * answers that are known at once wait in a list. */
#include "host/replica.h"

#include <stdlib.h>

#include "base/rand.h"
#include "host/replica_priv.h"

#define EXEC_MEMORY    ((usize)4 << 30) /* address space; gas bounds what is touched */
#define JOURNAL_MEMORY ((usize)4 << 30)
#define RUN_MEMORY     ((usize)4 << 30)
#define LOG_SEGMENT    ((usize)16 << 20)
#define NS_PER_MS      1000000u

u64 replica_now(const struct kl_replica *r)
{
    return kl_mono_ns(r->config.clock);
}

u64 replica_random(struct kl_replica *r, u64 below)
{
    return kl_rand_below(&r->rng, below);
}

bool replica_grow(void **list, usize count, usize *cap, usize size)
{
    if (count < *cap)
        return true;
    usize more = *cap ? *cap * 2 : 16;
    void *grown = realloc(*list, more * size);
    if (!grown)
        return false;
    *list = grown;
    *cap = more;
    return true;
}

bool replica_certificate_copy(kl_certificate *out, u8 **signatures,
                              const kl_certificate *certificate)
{
    kl_span bytes = certificate->signatures;
    u8 *copy = malloc(bytes.len + 1);
    if (!copy)
        return false;
    if (bytes.len)
        memcpy(copy, bytes.p, bytes.len);
    *out = *certificate;
    out->signatures = kl_span_of(copy, bytes.len);
    *signatures = copy;
    return true;
}

/* --- jobs --- */

static void take_out(struct replica_work *work)
{
    struct kl_replica *r = work->replica;
    if (work->before)
        work->before->after = work->after;
    else
        r->works = work->after;
    if (work->after)
        work->after->before = work->before;
    r->work_count--;
}

static void work_done(struct kl_job *job)
{
    struct replica_work *work = (struct replica_work *)job;
    struct kl_replica *r = work->replica;
    take_out(work);
    work->finish(work);
    work->drop(work);
    replica_settle(r);
}

void replica_give(struct kl_replica *r, kl_lane lane, struct replica_work *work,
                  void (*run)(struct kl_job *job), void (*finish)(struct replica_work *work),
                  void (*drop)(struct replica_work *work))
{
    work->job = (struct kl_job){.run = run, .done = work_done};
    work->replica = r;
    work->finish = finish;
    work->drop = drop;
    work->before = NULL;
    work->after = r->works;
    if (r->works)
        r->works->before = work;
    r->works = work;
    r->work_count++;
    kl_jobs_give(r->config.jobs, lane, &work->job);
}

/* --- the engine's turn --- */

static void step(struct kl_replica *r, const kl_bft_event *event)
{
    r->stepping = true;
    r->effects.count = 0;
    kl_simplex_step(r->engine, event, replica_now(r), &r->effects);
    for (usize i = 0; i < r->effects.count; i++)
        replica_carry(r, &r->effects.list[i]);
    r->stepping = false;
    replica_barrier_begin(r);
}

static void wait_for_turn(struct kl_replica *r, const kl_bft_event *event)
{
    void *list = r->answers;
    bool room = replica_grow(&list, r->answer_count, &r->answer_cap, sizeof *r->answers);
    r->answers = list;
    if (!room) {
        replica_fail(r, KL_NOMEM, "out of memory");
        return;
    }
    struct replica_answer *answer = &r->answers[r->answer_count++];
    *answer = (struct replica_answer){.event = *event};
    if (event->proposal)
        answer->proposal = *event->proposal;
}

void replica_tell(struct kl_replica *r, const kl_bft_event *event)
{
    if (r->stepping) { /* answers name nothing but proposals */
        wait_for_turn(r, event);
        return;
    }
    step(r, event);
    for (usize i = 0; i < r->answer_count; i++) { /* more may come while they are told */
        struct replica_answer answer = r->answers[i];
        if (answer.event.proposal)
            answer.event.proposal = &answer.proposal;
        step(r, &answer.event);
    }
    r->answer_count = 0;
}

void replica_alarm(struct kl_replica *r, const char *what)
{
    struct kl_replica_watch *watch = r->config.watch;
    if (watch && watch->alarm)
        watch->alarm(watch, what);
}

void replica_signing(struct kl_replica *r)
{
    bool on = r->guard && !r->barred && !r->observing && !r->watching && !r->below_pin &&
              r->broken == KL_OK;
    if (r->signing == on)
        return;
    r->signing = on;
    if (r->started)
        replica_tell(r, &(kl_bft_event){.kind = KL_BFT_SIGNING, .on = on});
}

/* Whoever has only no room can be opened again, so what else fails behind that counts more. */
static bool stop(struct kl_replica *r, kl_status status)
{
    if (r->broken != KL_OK && (r->broken != KL_FULL || status == KL_FULL))
        return false;
    r->broken = status;
    replica_signing(r);
    return true;
}

void replica_fail(struct kl_replica *r, kl_status status, const char *what)
{
    if (stop(r, status))
        replica_alarm(r, what);
}

void kl_replica_halt(struct kl_replica *r)
{
    if (stop(r, KL_FULL))
        replica_settle(r);
}

static bool is_past(u64 epoch, u64 view, kl_guard_view other)
{
    return epoch > other.epoch || (epoch == other.epoch && view > other.view);
}

/* The log was damaged: what it lacks matters up to where we have voted. */
static void observe(struct kl_replica *r)
{
    kl_simplex_status status = kl_simplex_status_of(r->engine, replica_now(r));
    if (!is_past(status.final.epoch, status.final.view, r->observe_above))
        return;
    r->observing = false;
    replica_log_mend(r);
    replica_signing(r);
}

static void watch(struct kl_replica *r)
{
    const kl_consensus_header *head = &r->head->consensus;
    if (!r->has_watched && head->time_ms > r->watch_from_ms) {
        r->has_watched = true;
        r->watched = (kl_guard_view){head->epoch, head->view};
    }
    kl_guard_view next = {r->watched.epoch, r->watched.view + 1};
    if (!r->has_watched || !is_past(head->epoch, head->view, next))
        return;
    r->watching = false;
    if (r->doubted)
        replica_guard_trust(r);
    r->doubted = false;
    replica_signing(r);
}

void replica_settle(struct kl_replica *r)
{
    if (!r->started || r->stepping)
        return;
    if (r->observing)
        observe(r);
    if (r->watching)
        watch(r);
    replica_pending(r);
    replica_status(r);
}

/* --- opening --- */

static kl_status open_key(struct kl_replica *r, kl_replica_report *report)
{
    kl_guard_owner owner = {.domain = r->domain, .scheme = r->scheme};
    report->guard = KL_RULE_GUARD_MISSING;
    if (!r->config.key_fs)
        return KL_OK;
    if (!r->scheme->public_key(r->key, &r->config.vote_secret))
        return KL_DENIED;
    r->has_key = true;
    memcpy(owner.key, r->key, sizeof owner.key);
    KL_TRY(kl_guard_open(&r->guard, r->config.key_fs, &owner, &report->guard));
    r->barred = report->guard == KL_RULE_GUARD_USED;
    r->doubted = r->guard && kl_guard_is_doubted(r->guard);
    if (r->guard)
        r->signed_before = kl_guard_newest(r->guard);
    return KL_OK;
}

/* What lies in folders of its own, or of the key's. */
static kl_status open_beside(struct kl_replica *r, kl_replica_report *report)
{
    usize segment = KL_MIN(LOG_SEGMENT, r->config.chain.segment_bytes);
    report->beside = "consensus";
    KL_TRY(kl_bft_log_open(&r->log, r->config.log_fs, segment, &report->log));
    report->beside = "validator";
    KL_TRY(open_key(r, report));
    report->beside = NULL;
    return KL_OK;
}

static kl_status open_own(struct kl_replica *r, kl_replica_report *report)
{
    report->beside = KL_TX_JOURNAL;
    KL_TRY(replica_local_open(r));
    report->beside = NULL;
    return KL_OK;
}

static kl_status open_execution(struct kl_replica *r)
{
    const kl_exec_config exec = {
        .evm_memory_limit = EXEC_MEMORY,
        .journal_memory_limit = JOURNAL_MEMORY,
        .codes = r->config.codes,
        .seed = r->config.seed,
    };
    KL_TRY(kl_exec_new(&r->exec, &exec));
    KL_TRY(kl_run_new(&r->run, r->exec));
    KL_TRY(kl_pool_new(&r->pool, &r->config.pool));
    replica_pool_pass_time(r);
    r->head = kl_chain_head(r->chain);
    r->durable = kl_tip_ref(r->head);
    r->status_height = r->status_sent_height = r->first_height = r->head->header.number;
    return replica_pool_follow(r);
}

static kl_status open_engine(struct kl_replica *r)
{
    const kl_bft_spec *bft = &kl_chain_spec(r->chain)->bft;
    kl_simplex_config config = {
        .domain = r->domain,
        .validators_max = KL_VALIDATORS_MAX,
        .window = r->config.window,
        .block_period_ns = kl_mul_sat_u64(bft->block_period_ms, NS_PER_MS),
        .delta_ns = kl_mul_sat_u64(bft->delta_ms, NS_PER_MS),
        .retry_ns = kl_mul_sat_u64(bft->delta_ms, 2 * NS_PER_MS),
        .empty_period_ns = kl_mul_sat_u64(bft->empty_period_ms, NS_PER_MS),
        .signing = r->signing,
        .epoch = replica_epoch_of(r, r->head),
    };
    const kl_fetch_config fetch = {
        .domain = r->domain,
        .timeout_ns = kl_mul_sat_u64(config.delta_ns, 4),
        .rest_ns = kl_mul_sat_u64(config.delta_ns, 4),
    };
    usize bytes = (kl_simplex_footprint(&config) + 63) / 64 * 64;
    r->room = aligned_alloc(64, bytes);
    r->effects.cap = kl_simplex_effects_max(&config);
    r->effects.list = malloc(r->effects.cap * sizeof *r->effects.list);
    void *room = malloc(kl_fetch_footprint());
    if (room)
        r->fetch = kl_fetch_init(room, &fetch);
    if (!r->room || !r->effects.list || !r->fetch)
        return KL_NOMEM;
    r->epoch = kl_epoch_ref(r->head->epoch);
    r->self = config.epoch.self;
    r->epoch_asked = r->epoch_marked = r->epoch->number;
    r->engine = kl_simplex_init(r->room, &config);
    return KL_OK;
}

static kl_status open_all(struct kl_replica *r, struct kl_progress *progress,
                          kl_replica_report *report)
{
    KL_TRY(kl_chain_open(&r->chain, &r->config.chain, progress, &report->chain));
    const kl_spec *spec = kl_chain_spec(r->chain);
    r->scheme = kl_vote_scheme_of(spec->bft.scheme, r->config.chain.tests);
    if (spec->engine != KL_ENGINE_SIMPLEX || !r->scheme)
        return KL_UNSUPPORTED;
    r->domain = kl_chain_vote_domain(r->chain);
    KL_TRY(open_beside(r, report));
    KL_TRY(open_execution(r));
    KL_TRY(open_own(r, report));
    if (r->guard && report->log.damaged) {
        r->observing = true;
        r->observe_above = kl_guard_newest(r->guard);
    }
    r->watching = r->guard && (r->config.restored || r->doubted);
    r->below_pin = r->head->header.number < kl_chain_pin(r->chain)->number;
    r->watch_from_ms = kl_add_sat_u64(kl_wall_ns(r->config.clock), r->config.drift_ns) / NS_PER_MS;
    replica_signing(r);
    return open_engine(r);
}

kl_status kl_replica_open(struct kl_replica **out, const kl_replica_config *config,
                          struct kl_progress *progress, kl_replica_report *report)
{
    struct kl_replica *r = calloc(1, sizeof *r);
    if (!r)
        return KL_NOMEM;
    *report = (kl_replica_report){0};
    r->config = *config;
    r->rng = config->seed;
    r->engine_due_ns = r->fetch_due_ns = r->early_due_ns = r->status_due_ns = r->rebuilds.due_ns =
        NEVER;
    kl_map_init(&r->by_hash, offsetof(struct replica_candidate, hash), sizeof(kl_hash),
                config->seed);
    kl_map_init(&r->tips, 0, sizeof(kl_hash), config->seed);
    kl_arena_init(&r->peer_arena, RUN_MEMORY);
    replica_gossip_init(r);
    kl_arena_init(&r->run_arena, RUN_MEMORY);
    kl_buf_init(&r->frame, KL_MESSAGE_MAX);
    kl_status status = open_all(r, progress, report);
    if (status != KL_OK) {
        kl_replica_close(r);
        return status;
    }
    *out = r;
    return KL_OK;
}

void kl_replica_close(struct kl_replica *r)
{
    if (!r)
        return;
    while (r->works) {
        struct replica_work *work = r->works;
        take_out(work);
        work->drop(work);
    }
    replica_gossip_done(r);
    replica_compact_done(r);
    replica_local_done(r);
    replica_commits_done(r);
    replica_barrier_done(r);
    replica_candidates_done(r);
    replica_tips_done(r);
    kl_view_close(r->pool_view);
    kl_tip_unref(r->head);
    kl_tip_unref(r->durable);
    kl_tip_unref(r->syncing_head);
    kl_tip_unref(r->fetch_tip);
    kl_epoch_unref(r->epoch);
    kl_pool_free(r->pool);
    kl_run_free(r->run);
    kl_exec_free(r->exec);
    kl_guard_close(r->guard);
    kl_bft_log_close(r->log);
    kl_chain_close(r->chain);
    kl_buf_done(&r->frame);
    kl_arena_done(&r->peer_arena);
    kl_arena_done(&r->run_arena);
    free(r->fetch);
    free(r->room);
    free(r->effects.list);
    free(r->answers);
    kl_wipe(&r->config.vote_secret, sizeof r->config.vote_secret);
    kl_wipe(&r->config.randao_secret, sizeof r->config.randao_secret);
    kl_wipe(&r->config.operator_secret, sizeof r->config.operator_secret);
    free(r);
}

/* --- starting --- */

struct restoring {
    struct kl_replica *r;
    kl_proposal floor;
    bool is_older; /* a vote of ours is seen that the guard does not know */
    kl_status status;
};

struct knows {
    const kl_vote_subject *subject;
    bool found;
};

static void look_for(void *ctx, const kl_vote_subject *subject)
{
    struct knows *knows = ctx;
    knows->found |= kl_vote_subject_eq(subject, knows->subject);
}

/* In a turn that an earlier life had the vote may have left and its record be lost. */
static void look_for_turn(void *ctx, kl_guard_view view)
{
    struct knows *knows = ctx;
    const kl_proposal *p = &knows->subject->proposal;
    knows->found |=
        knows->subject->kind == KL_VOTE_NOTARIZE && p->epoch == view.epoch && p->view == view.view;
}

/* A guard that was restored from a copy may lack votes; where a certificate has our signature, it
 * shows.  Below its floor it remembers nothing. */
static bool guard_lacks(const struct kl_replica *r, const kl_certificate *certificate)
{
    const kl_proposal *p = &certificate->subject.proposal;
    if (!r->guard || r->self == KL_BFT_NOBODY ||
        !(certificate->signers[r->self / 8] >> r->self % 8 & 1))
        return false;
    kl_guard_view floor = kl_guard_floor(r->guard);
    if (p->epoch < floor.epoch || (p->epoch == floor.epoch && p->view < floor.view))
        return false;
    struct knows knows = {.subject = &certificate->subject};
    kl_guard_each(r->guard, look_for, &knows);
    kl_guard_each_turn(r->guard, look_for_turn, &knows);
    return !knows.found;
}

/* What the log says was about to be signed and the guard does not know: either the power went
 * before the guard had it, or the guard is an old copy.  It counts as signed. */
static void adopt(void *ctx, const kl_vote_subject *subject, KL_UNUSED kl_span leader)
{
    struct restoring *restoring = ctx;
    struct kl_replica *r = restoring->r;
    kl_rule broken;
    if (restoring->status != KL_OK)
        return;
    restoring->status = kl_guard_ask(r->guard, subject, &broken);
    restoring->is_older |= restoring->status == KL_OK && broken != KL_RULE_NONE &&
                           broken != KL_RULE_GUARD_FLOOR && broken != KL_RULE_GUARD_TURN;
}

static void adopt_turn(void *ctx, u64 epoch, u64 view)
{
    struct restoring *restoring = ctx;
    kl_rule ignored;
    if (restoring->status == KL_OK)
        restoring->status =
            kl_guard_reserve(restoring->r->guard, (kl_guard_view){epoch, view}, true, &ignored);
}

static bool restore_certificate(void *ctx, const kl_certificate *certificate)
{
    struct restoring *restoring = ctx;
    struct kl_replica *r = restoring->r;
    restoring->is_older |= guard_lacks(r, certificate);
    replica_tell(r,
                 &(kl_bft_event){.kind = KL_BFT_RESTORE_CERTIFICATE, .certificate = certificate});
    return true;
}

static void restore_vote(void *ctx, const kl_vote_subject *subject)
{
    struct restoring *restoring = ctx;
    struct kl_replica *r = restoring->r;
    const kl_proposal *p = &subject->proposal;
    kl_vote vote;
    if (p->epoch != r->epoch->number || p->view < restoring->floor.view || r->self == KL_BFT_NOBODY)
        return;
    kl_status status = kl_guard_sign(r->guard, &vote, subject, r->self, &r->config.vote_secret);
    if (status != KL_OK) {
        replica_fail(r, status, "the sign guard fails");
        return;
    }
    replica_tell(r, &(kl_bft_event){.kind = KL_BFT_RESTORE_VOTE, .vote = &vote});
}

static void restore_proposal(void *ctx, const kl_vote_subject *subject, kl_span leader)
{
    struct restoring *restoring = ctx;
    struct kl_replica *r = restoring->r;
    const kl_proposal *p = &subject->proposal;
    if (p->epoch != r->epoch->number || p->view < restoring->floor.view ||
        leader.len != r->scheme->signature_len)
        return;
    kl_vote vote = {.subject = *subject,
                    .signer = kl_valset_leader(&r->epoch->set, p->epoch, p->view)};
    memcpy(vote.signature, leader.p, leader.len);
    replica_tell(r, &(kl_bft_event){.kind = KL_BFT_RESTORE_PROPOSAL, .vote = &vote});
}

static void restore_turn(void *ctx, kl_guard_view view)
{
    struct restoring *restoring = ctx;
    replica_tell(
        restoring->r,
        &(kl_bft_event){.kind = KL_BFT_RESTORE_TURN, .epoch = view.epoch, .view = view.view});
}

/* What the guard knows, and the log of what it knows. */
static void restore_votes(struct restoring *restoring)
{
    struct kl_replica *r = restoring->r;
    kl_guard_each(r->guard, restore_vote, restoring);
    kl_bft_log_votes(r->log, restore_proposal, restoring);
    kl_guard_each_turn(r->guard, restore_turn, restoring);
}

void kl_replica_start(struct kl_replica *r)
{
    struct restoring restoring = {.r = r, .floor = kl_tip_floor(r->head)};
    if (r->guard) {
        kl_bft_log_turns(r->log, adopt_turn,
                         &restoring); /* first: a vote in one may be a refused one */
        kl_bft_log_votes(r->log, adopt, &restoring);
        if (restoring.status == KL_OK)
            restoring.status = kl_guard_sync(r->guard);
        if (restoring.status != KL_OK)
            replica_fail(r, restoring.status, "the sign guard fails");
        r->signed_before = kl_guard_newest(r->guard);
    }
    kl_status status =
        kl_bft_log_certificates(r->log, r->epoch->number, restoring.floor.view, UINT64_MAX,
                                SIZE_MAX, restore_certificate, &restoring);
    if (status != KL_OK)
        replica_fail(r, status, "the consensus log fails");
    if (r->guard && r->broken == KL_OK)
        restore_votes(&restoring);
    if (restoring.is_older) {
        r->watching = true;
        replica_signing(r);
        replica_alarm(r, "the sign guard is older than the network: observing");
    }
    r->started = true;
    replica_stall_begin(r);
    /* The engine began with whether there is a guard; what was found since, it hears before it
     * could sign anything. */
    if (!r->signing)
        replica_tell(r, &(kl_bft_event){.kind = KL_BFT_SIGNING, .on = false});
    replica_tell(r, &(kl_bft_event){.kind = KL_BFT_START});
    replica_fetch_head(r);
    replica_local_start(r);
    replica_settle(r);
}

/* --- time, and what others ask --- */

u64 kl_replica_due_ns(const struct kl_replica *r)
{
    u64 due_ns = KL_MIN(r->engine_due_ns, r->fetch_due_ns);
    due_ns = KL_MIN(due_ns, KL_MIN(r->early_due_ns, r->status_due_ns));
    due_ns = KL_MIN(due_ns, KL_MIN(r->gossip_due_ns, replica_local_due_ns(r)));
    due_ns = KL_MIN(due_ns, r->rebuilds.due_ns);
    return r->started ? KL_MIN(due_ns, r->stall.due_ns) : due_ns;
}

void kl_replica_tick(struct kl_replica *r)
{
    u64 now_ns = replica_now(r);
    if (r->engine_due_ns <= now_ns) {
        r->engine_due_ns = NEVER;
        replica_tell(r, &(kl_bft_event){.kind = KL_BFT_TIMER, .peer = KL_BFT_NO_PEER});
    }
    if (r->fetch_due_ns <= now_ns) {
        r->fetch_due_ns = NEVER;
        replica_fetch(r, &(kl_fetch_event){.kind = KL_FETCH_TIMER});
    }
    if (r->early_due_ns <= now_ns)
        replica_early(r);
    if (r->gossip_due_ns <= now_ns)
        replica_gossip_due(r);
    if (r->rebuilds.due_ns <= now_ns)
        replica_compact_due(r);
    if (r->pool_time_ns <= now_ns)
        replica_pool_pass_time(r);
    if (replica_local_due_ns(r) <= now_ns)
        replica_local_tick(r);
    if (r->started && r->stall.due_ns <= now_ns)
        replica_stall_look(r);
    replica_settle(r);
}

struct kl_chain *kl_replica_chain(struct kl_replica *r)
{
    return r->chain;
}

struct kl_pool *kl_replica_pool(struct kl_replica *r)
{
    return r->pool;
}

kl_status kl_replica_health(const struct kl_replica *r)
{
    return r->broken;
}

kl_simplex_status kl_replica_consensus(const struct kl_replica *r)
{
    return kl_simplex_status_of(r->engine, replica_now(r));
}

kl_replica_compacts kl_replica_compacts_of(const struct kl_replica *r)
{
    return r->rebuilds.done;
}

kl_replica_load kl_replica_load_of(const struct kl_replica *r)
{
    kl_replica_load load = {.candidates = r->candidate_count,
                            .jobs = r->work_count,
                            .baseless_builds = r->baseless_builds};
    for (const struct replica_candidate *c = r->candidates; c; c = c->next)
        load.candidate_bytes += c->body ? c->body->len : 0;
    return load;
}
