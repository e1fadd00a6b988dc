/* Attacks with frames, and on votes: whoever is let in and holds no validator's key. */
#include "evil/attack_priv.h"

enum { VOTES = 1 << 20 }; /* below what a frame for votes may have */

void evil_long_frame(struct evil_wire *w)
{
    evil_queue(w, EVIL_SYNC, KL_SPAN_TEXT("\x7f\xff\xff\xff that is long"));
}

void evil_long_vote(struct evil_wire *w)
{
    evil_queue(w, EVIL_BFT, KL_SPAN_TEXT("\x00\x40\x00\x01 that is long for a vote"));
}

void evil_slow_frame(struct evil_wire *w)
{
    static const u8 part[KL_MESSAGE_MAX - 1];
    u8 len[4];
    for (usize i = 0; i < EVIL_CLASSES; i++) {
        u32 size = i == EVIL_BFT ? VOTES : sizeof part;
        kl_store_be32(len, size + 1);
        evil_queue(w, (evil_class)i, KL_SPAN_OF(len));
        evil_queue(w, (evil_class)i, kl_span_of(part, size));
    }
}

void evil_unknown_kind(struct evil_wire *w)
{
    evil_frame(w, EVIL_BFT, KL_SPAN_TEXT("\xee what?"));
}

void evil_bad_rlp(struct evil_wire *w)
{
    u8 frame[100];
    for (u8 kind = KL_MESSAGE_VOTE; kind <= KL_MESSAGE_TRANSACTIONS; kind++) {
        evil_random_bytes(w->evil, frame, sizeof frame);
        frame[0] = kind;
        frame[1] = 0xbf;
        evil_frame(w, EVIL_BFT, KL_SPAN_OF(frame));
    }
}

/* --- votes --- */

/* A vote near what was heard last, with a signature of nobody's. */
static kl_vote some_vote(struct evil_wire *w)
{
    struct evil *e = w->evil;
    kl_vote vote = e->vote;
    if (!e->has_vote)
        vote.subject = (kl_vote_subject){
            .kind = KL_VOTE_NOTARIZE,
            .proposal = {.epoch = 0, .view = 1 + e->report->steps % 8, .height = 1}};
    evil_random_bytes(e, vote.subject.proposal.block_hash.b, 32);
    evil_random_bytes(e, vote.signature, sizeof vote.signature);
    if (vote.subject.kind == KL_VOTE_NULLIFY)
        vote.subject.kind = KL_VOTE_NOTARIZE;
    vote.subject.proposal.parent_view = vote.subject.proposal.view - 1;
    vote.subject.proposal.height = KL_MAX(vote.subject.proposal.height, 1);
    vote.signer = (u32)(e->report->steps % 4);
    return vote;
}

static void say_vote(struct evil_wire *w, const kl_vote *vote)
{
    evil_message(w, EVIL_BFT, &(kl_message){.kind = KL_MESSAGE_VOTE, .vote = *vote});
}

void evil_vote_garbage(struct evil_wire *w)
{
    kl_vote vote = some_vote(w);
    say_vote(w, &vote);
}

void evil_vote_foreign(struct evil_wire *w)
{
    kl_vote vote = some_vote(w);
    kl_secret32 secret;
    kl_vote_domain domain = {.chain_id = w->evil->config->chain_id + 1};
    kl_vote_subject subject = vote.subject;
    evil_random_bytes(w->evil, secret.b, sizeof secret.b);
    secret.b[0] &= 0x1f; /* below the order of either scheme's group */
    KL_ASSERT(
        kl_vote_sign(&vote, &subject, vote.signer, w->evil->config->scheme, &secret, &domain));
    say_vote(w, &vote);
}

void evil_vote_far(struct evil_wire *w)
{
    kl_vote vote = some_vote(w);
    vote.subject.proposal.view += 1000000 + w->steps;
    vote.subject.proposal.parent_view = vote.subject.proposal.view - 1;
    say_vote(w, &vote);
}

