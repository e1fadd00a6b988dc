/* Every rule of a consensus header broken once, by a leader that signs whatever it says; and what
 * stands behind a record as its Finalization. */
#include "base/test.h"
#include "chain/bft_world_priv.h"
#include "chain/rules.h"

struct body {
    kl_block block;
    kl_consensus_header consensus;
};

static void open_body(struct bft_world *w, const struct kl_tip *tip, struct body *out)
{
    kl_body parts;
    kl_rule broken;
    CHECK_RULE(kl_body_decode(&parts, bft_world_body(w, tip)), KL_RULE_NONE);
    CHECK_OK(
        kl_block_decode(&out->block, parts.block, kl_chain_spec(w->chain), &w->arena, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    out->consensus = parts.consensus_header;
}

/* The body again; its extraData is made to fit. */
static kl_span close_body(struct bft_world *w, struct body *b)
{
    kl_hash hash = kl_consensus_header_hash(&b->consensus);
    memcpy(b->block.header.extra_data, hash.b, 32);
    kl_out counter = kl_out_counter();
    kl_block_encode(&counter, &b->block);
    kl_consensus_header_encode(&counter, &b->consensus);
    u8 *room = KL_TAKE(&w->arena, u8, counter.len);
    CHECK(room);
    kl_out out = kl_out_of(room, counter.len);
    kl_block_encode(&out, &b->block);
    kl_consensus_header_encode(&out, &b->consensus);
    return kl_out_done(&out);
}

static void check_rule(struct bft_world *w, struct kl_tip *parent, struct body *b, kl_rule want)
{
    struct kl_tip *out;
    kl_rule got = bft_world_judge(w, parent, close_body(w, b), &out);
    CHECK_RULE(got, want);
    if (got == KL_RULE_NONE)
        kl_tip_unref(out);
}

/* Says a new view, and what follows from it for whoever leads there. */
static void lead(struct bft_world *w, const struct kl_tip *parent, struct body *b, u64 view)
{
    const struct kl_epoch *epoch = parent->epoch;
    const kl_vote_domain domain = kl_chain_vote_domain(w->chain);
    kl_consensus_header *h = &b->consensus;
    u32 leader = kl_valset_leader(&epoch->set, epoch->number, view);
    h->view = view;
    CHECK(kl_randao_sign(h->randao_proof, w->scheme, &w->randao_secret[leader], &domain, h->epoch,
                         view));
    b->block.header.mix_hash = kl_randao_mix(&parent->header.mix_hash, h->randao_proof);
}

/* What can be wrong, one after the other, with a block of no transactions. */
static kl_rule spoil(struct bft_world *w, const struct kl_tip *parent, struct body *b, usize kind)
{
    static const kl_withdrawal withdrawal = {.amount = 1};
    kl_consensus_header *h = &b->consensus;
    kl_header *header = &b->block.header;
    switch (kind) {
    case 0:
        h->epoch++;
        return KL_RULE_CONSENSUS_EPOCH;
    case 1:
        h->parent_view++;
        lead(w, parent, b, h->parent_view + 1);
        return KL_RULE_CONSENSUS_PARENT_VIEW;
    case 2:
        h->time_ms = parent->consensus.time_ms;
        header->timestamp = h->time_ms / 1000;
        return KL_RULE_CONSENSUS_TIME;
    case 3:
        header->timestamp++;
        return KL_RULE_CONSENSUS_TIMESTAMP;
    case 4: /* wrong where an epoch goes on as well as where it ends */
        h->next_set_hash.b[3] ^= 1;
        return KL_RULE_CONSENSUS_NEXT_SET;
    case 5:
        h->randao_proof[7] ^= 1;
        header->mix_hash = kl_randao_mix(&parent->header.mix_hash, h->randao_proof);
        return KL_RULE_CONSENSUS_RANDAO;
    case 6:
        header->mix_hash.b[0] ^= 1;
        return KL_RULE_CONSENSUS_MIX;
    case 7:
        h->outbox_root.b[31] = 1;
        return KL_RULE_CONSENSUS_OUTBOX;
    case 8:
        header->parent_beacon_root.b[9] ^= 1;
        return KL_RULE_CONSENSUS_PARENT_ROOT;
    case 9:
        b->block.withdrawals = &withdrawal;
        b->block.withdrawal_count = 1;
        CHECK_OK(kl_withdrawals_root(&header->withdrawals_root, &withdrawal, 1, &w->arena));
        return KL_RULE_CONSENSUS_WITHDRAWALS;
    case 10: /* another leader's share */
        h->view += 1;
        return KL_RULE_CONSENSUS_RANDAO;
    case 11:
        h->version = 2;
        return KL_RULE_CONSENSUS_VERSION;
    case 12:
        h->has_randao_proof = false;
        return KL_RULE_CONSENSUS_FORM;
    case 13:
        h->view = h->parent_view;
        return KL_RULE_CONSENSUS_FORM;
    case 14:
        h->is_genesis = true;
        return KL_RULE_CONSENSUS_FORM;
    case 15:
        header->parent_hash.b[0] ^= 1;
        return KL_RULE_HEADER_PARENT;
    case 16: /* what is left to the leader: a later view, a later time, a signal, a recipient */
        lead(w, parent, b, h->view + 2);
        h->time_ms += 1;
        h->fork_signal = UINT64_MAX;
        return KL_RULE_NONE;
    default:
        return KL_RULE_COUNT;
    }
}

KL_TEST(bft_judges_every_member_of_a_consensus_header)
{
    for (usize scheme = 0; scheme < 3; scheme++) {
        struct bft_world w;
        bft_world_init(&w, bft_world_schemes[scheme], 4, 3);
        bft_world_begin(&w);
        for (u64 height = 1; height <= 4; height++) { /* first, middle and last of an epoch */
            struct kl_tip *head = kl_chain_head(w.chain);
            struct kl_tip *tip = bft_world_build(&w, head, 0, 700);
            struct body good, bad;
            open_body(&w, tip, &good);
            check_rule(&w, head, &good, KL_RULE_NONE);
            for (usize kind = 0;; kind++) {
                bad = good;
                kl_rule rule = spoil(&w, head, &bad, kind);
                if (rule == KL_RULE_COUNT)
                    break;
                check_rule(&w, head, &bad, rule);
            }
            bft_world_take(&w, tip, true);
            kl_tip_unref(head);
        }
        bft_world_done(&w);
    }
}

/* The form of a body. */
KL_TEST(bft_judges_the_form_of_a_body)
{
    struct bft_world w;
    struct kl_tip *out;
    kl_body parts;
    bft_world_init(&w, KL_SCHEME_KEYED_HASH, 4, 3);
    bft_world_begin(&w);
    struct kl_tip *head = kl_chain_head(w.chain);
    struct kl_tip *tip = bft_world_build(&w, head, 1, 700);
    kl_span body = bft_world_body(&w, tip);
    CHECK_RULE(kl_body_decode(&parts, body), KL_RULE_NONE);
    for (usize cut = 0; cut < body.len; cut += 7) {
        kl_span torn = kl_span_sub(body, 0, cut);
        kl_rule rule = kl_body_decode(&parts, torn);
        CHECK(rule != KL_RULE_NONE);
        CHECK_RULE(bft_world_judge(&w, head, torn, &out), rule);
    }
    usize others = 0;
    u8 *room = KL_TAKE(&w.arena, u8, body.len + 1);
    for (usize at = 0; at <= body.len; at++) {
        memcpy(room, body.p, body.len);
        room[body.len] = 0;
        if (at < body.len)
            room[at] ^= 1;
        kl_span damaged = kl_span_of(room, body.len + (at == body.len));
        if (bft_world_judge(&w, head, damaged, &out) != KL_RULE_NONE)
            continue;
        CHECK(!kl_hash_eq(&out->hash, &tip->hash)); /* another block: its gas limit is its own */
        kl_tip_unref(out);
        others++;
    }
    CHECK(others < 4);
    struct body b;
    open_body(&w, tip, &b);
    kl_span good = close_body(&w, &b);
    CHECK(kl_span_eq(good, body));
    memcpy(room, body.p, body.len);
    room[body.len - 40] ^= 1; /* in the outbox root */
    CHECK_RULE(kl_body_decode(&parts, kl_span_of(room, body.len)), KL_RULE_CONSENSUS_HASH);
    kl_tip_unref(tip);
    kl_tip_unref(head);
    bft_world_done(&w);
}
