/* Everything slow is a job of the execution lane, one behind the other; the machines hear what came
 * of it on the filler's thread.  While records are being taken the fetch machine looks at no
 * answer, so that the validators it was shown may change under it. */
#include "host/filler.h"

#include <stdlib.h>

#include "chain/fill.h"
#include "host/replica_priv.h"
#include "sync/statesync.h"

#define SCRATCH    ((usize)1 << 30) /* address space; messages bound what is touched */
#define KEEP_BYTES ((usize)1 << 20)
#define BATCH      ((usize)8 << 20) /* of the state, between two commits */
#define NS_PER_MS  1000000u

typedef enum fill_kind { TAKE, LAY, LOOK, KEEP, END } fill_kind;

struct fill_work {
    struct kl_job job;
    struct kl_filler *filler;
    struct fill_work *before, *after;
    fill_kind kind;
    struct kl_arena arena; /* what of the message is needed */
    u8 note[KL_STATESYNC_NOTE_MAX];
    usize note_len;
    kl_message message;      /* of TAKE: blocks; of LAY: leaves or body */
    usize count;             /* of TAKE */
    u32 peer, life;          /* that gave it, see struct peer */
    kl_statesync_effect lay; /* of LAY */
    kl_hash first, last;     /* of LOOK */
    kl_statesync_want wants[KL_STATESYNC_WANTS];
    usize want_count;
    /* What came of it. */
    kl_status status;
    kl_rule broken;
    bool good;
};

struct peer {
    u32 life;   /* so many have left this place */
    bool known; /* its height */
    u64 height;
};

struct kl_filler {
    kl_filler_config config;
    struct kl_fill *fill;
    const kl_vote_scheme *scheme;
    kl_vote_domain domain;
    u64 timeout_ns;
    kl_filler_phase phase;
    kl_status broken;
    struct peer peers[KL_REPLICA_PEERS_MAX];
    struct kl_fetch *fetch;
    struct kl_statesync *sync;
    u8 note[KL_STATESYNC_NOTE_MAX]; /* of the life before */
    usize note_len;
    u64 fetch_due_ns, sync_due_ns;
    u64 moved_ns; /* the newest progress */
    u64 first, height;
    u64 began_ns, began_height; /* of the phase */
    u64 records_ns, state_ns;   /* of those that are over */
    u64 leaves;                 /* of states that are over */
    u32 began_ppm;
    bool stale, off_pin;
    struct fill_work *works; /* all that are out */
    struct kl_arena arena;   /* of one message */
    struct kl_buf frame;
};

static void fetch(struct kl_filler *f, const kl_fetch_event *event);
static void sync_step(struct kl_filler *f, const kl_statesync_event *event);
static void settle(struct kl_filler *f);

static u64 now_of(const struct kl_filler *f)
{
    return kl_mono_ns(f->config.clock);
}

static void fail(struct kl_filler *f, kl_status status)
{
    f->broken = status;
    f->phase = KL_FILLER_BROKEN;
}

static void send(struct kl_filler *f, u32 peer, const kl_message *message)
{
    kl_buf_clear(&f->frame);
    kl_message_encode(&f->frame, message, f->scheme);
    if (!f->frame.failed)
        f->config.net->send(f->config.net, peer, message->kind, kl_buf_view(&f->frame));
}

/* --- the lane --- */

static kl_status take_all(struct kl_fill *fill, struct fill_work *w)
{
    for (usize i = 0; i < w->count && w->broken == KL_RULE_NONE; i++)
        KL_TRY(kl_fill_take(fill, w->message.blocks[i].body, w->message.blocks[i].finalization,
                            &w->broken));
    return kl_fill_keep(fill, KL_SPAN_NONE);
}

static kl_status lay(struct kl_fill *fill, struct fill_work *w)
{
    struct kl_state_filler *state = kl_fill_state(fill);
    const kl_statesync_effect *e = &w->lay;
    if (e->kind == KL_STATESYNC_LAY_CODE)
        KL_TRY(kl_state_fill_code(state, &e->owner, w->message.body));
    else
        KL_TRY(kl_state_fill_range(state, e->has_owner ? &e->owner : NULL, &e->first, &e->last,
                                   w->message.leaves, e->count));
    if (kl_state_fill_waiting(state) < BATCH)
        return KL_OK;
    return kl_fill_keep(fill, kl_span_of(w->note, w->note_len));
}