void evil_vote_epoch(struct evil_wire *w)
{
    kl_vote vote = some_vote(w);
    vote.subject.proposal.epoch += 1000 + w->steps;
    say_vote(w, &vote);
}

void evil_keep_frame(struct evil_wire *w, evil_class class, kl_span frame)
{
    struct kl_buf *kept = &w->evil->kept;
    if (class != EVIL_BFT)
        return;
    kl_buf_clear(kept);
    kl_buf_span(kept, frame);
}

void evil_replay(struct evil_wire *w)
{
    if (w->evil->kept.len)
        evil_frame(w, EVIL_BFT, kl_buf_view(&w->evil->kept));
}

void evil_certificate_garbage(struct evil_wire *w)
{
    u8 signatures[4 * KL_VOTE_SIGNATURE_MAX];
    const kl_vote_scheme *scheme = w->evil->config->scheme;
    kl_vote vote = some_vote(w);
    evil_random_bytes(w->evil, signatures, sizeof signatures);
    vote.subject.kind = KL_VOTE_FINALIZE;
    kl_certificate c = {
        .subject = vote.subject,
        .signers = {0x0f},
        .signatures = kl_span_of(signatures, scheme->aggregates ? scheme->signature_len
                                                                : 4 * scheme->signature_len),
    };
    evil_message(w, EVIL_BFT, &(kl_message){.kind = KL_MESSAGE_CERTIFICATE, .certificate = c});
}

void evil_evidence_garbage(struct evil_wire *w)
{
    kl_evidence evidence = {.first = some_vote(w), .second = some_vote(w)};
    evidence.second.subject.proposal.view = evidence.first.subject.proposal.view;
    evil_message(w, EVIL_BFT, &(kl_message){.kind = KL_MESSAGE_EVIDENCE, .evidence = evidence});
}

void evil_huge_proposal(struct evil_wire *w)
{
    static const u8 body[KL_MESSAGE_BODY_MAX];
    kl_vote vote = some_vote(w);
    vote.subject.kind = KL_VOTE_NOTARIZE;
    evil_message(
        w, EVIL_PROPOSAL,
        &(kl_message){.kind = KL_MESSAGE_PROPOSAL, .vote = vote, .body = KL_SPAN_OF(body)});
}

void evil_ask_certificates(struct evil_wire *w)
{
    evil_message(w, EVIL_BFT,
                 &(kl_message){.kind = KL_MESSAGE_ASK_CERTIFICATES, .from = 1, .to = UINT64_MAX});
}

/* --- with a validator's key --- */

void evil_sign(const struct evil *e, kl_vote *out, const kl_vote_subject *subject)
{
    const kl_evil_config *c = e->config;
    KL_ASSERT(kl_vote_sign(out, subject, c->signer, c->scheme, &c->vote_key, &e->domain));
}

/* Votes for so many blocks that nobody knows, in the view that was heard of, once. */
static void vote_for_nothing(struct evil_wire *w, usize count)
{
    struct evil *e = w->evil;
    kl_vote_subject subject = e->vote.subject;
    kl_vote vote;
    if (!e->has_vote || subject.kind != KL_VOTE_NOTARIZE || subject.proposal.view <= e->voted_view)
        return;
    e->voted_view = subject.proposal.view;
    for (usize i = 0; i < count; i++) {
        evil_random_bytes(e, subject.proposal.block_hash.b, 32);
        evil_sign(e, &vote, &subject);
        say_vote(w, &vote);
        e->report->steps++;
    }
}

void evil_vote_twice(struct evil_wire *w, KL_UNUSED evil_class class, KL_UNUSED kl_span frame)
{
    vote_for_nothing(w, 2);
}

void evil_vote_bodiless(struct evil_wire *w, KL_UNUSED evil_class class, KL_UNUSED kl_span frame)
{
    vote_for_nothing(w, 1);
}
