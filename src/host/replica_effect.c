/* What the engine asks for, a row an effect. */
#include "host/replica_priv.h"

static void send_vote(struct kl_replica *r, const kl_bft_effect *effect)
{
    replica_send(r, effect->peer, &(kl_message){.kind = KL_MESSAGE_VOTE, .vote = *effect->vote});
}

static void send_proposal(struct kl_replica *r, const kl_bft_effect *effect)
{
    const kl_hash *hash = &effect->vote->subject.proposal.block_hash;
    const struct replica_candidate *c = replica_candidate_of(r, hash);
    if (!c || !c->body) { /* an epoch's last block, proposed again: who lacks it will ask */
        send_vote(r, effect);
        return;
    }
    if (replica_compact_send(r, effect->peer, effect->vote, c))
        return;
    replica_send(r, effect->peer,
                 &(kl_message){.kind = KL_MESSAGE_PROPOSAL,
                               .vote = *effect->vote,
                               .body = kl_span_of(c->body->bytes, c->body->len)});
}

static void send_certificate(struct kl_replica *r, const kl_bft_effect *effect)
{
    replica_send(
        r, effect->peer,
        &(kl_message){.kind = KL_MESSAGE_CERTIFICATE, .certificate = *effect->certificate});
}

static void serve_log(struct kl_replica *r, const kl_bft_effect *effect)
{
    replica_serve_log(r, effect->peer, effect->epoch, effect->from, effect->to);
}

static void persist(struct kl_replica *r, const kl_bft_effect *effect)
{
    r->branch_moved = true; /* it may have notarized another head */
    replica_candidates_learn(r, &effect->certificate->subject);
    replica_persist(r, effect->certificate);
}

static void barrier(struct kl_replica *r, const kl_bft_effect *effect)
{
    r->token_given = effect->token;
    replica_barrier(r, effect->token, effect->has_body ? &effect->proposal : NULL);
}

static void sign(struct kl_replica *r, const kl_bft_effect *effect)
{
    replica_sign(r, effect);
}

static void reserve(struct kl_replica *r, const kl_bft_effect *effect)
{
    replica_reserve(r, effect->epoch, effect->from);
}

static void build(struct kl_replica *r, const kl_bft_effect *effect)
{
    replica_build(r, &effect->proposal);
}

static void execute(struct kl_replica *r, const kl_bft_effect *effect)
{
    replica_execute(r, &effect->proposal);
}

static void fetch_body(struct kl_replica *r, const kl_bft_effect *effect)
{
    replica_want_body(r, &effect->proposal, effect->peer);
}

static void fetch_certificates(struct kl_replica *r, const kl_bft_effect *effect)
{
    u32 peer = replica_somebody(r, effect->peer);
    if (peer != KL_REPLICA_ALL)
        replica_send(r, peer,
                     &(kl_message){.kind = KL_MESSAGE_ASK_CERTIFICATES,
                                   .epoch = effect->epoch,
                                   .from = effect->from,
                                   .to = effect->to});
}

static void sync(struct kl_replica *r, const kl_bft_effect *effect)
{
    replica_sync(r, &effect->proposal, effect->certificate);
}

static void set_timer(struct kl_replica *r, const kl_bft_effect *effect)
{
    r->engine_due_ns = effect->at_ns;
}

static void commit(struct kl_replica *r, const kl_bft_effect *effect)
{
    replica_commit(r, &effect->proposal, effect->certificate);
}

static void epoch_done(struct kl_replica *r, const kl_bft_effect *effect)
{
    (void)effect;
    replica_epoch_due(r);
}

static void found(struct kl_replica *r, const kl_bft_effect *effect)
{
    struct kl_replica_watch *watch = r->config.watch;
    replica_send(r, KL_REPLICA_ALL,
                 &(kl_message){.kind = KL_MESSAGE_EVIDENCE, .evidence = effect->evidence});
    if (watch && watch->found)
        watch->found(watch, &effect->evidence);
    replica_report_add(r, &effect->evidence);
}

static void penalize(struct kl_replica *r, const kl_bft_effect *effect)
{
    r->config.net->penalize(r->config.net, effect->peer, effect->rule);
}

static void key_is_used(struct kl_replica *r, const kl_bft_effect *effect)
{
    struct kl_replica_watch *watch = r->config.watch;
    r->barred = true;
    replica_guard_bar(r);
    replica_signing(r);
    replica_alarm(r, "somebody else signs with this node's key, so it signs nothing any more, nor "
                     "after a restart; when the other machine is gone for good: stop this one, "
                     "'keel validator resume', and start it");
    if (watch && watch->barred)
        watch->barred(watch, &effect->subject);
}

static void forked(struct kl_replica *r, const kl_bft_effect *effect)
{
    (void)effect;
    replica_alarm(r, "two certificates exclude each other: more than a third of the weight lies");
}

void replica_carry(struct kl_replica *r, const kl_bft_effect *effect)
{
    static void (*const carry[])(struct kl_replica *, const kl_bft_effect *) = {
        [KL_BFT_SEND_VOTE] = send_vote,
        [KL_BFT_SEND_PROPOSAL] = send_proposal,
        [KL_BFT_SEND_CERTIFICATE] = send_certificate,
        [KL_BFT_SERVE_LOG] = serve_log,
        [KL_BFT_PERSIST] = persist,
        [KL_BFT_BARRIER] = barrier,
        [KL_BFT_SIGN] = sign,
        [KL_BFT_RESERVE] = reserve,
        [KL_BFT_BUILD] = build,
        [KL_BFT_EXECUTE] = execute,
        [KL_BFT_FETCH_BODY] = fetch_body,
        [KL_BFT_FETCH_CERTIFICATES] = fetch_certificates,
        [KL_BFT_SYNC] = sync,
        [KL_BFT_SET_TIMER] = set_timer,
        [KL_BFT_COMMIT] = commit,
        [KL_BFT_EPOCH_DONE] = epoch_done,
        [KL_BFT_FOUND] = found,
        [KL_BFT_PENALIZE] = penalize,
        [KL_BFT_KEY_IS_USED] = key_is_used,
        [KL_BFT_FORKED] = forked,
    };
    carry[effect->kind](r, effect);
}