static kl_status look(struct kl_fill *fill, struct fill_work *w)
{
    kl_hash from = w->first;
    do {
        kl_state_want want;
        bool found;
        memset(&w->last, 0xff, sizeof w->last);
        KL_TRY(kl_state_fill_next(kl_fill_state(fill), &from, &w->last, &found, &want));
        if (!found)
            return KL_OK;
        w->wants[w->want_count++] = (kl_statesync_want){.account = want.account,
                                                        .storage_root = want.storage_root,
                                                        .code_hash = want.code_hash,
                                                        .storage = want.storage,
                                                        .code = want.code};
        from = w->last = want.account;
    } while (kl_hash_next(&from) && w->want_count < KL_STATESYNC_WANTS);
    return KL_OK;
}

static void work_run(struct kl_job *job)
{
    struct fill_work *w = (struct fill_work *)job;
    struct kl_fill *fill = w->filler->fill;
    switch (w->kind) {
    case TAKE:
        w->status = take_all(fill, w);
        break;
    case LAY:
        w->status = lay(fill, w);
        break;
    case LOOK:
        w->status = look(fill, w);
        break;
    case KEEP:
        w->status = kl_fill_keep(fill, KL_SPAN_NONE);
        break;
    case END:
        w->status = kl_fill_end(fill, &w->good);
        break;
    }
}

static void drop(struct fill_work *w)
{
    struct kl_filler *f = w->filler;
    if (w->before)
        w->before->after = w->after;
    else
        f->works = w->after;
    if (w->after)
        w->after->before = w->before;
    kl_arena_done(&w->arena);
    free(w);
}

/* --- the filler's thread --- */

/* A phase is over, by another one or the same at a later block. */
static void leave(struct kl_filler *f)
{
    u64 passed_ns = now_of(f) - f->began_ns;
    if (f->phase == KL_FILLER_RECORDS) {
        f->records_ns += passed_ns;
    } else if (f->phase == KL_FILLER_STATE) {
        f->state_ns += passed_ns;
        f->leaves += kl_statesync_progress_of(f->sync).leaves;
    }
}

static void enter(struct kl_filler *f, kl_filler_phase phase)
{
    leave(f);
    f->phase = phase;
    f->began_ns = now_of(f);
    f->began_height = f->height;
    f->began_ppm = 0;
    f->stale = false;
}

static void tell_head(struct kl_filler *f)
{
    kl_fill_head at;
    kl_fill_head_of(f->fill, &at);
    f->height = at.height;
    const kl_fetch_head head = {.height = at.height,
                                .hash = at.hash,
                                .epoch = at.epoch->number,
                                .last_height = at.epoch->last_height,
                                .set = &at.epoch->set};
    fetch(f, &(kl_fetch_event){.kind = KL_FETCH_HEAD, .head = &head});
}

static void enter_records(struct kl_filler *f)
{
    const kl_fetch_config config = {.domain = f->domain,
                                    .timeout_ns = f->timeout_ns,
                                    .rest_ns = f->timeout_ns,
                                    .records = true};
    enter(f, KL_FILLER_RECORDS);
    f->fetch = kl_fetch_init(f->fetch, &config);
    f->fetch_due_ns = NEVER;
    tell_head(f);
    for (u32 i = 0; i < KL_REPLICA_PEERS_MAX; i++)
        if (f->peers[i].known)
            fetch(f, &(kl_fetch_event){
                         .kind = KL_FETCH_HEIGHT, .peer = i, .height = f->peers[i].height});
}

