/* The host of an engine of the small world: what it answers, what a crash leaves behind, and how
 * the next life begins. */
#include "consensus/simplex_world_test.h"

u32 world_block_of(const world *w, const kl_hash *hash)
{
    u32 id = hash->b[0] - 1u;
    KL_ASSERT(id < w->block_count);
    return id;
}

static u32 subject_of(const world *w, const kl_vote_subject *subject)
{
    for (u32 s = 0; s < w->subject_count; s++)
        if (kl_vote_subject_eq(&w->subjects[s], subject))
            return s;
    KL_UNREACHABLE();
}

/* What an honest leader builds: the first block of the list that fits, anew the last. */
static kl_hash built_on(const world *w, const kl_proposal *p, bool anew)
{
    const kl_hash *built = NULL;
    for (u32 id = 1; id < w->block_count; id++) {
        const kl_proposal *have = &w->blocks[id].proposal;
        if (have->view == p->view && have->parent_view == p->parent_view &&
            kl_hash_eq(&have->parent_hash, &p->parent_hash) && (!built || anew))
            built = &have->block_hash;
    }
    KL_ASSERT(built);
    return *built;
}

typedef struct answers {
    kl_bft_event list[32];
    kl_vote votes[32];
    kl_proposal proposals[32];
    u32 count;
} answers;

static kl_bft_event *say(answers *to, kl_bft_event_kind kind)
{
    KL_ASSERT(to->count < KL_COUNT_OF(to->list));
    kl_bft_event *event = &to->list[to->count++];
    *event = (kl_bft_event){.kind = kind, .peer = KL_BFT_NO_PEER};
    return event;
}

static void reserved(world_local *state, u32 view, answers *to)
{
    say(to, KL_BFT_RESERVED)->view = view;
    state->taken |= 1u << view;
}

/* The guard writes a turn down.  Where engines do not crash, that it takes time shows nothing. */
static void reserve(const world *w, world_local *state, u32 view, answers *to)
{
    if (view > w->o.views || (state->over >> view & 1))
        return;
    state->turns |= 1u << view;
    if (!w->o.crash)
        reserved(state, view, to);
}

/* The guard signs at once in a turn; else when all that it has written down is durable.  It refuses
 * nothing here: no engine may ask for what it would refuse. */
static void sign(world *w, const world_engine *e, world_local *state, const kl_bft_effect *effect,
                 answers *to)
{
    const kl_vote_subject *subject = &effect->subject;
    u32 id = subject_of(w, subject);
    bool leads = kl_valset_leader(&w->set, 0, subject->proposal.view) == e->validator;
    KL_ASSERT((subject->kind == KL_VOTE_NOTARIZE && !leads) == (effect->vote != NULL));
    state->signed_for |= 1u << id;
    for (u32 view = 1; view <= w->o.views && !effect->in_turn; view++)
        if ((state->turns & ~state->taken & ~state->over) >> view & 1)
            reserved(state, view, to);
    if (!effect->in_turn)
        state->durable = state->signed_for;
    u32 at = to->count;
    to->votes[at] = w->votes[id][e->validator];
    say(to, KL_BFT_SIGNED)->vote = &to->votes[at];
}

/* The end of a barrier is that of all before it. */
static void persisted(world_local *state, const kl_bft_effect *effect, bool in_turn, answers *to)
{
    state->barred = in_turn ? state->logged : 0;
    if (in_turn)
        return; /* its end is an event of its own */
    state->synced = state->logged;
    say(to, KL_BFT_PERSISTED)->token = effect->token;
}

/* What the host says to an effect; views beyond the world's are never answered. */
static void answer(world *w, world_engine *e, world_local *state, const kl_bft_effect *effect,
                   const kl_bft_effect *then, answers *to)
{
    const struct kl_simplex *s = (const void *)e->memory;
    kl_bft_event *event;
    switch (effect->kind) {
    case KL_BFT_RESERVE:
        reserve(w, state, (u32)effect->from, to);
        return;
    case KL_BFT_SIGN:
        sign(w, e, state, effect, to);
        return;
    case KL_BFT_BARRIER:
        persisted(state, effect, then && then->kind == KL_BFT_SIGN && then->in_turn, to);
        return;
    case KL_BFT_EXECUTE:
        event = say(to, KL_BFT_EXECUTED);
        event->hash = effect->proposal.block_hash;
        event->verdict = KL_BFT_VALID;
        return;
    case KL_BFT_SYNC:
        to->proposals[to->count] = effect->proposal;
        event = say(to, KL_BFT_SYNCED);
        event->proposal = &to->proposals[to->count - 1];
        state->committed = world_block_of(w, &effect->proposal.block_hash);
        return;
    case KL_BFT_COMMIT:
        state->committed = world_block_of(w, &effect->proposal.block_hash);
        return;
    case KL_BFT_SEND_VOTE:
    case KL_BFT_SEND_PROPOSAL:
        w->hurried += effect->kind == KL_BFT_SEND_PROPOSAL && s->token > s->token_persisted;
        if (effect->vote->signer == e->validator)
            state->cast |= 1u << subject_of(w, &effect->vote->subject);
        return;
    case KL_BFT_PERSIST:
        if (w->o.crash) /* else it is never asked for */
            state->logged |= 1u << subject_of(w, &effect->certificate->subject);
        return;
    case KL_BFT_PENALIZE:
    case KL_BFT_KEY_IS_USED:
        w->broken = "an engine accuses who is honest";
        return;
    case KL_BFT_BUILD: /* see world_build */
    case KL_BFT_FORKED:
    case KL_BFT_SEND_CERTIFICATE:
    case KL_BFT_SERVE_LOG:
    case KL_BFT_FETCH_BODY:
    case KL_BFT_FETCH_CERTIFICATES:
    case KL_BFT_SET_TIMER:
    case KL_BFT_EPOCH_DONE:
    case KL_BFT_FOUND:
        return;
    }
}

