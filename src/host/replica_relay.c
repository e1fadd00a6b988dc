/* A sentry's part: what its wards sign and propose goes to everybody else who is no stranger, and
 * what the others sign and propose goes to the wards.  Nothing else is needed: certificates are
 * passed on by every engine, bodies and blocks are asked for, transactions are gossiped.  What
 * comes from others than wards goes to wards alone, so no frame goes round.
 *
 * A ward would blame the sentry for what breaks a rule, so signatures are verified first, and that
 * transactions are those that a proposal names. */
#include "host/replica_priv.h"

static bool is_relayed(kl_message_kind kind)
{
    return kind == KL_MESSAGE_VOTE || kind == KL_MESSAGE_PROPOSAL || kind == KL_MESSAGE_COMPACT;
}

void replica_relay(struct kl_replica *r, u32 from, const kl_message *m, kl_span frame)
{
    bool of_ward = r->peers[from].rank == KL_REPLICA_WARD;
    if (!r->ward_count || !is_relayed(m->kind) || r->peers[from].rank == KL_REPLICA_STRANGER ||
        m->vote.subject.proposal.epoch != r->epoch->number ||
        kl_vote_check(&m->vote, &r->epoch->set, &r->domain) != KL_RULE_NONE ||
        (m->kind == KL_MESSAGE_COMPACT && !replica_compact_is_given(&m->compact, m)))
        return;
    for (u32 i = 0; i < KL_REPLICA_PEERS_MAX; i++) {
        const struct replica_peer *peer = &r->peers[i];
        if (i != from && peer->connected &&
            (of_ward ? peer->rank != KL_REPLICA_STRANGER : peer->rank == KL_REPLICA_WARD))
            r->config.net->send(r->config.net, i, m->kind, frame);
    }
}

void kl_replica_set_rank(struct kl_replica *r, u32 peer, kl_replica_rank rank)
{
    KL_ASSERT(peer < KL_REPLICA_PEERS_MAX);
    r->ward_count -= r->peers[peer].rank == KL_REPLICA_WARD;
    r->peers[peer].rank = rank;
    r->ward_count += rank == KL_REPLICA_WARD;
}