static void enter_state(struct kl_filler *f)
{
    kl_fill_head at;
    const kl_statesync_config config = {.timeout_ns = f->timeout_ns, .rest_ns = f->timeout_ns};
    kl_fill_head_of(f->fill, &at);
    enter(f, KL_FILLER_STATE);
    f->sync = kl_statesync_init(f->sync, &config);
    f->sync_due_ns = NEVER;
    for (u32 i = 0; i < KL_REPLICA_PEERS_MAX; i++)
        if (f->peers[i].known)
            sync_step(f, &(kl_statesync_event){
                             .kind = KL_STATESYNC_HEIGHT, .peer = i, .height = f->peers[i].height});
    sync_step(f, &(kl_statesync_event){.kind = KL_STATESYNC_BEGIN,
                                       .height = at.height,
                                       .root = at.state_root,
                                       .note = kl_span_of(f->note, f->note_len)});
    f->began_ppm = kl_statesync_progress_of(f->sync).ppm;
    f->note_len = 0;
}

static void taken(struct kl_filler *f, const struct fill_work *w)
{
    if (w->broken == KL_RULE_PIN_BLOCK) {
        f->off_pin = true;
        fail(f, KL_UNSUPPORTED);
    } else if (w->broken != KL_RULE_NONE) {
        /* The block is final, and binds all that is in its record: whoever gave it has changed it.
         * What stood before it is taken. */
        if (f->peers[w->peer].life == w->life)
            f->config.net->penalize(f->config.net, w->peer, w->broken);
        fetch(f, &(kl_fetch_event){.kind = KL_FETCH_FAILED, .rule = w->broken});
    }
    tell_head(f);
}

static void ended(struct kl_filler *f, const struct fill_work *w)
{
    if (w->good)
        enter(f, KL_FILLER_WHOLE);
    else
        enter_state(f); /* everything was proven: only the disk can have lied */
}

static void work_done(struct kl_job *job)
{
    struct fill_work *w = (struct fill_work *)job;
    struct kl_filler *f = w->filler;
    if (w->kind == TAKE || w->kind == LAY)
        f->moved_ns = now_of(f);
    if (w->status != KL_OK)
        fail(f, w->status);
    else
        switch (w->kind) {
        case TAKE:
            taken(f, w);
            break;
        case LAY:
            sync_step(f, &(kl_statesync_event){.kind = KL_STATESYNC_LAID, .task = w->lay.task});
            break;
        case LOOK:
            sync_step(f, &(kl_statesync_event){.kind = KL_STATESYNC_FOUND,
                                               .wants = w->wants,
                                               .want_count = w->want_count,
                                               .last = w->last});
            break;
        case KEEP:
            enter_records(f);
            break;
        case END:
            ended(f, w);
            break;
        }
    drop(w);
    settle(f);
}

static struct fill_work *new_work(struct kl_filler *f, fill_kind kind)
{
    struct fill_work *w = f->broken == KL_OK ? calloc(1, sizeof *w) : NULL;
    if (!w) {
        fail(f, f->broken == KL_OK ? KL_NOMEM : f->broken);
        return NULL;
    }
    w->filler = f;
    w->kind = kind;
    w->job = (struct kl_job){.run = work_run, .done = work_done};
    kl_arena_init(&w->arena, SCRATCH);
    w->after = f->works;
    if (f->works)
        f->works->before = w;
    f->works = w;
    return w;
}

static void give(struct kl_filler *f, struct fill_work *w)
{
    kl_jobs_give(f->config.jobs, KL_LANE_EXECUTION, &w->job);
}

static bool copy_blocks(struct fill_work *w, const kl_message *m)
{
    kl_message_block *blocks = KL_TAKE(&w->arena, kl_message_block, w->count);
    if (!blocks)
        return false;
    for (usize i = 0; i < w->count; i++) {
        blocks[i].body = kl_arena_copy(&w->arena, m->blocks[i].body);
        blocks[i].finalization = kl_arena_copy(&w->arena, m->blocks[i].finalization);
        if (!blocks[i].body.p || (m->blocks[i].finalization.len && !blocks[i].finalization.p))
            return false;
    }
    w->message.blocks = blocks;
    return true;
}

static bool copy_leaves(struct fill_work *w, const kl_message *m)
{
    kl_trie_change *leaves = KL_TAKE(&w->arena, kl_trie_change, w->lay.count + 1);
    if (!leaves)
        return false;
    for (usize i = 0; i < w->lay.count; i++) {
        leaves[i] =
            (kl_trie_change){m->leaves[i].key, kl_arena_copy(&w->arena, m->leaves[i].value)};
        if (!leaves[i].value.p)
            return false;
    }
    w->message.leaves = leaves;
    return true;
}

