/* One question is open at a time; which peer it goes to next is a round, so that no peer, however
 * high it claims to be, is the only one asked. */
#include "sync/fetch.h"

#include <stdio.h>

#include "codec/rlp.h"
#include "crypto/keccak.h"
#include "types/header.h"

#define NEVER UINT64_MAX

struct peer {
    bool known;
    u64 height;
    u64 rest_until_ns; /* not asked before */
    u64 lacks;         /* a block that it was asked for and had nothing of; 0: none */
};

struct kl_fetch {
    kl_fetch_config config;
    kl_fetch_head head;
    struct peer peers[KL_FETCH_PEERS_MAX];
    kl_fetch_peer next; /* in the round */
    bool asked;         /* a question is open */
    bool taking;        /* blocks are being executed */
    kl_fetch_peer asked_peer;
    u64 asked_from, asked_to, deadline_ns;
    u64 timer_ns;
    u64 now_ns;
    kl_fetch_effects *out;
};

usize kl_fetch_footprint(void)
{
    return sizeof(struct kl_fetch);
}

struct kl_fetch *kl_fetch_init(void *room, const kl_fetch_config *config)
{
    struct kl_fetch *f = room;
    memset(f, 0, sizeof *f);
    f->config = *config;
    f->timer_ns = NEVER;
    return f;
}

static kl_fetch_effect *emit(struct kl_fetch *f, kl_fetch_effect_kind kind)
{
    KL_ASSERT(f->out->count < KL_FETCH_EFFECTS_MAX);
    kl_fetch_effect *effect = &f->out->list[f->out->count++];
    *effect = (kl_fetch_effect){.kind = kind};
    return effect;
}

static void rest(struct kl_fetch *f, kl_fetch_peer peer, u64 ns)
{
    f->peers[peer].rest_until_ns = kl_add_sat_u64(f->now_ns, ns);
}

/* It has told what no honest peer tells. */
static void penalize(struct kl_fetch *f, kl_fetch_peer peer, kl_rule rule)
{
    kl_fetch_effect *effect = emit(f, KL_FETCH_PENALIZE);
    effect->peer = peer;
    effect->rule = rule;
    rest(f, peer, kl_mul_sat_u64(f->config.rest_ns, 16));
}

/* --- what an answer is worth --- */

/* A header on the way from our head to a final block. */
struct link {
    u64 number;
    kl_hash parent_hash, hash;
};

static kl_rule link_of(struct link *out, kl_span header)
{
    kl_header h;
    KL_JUDGE(kl_header_decode(&h, header));
    *out = (struct link){.number = h.number, .parent_hash = h.parent_hash};
    out->hash = kl_keccak256(header);
    return KL_RULE_NONE;
}

/* A body begins with its block, and that with its header; a record has its hash before them. */
static kl_rule header_of(const struct kl_fetch *f, kl_span *out, kl_span body)
{
    kl_rlp whole = {body}, items = whole;
    kl_span block;
    bool is_list;
    if (f->config.records) {
        kl_hash hash;
        KL_JUDGE(kl_rlp_list(&whole, &items));
        KL_JUDGE(kl_rlp_hash(&items, &hash));
    }
    KL_JUDGE(kl_rlp_item(&items, &block, &is_list));
    KL_JUDGE(kl_rlp_open(&items, block));
    return kl_rlp_item(&items, out, &is_list);
}

/* Does link lead on from the one before it, within our epoch? */
static kl_rule leads_on(const struct kl_fetch *f, const struct link *before,
                        const struct link *link)
{
    bool on = link->number == before->number + 1 && link->number <= f->head.last_height &&
              kl_hash_eq(&link->parent_hash, &before->hash);
    return on ? KL_RULE_NONE : KL_RULE_FETCH_CHAIN;
}

/* Is this a Finalization of link's block by our epoch's validators?  An epoch's last block may have
 * been proposed again, as its own parent [Simplex R1]. */
static kl_rule is_final(const struct kl_fetch *f, const struct link *link, kl_span bytes)
{
    kl_certificate certificate;
    KL_JUDGE(kl_certificate_decode(&certificate, bytes));
    const kl_proposal *p = &certificate.subject.proposal;
    bool again = link->number == f->head.last_height && kl_hash_eq(&p->parent_hash, &link->hash);
    bool names_it = certificate.subject.kind == KL_VOTE_FINALIZE && p->epoch == f->head.epoch &&
                    p->height == link->number && kl_hash_eq(&p->block_hash, &link->hash) &&
                    (again || kl_hash_eq(&p->parent_hash, &link->parent_hash));
    if (!names_it)
        return KL_RULE_FETCH_FINALITY;
    return kl_certificate_check(&certificate, f->head.set, &f->config.domain);
}