bool world_build(const world *w, const world_engine *e, const world_local *state,
                 kl_bft_event *event)
{
    const struct kl_simplex *s = (const void *)e->memory;
    const kl_simplex_slot *slot = slot_at(s, s->view);
    if (s->view > w->o.views || !slot->building)
        return false;
    const kl_proposal *p = &slot->own[KL_VOTE_NOTARIZE - 1].vote.subject.proposal;
    event->kind = KL_BFT_BUILT;
    event->view = p->view;
    event->hash = built_on(w, p, state->crashed);
    return true;
}

/* Where engines do not crash a block is built at once, behind all other answers. */
void world_run(world *w, world_engine *e, world_local *state, const kl_bft_event *event)
{
    struct kl_simplex *s = (void *)e->memory;
    u64 now_ns = s->now_ns + (event->kind == KL_BFT_TIMER ? WORLD_ROUND_NS : 0);
    static answers to;
    to.count = 0;
    kl_simplex_mutants = w->o.mutants;
    for (u32 i = 0;; i++) {
        kl_bft_effects out = {w->effects, 0, w->effects_cap};
        kl_simplex_step(s, event, now_ns, &out);
        w->steps++;
        for (usize k = 0; k < out.count; k++)
            answer(w, e, state, &out.list[k], k + 1 < out.count ? &out.list[k + 1] : NULL, &to);
        kl_bft_event built = {.peer = KL_BFT_NO_PEER};
        if (i == to.count && !w->o.crash && world_build(w, e, state, &built))
            *say(&to, KL_BFT_BUILT) = built;
        if (i == to.count)
            break;
        event = &to.list[i];
    }
    kl_simplex_mutants = 0;
}

/* Turns of an earlier life whose votes the guard does not have. */
static u32 forfeit(const world *w, const world_local *state)
{
    u32 views = state->over;
    for (u32 s = 0; s < w->subject_count; s++)
        if (w->subjects[s].kind == KL_VOTE_NOTARIZE && (state->signed_for >> s & 1))
            views &= ~(1u << w->subjects[s].proposal.view);
    return views;
}

/* With the votes for others' proposals their leaders' were kept. */
static void restore_turns(world *w, world_engine *e, world_local *state)
{
    kl_bft_event event = {.kind = KL_BFT_RESTORE_PROPOSAL, .peer = KL_BFT_NO_PEER};
    for (u32 s = 0; s < w->subject_count && !w->o.forgets; s++) {
        const kl_vote_subject *subject = &w->subjects[s];
        u32 leader = kl_valset_leader(&w->set, 0, subject->proposal.view);
        event.vote = &w->votes[s][leader];
        if (subject->kind == KL_VOTE_NOTARIZE && leader != e->validator &&
            (state->signed_for >> s & 1))
            world_run(w, e, state, &event);
    }
    event = (kl_bft_event){.kind = KL_BFT_RESTORE_TURN, .peer = KL_BFT_NO_PEER};
    for (event.view = 1; event.view <= w->o.views && !w->o.forgets; event.view++)
        if (forfeit(w, state) >> event.view & 1)
            world_run(w, e, state, &event);
}

void world_start(world *w, world_engine *e, world_local *state)
{
    w->config.epoch.self = e->validator;
    memset(e->memory, 0, w->memory_len);
    kl_simplex_init(e->memory, &w->config);
    kl_bft_event event = {.peer = KL_BFT_NO_PEER};
    for (u32 s = 0; s < w->subject_count; s++) {
        event.kind = KL_BFT_RESTORE_CERTIFICATE;
        event.certificate = &w->certificates[s];
        if (state->logged >> s & 1)
            world_run(w, e, state, &event);
    }
    for (u32 s = 0; s < w->subject_count; s++) {
        event.kind = KL_BFT_RESTORE_VOTE;
        event.vote = &w->votes[s][e->validator];
        if ((state->signed_for >> s & 1) && !w->o.forgets)
            world_run(w, e, state, &event);
    }
    restore_turns(w, e, state);
    event.kind = KL_BFT_START;
    world_run(w, e, state, &event);
}

/* A turn is in guard and log, and one of them suffices.  A vote in one that only the log has is
 * not taken over. */
void world_crash(world *w, world_local *state, u32 keeps)
{
    if (!(keeps & WORLD_KEEPS_LOG))
        state->logged = state->synced;
    if (!(keeps & WORLD_KEEPS_GUARD))
        state->signed_for = state->durable;
    if (!keeps)
        state->turns = state->taken;
    state->synced = state->logged;
    state->durable = state->signed_for;
    state->over = state->turns;
    state->taken = state->barred = 0;
    state->crashed = true;
    state->committed = 0; /* the ledger is the anchor's */
    w->lost += (state->cast & ~state->signed_for) != 0;
    w->forfeit += forfeit(w, state) != 0;
}

u32 world_kept(const world_local *state, u32 keeps)
{
    bool turn = state->turns != state->taken;
    if (state->logged == state->synced && !turn)
        keeps &= ~(u32)WORLD_KEEPS_LOG;
    if (state->signed_for == state->durable && !turn)
        keeps &= ~(u32)WORLD_KEEPS_GUARD;
    return keeps;
}