static void give_take(struct kl_filler *f, const kl_message *m, u32 peer, usize count)
{
    struct fill_work *w = new_work(f, TAKE);
    if (!w)
        return;
    w->count = count;
    w->peer = peer;
    w->life = f->peers[peer].life;
    if (copy_blocks(w, m)) {
        give(f, w);
        return;
    }
    drop(w);
    fail(f, KL_NOMEM);
}

static void give_lay(struct kl_filler *f, const kl_message *m, const kl_statesync_effect *e)
{
    struct fill_work *w = new_work(f, LAY);
    bool copied;
    if (!w)
        return;
    w->lay = *e;
    w->note_len = kl_statesync_note(f->sync, w->note).len;
    if (e->kind == KL_STATESYNC_LAY_CODE) {
        w->message.body = kl_arena_copy(&w->arena, m->body);
        copied = w->message.body.p != NULL;
    } else {
        copied = copy_leaves(w, m);
    }
    if (copied) {
        give(f, w);
        return;
    }
    drop(w);
    fail(f, KL_NOMEM);
}

static void give_plain(struct kl_filler *f, fill_kind kind, const kl_hash *first)
{
    struct fill_work *w = new_work(f, kind);
    if (!w)
        return;
    if (first)
        w->first = *first;
    give(f, w);
}

static void fetch(struct kl_filler *f, const kl_fetch_event *event)
{
    kl_fetch_effects effects;
    if (f->phase != KL_FILLER_RECORDS)
        return;
    kl_fetch_step(f->fetch, event, now_of(f), &effects);
    for (usize i = 0; i < effects.count; i++) {
        const kl_fetch_effect *e = &effects.list[i];
        switch (e->kind) {
        case KL_FETCH_ASK:
            send(f, e->peer,
                 &(kl_message){.kind = KL_MESSAGE_ASK_RECORDS, .from = e->from, .to = e->to});
            break;
        case KL_FETCH_TAKE:
            give_take(f, event->message, e->peer, e->count);
            break;
        case KL_FETCH_PENALIZE:
            f->config.net->penalize(f->config.net, e->peer, e->rule);
            break;
        case KL_FETCH_SET_TIMER:
            f->fetch_due_ns = e->at_ns;
            break;
        }
    }
}

static void carry(struct kl_filler *f, const kl_statesync_event *event,
                  const kl_statesync_effect *e)
{
    switch (e->kind) {
    case KL_STATESYNC_ASK_STATE:
        send(f, e->peer,
             &(kl_message){.kind = KL_MESSAGE_ASK_STATE,
                           .from = e->height,
                           .has_owner = e->has_owner,
                           .hash = e->owner,
                           .first = e->first});
        break;
    case KL_STATESYNC_ASK_CODE:
        send(f, e->peer, &(kl_message){.kind = KL_MESSAGE_ASK_CODE, .hash = e->owner});
        break;
    case KL_STATESYNC_LAY:
    case KL_STATESYNC_LAY_CODE:
        give_lay(f, event->message, e);
        break;
    case KL_STATESYNC_LOOK:
        give_plain(f, LOOK, &e->first);
        break;
    case KL_STATESYNC_PENALIZE:
        f->config.net->penalize(f->config.net, e->peer, e->rule);
        break;
    case KL_STATESYNC_STALE:
        f->stale = true;
        break;
    case KL_STATESYNC_WHOLE:
        give_plain(f, END, NULL);
        break;
    case KL_STATESYNC_SET_TIMER:
        f->sync_due_ns = e->at_ns;
        break;
    }
}

static void sync_step(struct kl_filler *f, const kl_statesync_event *event)
{
    kl_statesync_effects effects;
    if (f->phase != KL_FILLER_STATE)
        return;
    kl_status status = kl_statesync_step(f->sync, event, now_of(f), &f->arena, &effects);
    if (status != KL_OK)
        fail(f, status);
    for (usize i = 0; i < effects.count; i++)
        carry(f, event, &effects.list[i]);
}

/* --- from one phase to the next --- */