/* From the last block, which is final through a later one, up to that one. */
static kl_rule check_headers(const struct kl_fetch *f, const kl_message *m, struct link at)
{
    for (usize i = 0; i < m->header_count; i++) {
        struct link link;
        KL_JUDGE(link_of(&link, m->headers[i]));
        KL_JUDGE(leads_on(f, &at, &link));
        at = link;
    }
    return is_final(f, &at, m->finalization);
}

/* *count: how many blocks of the answer are shown to be final. */
static kl_rule check_blocks(const struct kl_fetch *f, const kl_message *m, usize *count)
{
    struct link at = {.number = f->head.height, .hash = f->head.hash};
    *count = 0;
    for (usize i = 0; i < m->block_count; i++) {
        struct link link;
        kl_span header;
        KL_JUDGE(header_of(f, &header, m->blocks[i].body));
        KL_JUDGE(link_of(&link, header));
        KL_JUDGE(leads_on(f, &at, &link));
        at = link;
        if (m->blocks[i].finalization.len == 0)
            continue;
        KL_JUDGE(is_final(f, &at, m->blocks[i].finalization));
        *count = i + 1;
    }
    if (m->header_count == 0)
        return KL_RULE_NONE;
    KL_JUDGE(check_headers(f, m, at));
    *count = m->block_count;
    return KL_RULE_NONE;
}

/* --- the round --- */

/* The next peer that is higher than we are and may be asked; NEVER, or when one may be. */
static bool choose(const struct kl_fetch *f, kl_fetch_peer *out, u64 *when_ns)
{
    *when_ns = NEVER;
    for (u32 i = 0; i < KL_FETCH_PEERS_MAX; i++) {
        kl_fetch_peer at = (f->next + i) % KL_FETCH_PEERS_MAX;
        const struct peer *peer = &f->peers[at];
        if (!peer->known || peer->height <= f->head.height)
            continue;
        if (peer->rest_until_ns <= f->now_ns) {
            *out = at;
            return true;
        }
        *when_ns = KL_MIN(*when_ns, peer->rest_until_ns);
    }
    return false;
}

static void ask(struct kl_fetch *f, kl_fetch_peer peer)
{
    u64 from = f->head.height + 1;
    u64 most = KL_MIN(f->peers[peer].height, f->head.last_height);
    f->asked = true;
    f->asked_peer = peer;
    f->asked_from = from;
    f->asked_to = KL_MIN(most, kl_add_sat_u64(from, KL_FETCH_BATCH - 1));
    f->deadline_ns = kl_add_sat_u64(f->now_ns, f->config.timeout_ns);
    f->next = (peer + 1) % KL_FETCH_PEERS_MAX;
    kl_fetch_effect *effect = emit(f, KL_FETCH_ASK);
    effect->peer = peer;
    effect->from = f->asked_from;
    effect->to = f->asked_to;
}

/* Asks, when nothing is under way and somebody can be asked; then says when it is due again. */
static void go_on(struct kl_fetch *f)
{
    u64 due_ns = NEVER;
    kl_fetch_peer peer;
    if (f->head.set && !f->asked && !f->taking && choose(f, &peer, &due_ns))
        ask(f, peer);
    if (f->asked)
        due_ns = f->deadline_ns;
    if (due_ns == f->timer_ns)
        return;
    f->timer_ns = due_ns;
    emit(f, KL_FETCH_SET_TIMER)->at_ns = due_ns;
}

/* --- what happens --- */

static void on_head(struct kl_fetch *f, const kl_fetch_head *head)
{
    f->head = *head;
    f->taking = false;
    if (f->asked && f->asked_from <= head->height)
        f->asked = false; /* what it was about is here by other ways */
}

/* Else it comes too late, or was never asked for: a peer may still answer what our last life has
 * asked. */
bool kl_fetch_expects(const struct kl_fetch *f, kl_fetch_peer peer, const kl_message *m)
{
    return f->asked && peer == f->asked_peer && m->from == f->asked_from &&
           m->block_count <= f->asked_to - f->asked_from + 1;
}

static void on_answer(struct kl_fetch *f, kl_fetch_peer peer, const kl_message *m)
{
    usize count;
    if (!kl_fetch_expects(f, peer, m))
        return;
    f->asked = false;
    kl_rule broken = check_blocks(f, m, &count);
    if (broken != KL_RULE_NONE) {
        penalize(f, peer, broken);
        return;
    }
    if (!m->block_count)
        f->peers[peer].lacks = f->asked_from;
    if (count == 0) { /* it has less than it said, or cannot show more */
        rest(f, peer, f->config.rest_ns);
        return;
    }
    f->taking = true;
    kl_fetch_effect *effect = emit(f, KL_FETCH_TAKE);
    effect->peer = peer;
    effect->count = count;
}

static void on_timer(struct kl_fetch *f)
{
    if (!f->asked || f->now_ns < f->deadline_ns)
        return;
    f->asked = false;
    rest(f, f->asked_peer, f->config.rest_ns);
}

static void forget(struct kl_fetch *f, kl_fetch_peer peer)
{
    f->peers[peer] = (struct peer){0};
    if (f->asked && f->asked_peer == peer)
        f->asked = false;
}

void kl_fetch_step(struct kl_fetch *f, const kl_fetch_event *event, u64 now_ns,
                   kl_fetch_effects *out)
{
    KL_ASSERT(event->peer < KL_FETCH_PEERS_MAX);
    out->count = 0;
    f->out = out;
    f->now_ns = now_ns;
    switch (event->kind) {
    case KL_FETCH_HEAD:
        on_head(f, event->head);
        break;
    case KL_FETCH_HEIGHT:
        f->peers[event->peer].known = true;
        f->peers[event->peer].height = event->height;
        break;
    case KL_FETCH_GONE:
        forget(f, event->peer);
        break;
    case KL_FETCH_BLOCKS:
        on_answer(f, event->peer, event->message);
        break;
    case KL_FETCH_FAILED:
        f->taking = false;
        rest(f, f->asked_peer, f->config.rest_ns);
        break;
    case KL_FETCH_TIMER:
        on_timer(f);
        break;
    }
    go_on(f);
}

bool kl_fetch_is_behind(const struct kl_fetch *f, u64 now_ns)
{
    bool behind = f->asked || f->taking;
    for (u32 i = 0; i < KL_FETCH_PEERS_MAX && !behind; i++) {
        const struct peer *peer = &f->peers[i];
        behind = peer->known && peer->height > f->head.height && peer->rest_until_ns <= now_ns;
    }
    return behind;
}

u64 kl_fetch_credible(const struct kl_fetch *f, u32 least)
{
    u64 best = 0;
    u32 known = 0;
    for (u32 i = 0; i < KL_FETCH_PEERS_MAX; i++)
        known += f->peers[i].known;
    for (u32 i = 0; i < KL_FETCH_PEERS_MAX; i++) {
        u64 height = f->peers[i].height;
        u32 count = 0;
        if (!f->peers[i].known || height <= best)
            continue;
        for (u32 k = 0; k < KL_FETCH_PEERS_MAX; k++)
            count += f->peers[k].known && f->peers[k].height >= height;
        if (3 * count > known && count >= least)
            best = height;
    }
    return best;
}

u64 kl_fetch_target(const struct kl_fetch *f)
{
    u64 target = f->head.height;
    for (u32 i = 0; i < KL_FETCH_PEERS_MAX; i++)
        if (f->peers[i].known)
            target = KL_MAX(target, f->peers[i].height);
    return target;
}

kl_fetch_lack kl_fetch_lack_of(const struct kl_fetch *f)
{
    kl_fetch_lack lack = {.number = f->head.height + 1};
    for (u32 i = 0; i < KL_FETCH_PEERS_MAX; i++) {
        const struct peer *peer = &f->peers[i];
        if (!peer->known || peer->height < lack.number)
            continue;
        if (peer->lacks != lack.number)
            return (kl_fetch_lack){0};
        lack.peers++;
    }
    return lack.peers ? lack : (kl_fetch_lack){0};
}

void kl_fetch_lack_text(char out[KL_FETCH_LACK_MAX], const kl_fetch_lack *lack)
{
    out[0] = '\0';
    if (lack->number)
        snprintf(out, KL_FETCH_LACK_MAX,
                 "no peer has block %llu any more (%u asked): add one that keeps all blocks, or "
                 "begin with a copy of a data folder",
                 (unsigned long long)lack->number, lack->peers);
}