static bool is_led(const struct kl_filler *f)
{
    bool led = false;
    for (u32 i = 0; i < KL_REPLICA_PEERS_MAX; i++)
        led |= f->peers[i].known && f->peers[i].height >= f->height;
    return led;
}

static void settle(struct kl_filler *f)
{
    u64 now_ns = now_of(f);
    bool working = f->phase == KL_FILLER_RECORDS || f->phase == KL_FILLER_STATE;
    if (!working || f->works)
        return;
    if (f->stale) {
        /* What comes next lies over what is there: that must be committed. */
        give_plain(f, KEEP, NULL);
        f->stale = false;
    } else if (now_ns >= kl_add_sat_u64(f->moved_ns, KL_FILLER_PATIENCE_NS)) {
        enter(f, KL_FILLER_GIVEN_UP);
    } else if (f->phase == KL_FILLER_RECORDS && f->height &&
               f->height >= kl_fill_pin(f->fill)->number && is_led(f) &&
               !kl_fetch_is_behind(f->fetch, now_ns)) {
        enter_state(f);
    }
}

/* --- peers --- */

void kl_filler_connected(struct kl_filler *f, u32 peer)
{
    KL_ASSERT(peer < KL_REPLICA_PEERS_MAX);
    f->peers[peer] = (struct peer){.life = f->peers[peer].life};
}

void kl_filler_disconnected(struct kl_filler *f, u32 peer)
{
    KL_ASSERT(peer < KL_REPLICA_PEERS_MAX);
    f->peers[peer] = (struct peer){.life = f->peers[peer].life + 1};
    fetch(f, &(kl_fetch_event){.kind = KL_FETCH_GONE, .peer = peer});
    sync_step(f, &(kl_statesync_event){.kind = KL_STATESYNC_GONE, .peer = peer});
    settle(f);
}

static void hear(struct kl_filler *f, u32 peer, const kl_message *m)
{
    if (m->kind == KL_MESSAGE_STATUS) {
        f->peers[peer].known = true;
        f->peers[peer].height = m->from;
        fetch(f, &(kl_fetch_event){.kind = KL_FETCH_HEIGHT, .peer = peer, .height = m->from});
        sync_step(
            f, &(kl_statesync_event){.kind = KL_STATESYNC_HEIGHT, .peer = peer, .height = m->from});
    } else if (m->kind == KL_MESSAGE_RECORDS) {
        fetch(f, &(kl_fetch_event){.kind = KL_FETCH_BLOCKS, .peer = peer, .message = m});
    } else if (m->kind == KL_MESSAGE_STATE || m->kind == KL_MESSAGE_CODE) {
        sync_step(f,
                  &(kl_statesync_event){.kind = KL_STATESYNC_ANSWER, .peer = peer, .message = m});
    }
}

void kl_filler_receive(struct kl_filler *f, u32 peer, kl_span frame)
{
    kl_message message;
    kl_rule broken;
    KL_ASSERT(peer < KL_REPLICA_PEERS_MAX);
    kl_arena_reset(&f->arena, KEEP_BYTES);
    if (kl_message_decode(&message, frame, f->scheme, &f->arena, &broken) != KL_OK)
        return;
    if (broken != KL_RULE_NONE)
        f->config.net->penalize(f->config.net, peer, broken);
    else
        hear(f, peer, &message);
    settle(f);
}

/* --- time --- */

u64 kl_filler_due_ns(const struct kl_filler *f)
{
    u64 patience_ns = kl_add_sat_u64(f->moved_ns, KL_FILLER_PATIENCE_NS);
    if (f->phase == KL_FILLER_RECORDS)
        return KL_MIN(f->fetch_due_ns, f->works ? NEVER : patience_ns);
    if (f->phase == KL_FILLER_STATE)
        return KL_MIN(f->sync_due_ns, f->works ? NEVER : patience_ns);
    return NEVER;
}

void kl_filler_tick(struct kl_filler *f)
{
    u64 now_ns = now_of(f);
    if (f->phase == KL_FILLER_RECORDS && f->fetch_due_ns <= now_ns) {
        f->fetch_due_ns = NEVER;
        fetch(f, &(kl_fetch_event){.kind = KL_FETCH_TIMER});
    } else if (f->phase == KL_FILLER_STATE && f->sync_due_ns <= now_ns) {
        f->sync_due_ns = NEVER;
        sync_step(f, &(kl_statesync_event){.kind = KL_STATESYNC_TIMER});
    }
    settle(f);
}

void kl_filler_status_of(const struct kl_filler *f, kl_filler_status *out)
{
    u64 passed_ns = now_of(f) - f->began_ns;
    *out = (kl_filler_status){.phase = f->phase,
                              .status = f->broken,
                              .first = f->first,
                              .height = f->height,
                              .target = KL_MAX(f->height, kl_fetch_credible(f->fetch, 1)),
                              .off_pin = f->off_pin,
                              .leaves = f->leaves,
                              .records_ns = f->records_ns,
                              .state_ns = f->state_ns,
                              .eta_s = UINT64_MAX,
                              .lack = kl_fetch_lack_of(f->fetch)};
    out->target = KL_MAX(out->target, kl_fill_pin(f->fill)->number);
    if (f->off_pin)
        out->found = kl_fill_off_pin(f->fill);
    if (f->phase == KL_FILLER_RECORDS)
        out->eta_s =
            replica_eta_s(passed_ns, f->height - f->began_height, out->target - f->began_height);
    if (f->phase != KL_FILLER_STATE)
        return;
    kl_statesync_progress progress = kl_statesync_progress_of(f->sync);
    out->state_ppm = progress.ppm;
    out->leaves += progress.leaves;
    out->eta_s = replica_eta_s(passed_ns, progress.ppm - f->began_ppm, 1000000 - f->began_ppm);
}

/* --- life --- */

kl_status kl_filler_is_due(const kl_chain_config *chain, bool *out)
{
    return kl_state_is_filling(chain->kv, out);
}

static kl_status open_all(struct kl_filler *f, kl_chain_report *report)
{
    kl_fill_head head;
    kl_span note;
    f->fetch = malloc(kl_fetch_footprint());
    f->sync = malloc(kl_statesync_footprint());
    if (!f->fetch || !f->sync)
        return KL_NOMEM;
    KL_TRY(kl_fill_open(&f->fill, &f->config.chain, &note, report));
    f->note_len = KL_MIN(note.len, sizeof f->note);
    if (f->note_len)
        memcpy(f->note, note.p, f->note_len);
    const kl_spec *spec = kl_fill_spec(f->fill);
    f->scheme = kl_vote_scheme_of(spec->bft.scheme, f->config.chain.tests);
    if (!f->scheme)
        return KL_UNSUPPORTED;
    f->domain = kl_fill_domain(f->fill);
    f->timeout_ns = kl_mul_sat_u64(spec->bft.delta_ms, 4 * NS_PER_MS);
    kl_fill_head_of(f->fill, &head);
    f->first = f->height = head.height;
    return KL_OK;
}

kl_status kl_filler_open(struct kl_filler **out, const kl_filler_config *config,
                         kl_chain_report *report)
{
    struct kl_filler *f = calloc(1, sizeof *f);
    if (!f)
        return KL_NOMEM;
    f->config = *config;
    f->fetch_due_ns = f->sync_due_ns = NEVER;
    kl_arena_init(&f->arena, SCRATCH);
    kl_buf_init(&f->frame, KL_MESSAGE_MAX);
    kl_status status = open_all(f, report);
    if (status != KL_OK) {
        kl_filler_close(f);
        return status;
    }
    *out = f;
    return KL_OK;
}

void kl_filler_close(struct kl_filler *f)
{
    if (!f)
        return;
    while (f->works)
        drop(f->works);
    kl_fill_close(f->fill);
    kl_arena_done(&f->arena);
    kl_buf_done(&f->frame);
    free(f->fetch);
    free(f->sync);
    free(f);
}

void kl_filler_halt(struct kl_filler *f)
{
    if (f->phase == KL_FILLER_RECORDS || f->phase == KL_FILLER_STATE)
        fail(f, KL_FULL);
}

void kl_filler_start(struct kl_filler *f)
{
    f->moved_ns = f->began_ns = now_of(f);
    enter_records(f);
}
