#include "lab/attack_priv.h"

#include <stdlib.h>

#include "crypto/keccak.h"
#include "lab/oracle_priv.h"

enum { TIPS = 8 };

/* What the faulty share: a machine to execute blocks on, and the final blocks each has seen last.
 */
struct kl_lab_attacker {
    struct kl_exec *exec;
    struct kl_run *run;
    struct kl_arena arena;
    struct kl_buf frame, body;
    struct kl_tip *tips[KL_LAB_MACHINES_MAX][TIPS];
};

void kl_lab_attack_begin(struct kl_lab *lab)
{
    if (!lab->plan.faulty)
        return;
    struct kl_lab_attacker *a = lab->attacker = kl_lab_memory(sizeof *a);
    const kl_exec_config config = {
        .evm_memory_limit = 1 << 26, .journal_memory_limit = 1 << 26, .codes = lab->codes};
    KL_ASSERT(kl_exec_new(&a->exec, &config) == KL_OK);
    KL_ASSERT(kl_run_new(&a->run, a->exec) == KL_OK);
    kl_arena_init(&a->arena, SIZE_MAX);
    kl_buf_init(&a->frame, KL_MESSAGE_MAX);
    kl_buf_init(&a->body, KL_BODY_MAX);
}

void kl_lab_attack_forget(struct kl_lab_machine *machine)
{
    struct kl_lab_attacker *a = machine->lab->attacker;
    for (u32 i = 0; a && i < TIPS; i++) {
        kl_tip_unref(a->tips[machine->index][i]);
        a->tips[machine->index][i] = NULL;
    }
}

void kl_lab_attack_done(struct kl_lab *lab)
{
    struct kl_lab_attacker *a = lab->attacker;
    if (!a)
        return;
    kl_run_free(a->run);
    kl_exec_free(a->exec);
    kl_arena_done(&a->arena);
    kl_buf_done(&a->frame);
    kl_buf_done(&a->body);
    free(a);
    lab->attacker = NULL;
}

void kl_lab_attack_final(struct kl_lab_machine *machine, struct kl_tip *tip)
{
    if (machine->attack != KL_LAB_IS_OLD_PARENT)
        return;
    struct kl_tip **slot = &machine->lab->attacker->tips[machine->index][tip->header.number % TIPS];
    kl_tip_unref(*slot);
    *slot = kl_tip_ref(tip);
}

/* --- frames made anew --- */

static kl_vote_domain domain_of(const struct kl_lab *lab)
{
    return (kl_vote_domain){.chain_id = KL_LAB_CHAIN_ID, .genesis_hash = lab->genesis_hash};
}

static void carry_to(struct kl_lab_machine *machine, u32 peer, struct kl_lab_frame *frame,
                     u64 extra_ns)
{
    for (u32 to = 0; to < machine->lab->count; to++)
        if (peer == KL_REPLICA_ALL || peer == to)
            kl_lab_carry(machine, to, frame, extra_ns);
}

static void carry_message(struct kl_lab_machine *machine, u32 peer, const kl_message *message)
{
    struct kl_lab *lab = machine->lab;
    struct kl_buf *out = &lab->attacker->frame;
    kl_buf_clear(out);
    kl_message_encode(out, message, lab->scheme);
    KL_ASSERT(!out->failed);
    struct kl_lab_frame *frame = kl_lab_frame_new(message->kind, kl_buf_view(out));
    kl_lab_oracle_sends(machine, frame);
    carry_to(machine, peer, frame, 0);
    kl_lab_frame_unref(frame);
}

/* A vote of the machine's own; a proposal when there is a body. */
static void carry_vote(struct kl_lab_machine *machine, u32 peer, const kl_vote_subject *subject,
                       u32 signer, kl_span body)
{
    struct kl_lab *lab = machine->lab;
    const kl_vote_domain domain = domain_of(lab);
    kl_message message = {.kind = body.len ? KL_MESSAGE_PROPOSAL : KL_MESSAGE_VOTE, .body = body};
    KL_ASSERT(kl_vote_sign(&message.vote, subject, signer, lab->scheme,
                           &lab->secrets[machine->validator], &domain));
    carry_message(machine, peer, &message);
}

static bool decode(struct kl_lab *lab, const struct kl_lab_frame *frame, kl_message *out)
{
    kl_rule broken;
    kl_arena_reset(&lab->attacker->arena, 1 << 16);
    return kl_message_decode(out, kl_span_of(frame->bytes, frame->len), lab->scheme,
                             &lab->attacker->arena, &broken) == KL_OK &&
           broken == KL_RULE_NONE;
}

static usize list_head(const u8 *p)
{
    return p[0] > 0xf7 ? 1u + (p[0] - 0xf7u) : 1;
}

static usize list_len(const u8 *p)
{
    usize len = 0, bytes = list_head(p) - 1;
    for (usize i = 0; i < bytes; i++)
        len = len << 8 | p[1 + i];
    return list_head(p) + (bytes ? len : p[0] - 0xc0u);
}

/* The same block for another coinbase: as good as the first when it has no transaction. */
static kl_span other_body(struct kl_lab *lab, kl_span body, kl_hash *hash)
{
    u8 *p = kl_arena_take(&lab->attacker->arena, body.len, 1);
    KL_ASSERT(p);
    memcpy(p, body.p, body.len);
    u8 *header = p + list_head(p);
    u8 *coinbase = header + list_head(header) + 33 + 33 + 1;
    coinbase[7] ^= 1;
    *hash = kl_keccak256(kl_span_of(header, list_len(header)));
    return kl_span_of(p, body.len);
}

/* --- what leaders do --- */

static bool is_again(const kl_vote_subject *subject)
{
    return kl_hash_eq(&subject->proposal.block_hash, &subject->proposal.parent_hash);
}

/* Two blocks in one view, to about half each; some get both. */
static void propose_twice(struct kl_lab_machine *machine, const kl_message *m)
{
    struct kl_lab *lab = machine->lab;
    kl_vote_subject other = m->vote.subject;
    kl_span body = other_body(lab, m->body, &other.proposal.block_hash);
    u64 half = kl_rand(&lab->dice);
    for (u32 to = 0; to < lab->count; to++) {
        bool first = half >> to & 1, both = kl_lab_percent(lab, 15);
        if (first || both)
            carry_vote(machine, to, &m->vote.subject, m->vote.signer, m->body);
        if (!first || both)
            carry_vote(machine, to, &other, m->vote.signer, body);
    }
}

/* Votes of more than one kind go to a random half each. */
static void vote_for_all(struct kl_lab_machine *machine, const kl_message *m)
{
    struct kl_lab *lab = machine->lab;
    const kl_proposal *p = &m->vote.subject.proposal;
    const kl_vote_subject nothing = {.kind = KL_VOTE_NULLIFY,
                                     .proposal = {.epoch = p->epoch, .view = p->view}};
    kl_vote_subject final = m->vote.subject;
    u64 half = kl_rand(&lab->dice);
    final.kind = KL_VOTE_FINALIZE;
    for (u32 to = 0; to < lab->count; to++) {
        carry_vote(machine, to, half >> to & 1 ? &m->vote.subject : &nothing, m->vote.signer,
                   KL_SPAN_NONE);
        if ((half >> (to + 32) & 1) && m->vote.subject.kind != KL_VOTE_NULLIFY)
            carry_vote(machine, to, &final, m->vote.signer, KL_SPAN_NONE);
    }
}

/* No transactions. */
static const kl_tx *no_tx(KL_UNUSED struct kl_tx_source *source, KL_UNUSED u64 gas_left)
{
    return NULL;
}

static struct kl_tip *build(struct kl_lab_machine *machine, struct kl_tip *parent, u64 view)
{
    struct kl_lab *lab = machine->lab;
    const kl_vote_domain domain = domain_of(lab);
    struct kl_tx_source source = {.next = no_tx};
    u8 proof[KL_RANDAO_PROOF_LEN];
    struct kl_tip *tip;
    KL_ASSERT(kl_randao_sign(proof, lab->scheme, &lab->secrets[machine->validator], &domain,
                             parent->epoch->number, view));
    const kl_bft_plan bft = {
        .view = view, .time_ms = kl_wall_ns(&machine->clock.base) / KL_MS, .randao_proof = proof};
    const kl_build_plan plan = {.gas_limit = parent->header.gas_limit, .tx_max = 0, .bft = &bft};
    kl_status status = kl_chain_build(kl_replica_chain(machine->replica), lab->attacker->run,
                                      parent, &plan, &source, &tip);
    return status == KL_OK ? tip : NULL;
}

/* A block on one that others have built on; its parent's view is true, or the newest's. */
static bool propose_on_old(struct kl_lab_machine *machine, u32 peer, const kl_message *m)
{
    struct kl_lab *lab = machine->lab;
    kl_vote_subject subject = m->vote.subject;
    kl_proposal *p = &subject.proposal;
    struct kl_tip *parent = lab->attacker->tips[machine->index][kl_lab_below(lab, TIPS)];
    if (!parent || parent->epoch->number != p->epoch || parent->header.number + 1 >= p->height)
        return false;
    kl_proposal floor = kl_tip_floor(parent);
    struct kl_tip *tip = floor.view < p->view ? build(machine, parent, p->view) : NULL;
    if (!tip)
        return false;
    p->parent_view = kl_lab_percent(lab, 70) ? floor.view : p->parent_view;
    p->parent_hash = parent->hash;
    p->height = tip->header.number;
    p->block_hash = tip->hash;
    kl_buf_clear(&lab->attacker->body);
    kl_body_of_tip(&lab->attacker->body, tip);
    kl_lab_tell(machine, "proposes height # on an old parent in view #", p->height, p->view, 0);
    carry_vote(machine, peer, &subject, m->vote.signer, kl_buf_view(&lab->attacker->body));
    kl_tip_unref(tip);
    return true;
}

/* --- garbage and lies --- */

static void carry_bytes(struct kl_lab_machine *machine, u32 peer, kl_message_kind kind,
                        const u8 *bytes, usize len)
{
    struct kl_lab_frame *frame = kl_lab_frame_new(kind, kl_span_of(bytes, len));
    carry_to(machine, peer, frame, 0);
    kl_lab_frame_unref(frame);
}

/* The frame with a few bits turned, or cut short, beside the true one. */
static void garbage(struct kl_lab_machine *machine, const struct kl_lab_frame *frame)
{
    struct kl_lab *lab = machine->lab;
    u8 *copy = kl_lab_memory(frame->len);
    usize len = frame->len;
    memcpy(copy, frame->bytes, len);
    u64 bits = 1 + kl_lab_below(lab, 3);
    for (u64 i = 0; i < bits && len; i++) {
        u64 tail = kl_lab_percent(lab, 60) ? KL_MIN(len, (usize)64) : len;
        unsigned bit = (unsigned)kl_lab_below(lab, 8);
        copy[len - 1 - kl_lab_below(lab, tail)] ^= (u8)(1u << bit);
    }
    if (kl_lab_percent(lab, 10))
        len = kl_lab_below(lab, len + 1);
    carry_bytes(machine, (u32)kl_lab_below(lab, lab->count), frame->kind, copy, len);
    free(copy);
}

/* A compact proposal that names what nobody has: with another hash in its list. */
static bool withhold_given(struct kl_lab_machine *machine, u32 peer, kl_message *m)
{
    struct kl_lab *lab = machine->lab;
    if (!kl_lab_percent(lab, 50))
        return false;
    kl_span hashes = m->compact.hashes;
    u8 *changed = kl_arena_take(&lab->attacker->arena, hashes.len, 1);
    KL_ASSERT(changed);
    memcpy(changed, hashes.p, hashes.len);
    changed[kl_lab_below(lab, hashes.len)] ^= 1;
    m->compact.hashes = kl_span_of(changed, hashes.len);
    m->given_count = 0;
    carry_message(machine, peer, m);
    return true;
}

/* Transactions of a block: none, fewer, or others. */
static bool lie_about_transactions(struct kl_lab_machine *machine, u32 peer, kl_message *m)
{
    struct kl_lab *lab = machine->lab;
    u64 how = kl_lab_below(lab, 4);
    if (how == 0 || !m->given_count)
        return how == 0; /* nothing is said, or the truth */
    usize at = kl_lab_below(lab, m->given_count);
    kl_message_tx *given = KL_TAKE(&lab->attacker->arena, kl_message_tx, m->given_count);
    u8 *envelope = kl_arena_take(&lab->attacker->arena, m->given[at].envelope.len, 1);
    KL_ASSERT(given && envelope);
    memcpy(given, m->given, m->given_count * sizeof *given);
    memcpy(envelope, given[at].envelope.p, given[at].envelope.len);
    envelope[kl_lab_below(lab, given[at].envelope.len)] ^= 1;
    if (how == 1)
        m->given_count--;
    else
        given[at].envelope.p = envelope;
    m->given = given;
    carry_message(machine, peer, m);
    return true;
}

/* Less than the state has, in a range or in a code. */
static bool lie_of_state(struct kl_lab_machine *machine, u32 peer, const struct kl_lab_frame *frame)
{
    kl_message m;
    if ((frame->kind != KL_MESSAGE_STATE && frame->kind != KL_MESSAGE_CODE) ||
        !decode(machine->lab, frame, &m))
        return false;
    u64 how = kl_lab_below(machine->lab, 4);
    if (how == 0)
        m.leaf_count = m.node_count = 0;
    else if (how == 1 && m.leaf_count)
        m.leaf_count--;
    else if (how == 2 && m.node_count)
        m.node_count--;
    else if (m.leaf_count) {
        m.leaves++;
        m.leaf_count--;
    }
    m.body = kl_span_sub(m.body, 1, SIZE_MAX);
    carry_message(machine, peer, &m);
    return true;
}

/* An answer to one who is behind: a byte changed, nothing at all, or what was not asked for. */
static bool lie(struct kl_lab_machine *machine, u32 peer, const struct kl_lab_frame *frame)
{
    struct kl_lab *lab = machine->lab;
    kl_message m;
    if (frame->kind == KL_MESSAGE_STATUS && decode(lab, frame, &m)) {
        m.from += kl_lab_below(lab, 2000);
        carry_message(machine, peer, &m);
        return true;
    }
    bool proposes = frame->kind == KL_MESSAGE_COMPACT;
    if ((proposes || frame->kind == KL_MESSAGE_TRANSACTIONS_OF) && decode(lab, frame, &m))
        return proposes ? withhold_given(machine, peer, &m)
                        : lie_about_transactions(machine, peer, &m);
    if (lie_of_state(machine, peer, frame))
        return true;
    if ((frame->kind != KL_MESSAGE_BLOCKS && frame->kind != KL_MESSAGE_RECORDS) ||
        !decode(lab, frame, &m))
        return false;
    u64 how = kl_lab_below(lab, 4);
    if (how == 0) {
        garbage(machine, frame);
        return true;
    }
    if (how == 1)
        m.block_count = m.header_count = 0;
    else if (how == 2)
        m.from += 1 + kl_lab_below(lab, 8);
    else if (m.block_count > 1)
        m.block_count--;
    if (how != 2)
        m.finalization = KL_SPAN_NONE;
    carry_message(machine, peer, &m);
    return true;
}

/* --- who does what --- */

bool kl_lab_changes_bodies(const struct kl_lab_machine *machine)
{
    return machine->attack == KL_LAB_IS_EQUIVOCATE || machine->attack == KL_LAB_IS_OLD_PARENT;
}

static bool twist_votes(struct kl_lab_machine *machine, u32 peer, const struct kl_lab_frame *frame)
{
    struct kl_lab *lab = machine->lab;
    kl_message m;
    bool proposes = frame->kind == KL_MESSAGE_PROPOSAL || frame->kind == KL_MESSAGE_COMPACT;
    if ((!proposes && frame->kind != KL_MESSAGE_VOTE) || !decode(lab, frame, &m))
        return false;
    if (proposes && (is_again(&m.vote.subject) || (!m.body.len && !m.compact.header.len)))
        return false;
    if (machine->attack == KL_LAB_IS_OLD_PARENT)
        return proposes && propose_on_old(machine, peer, &m);
    if (machine->attack == KL_LAB_IS_WITHHOLD) {
        for (u32 to = 0; proposes && to < lab->count; to++)
            if (kl_lab_percent(lab, 60))
                carry_vote(machine, to, &m.vote.subject, m.vote.signer, KL_SPAN_NONE);
        return proposes;
    }
    if (proposes)
        propose_twice(machine, &m);
    else
        vote_for_all(machine, &m);
    return true;
}

bool kl_lab_attack_sends(struct kl_lab_machine *machine, u32 peer, struct kl_lab_frame *frame)
{
    struct kl_lab *lab = machine->lab;
    switch (machine->attack) {
    case KL_LAB_IS_NONE:
    case KL_LAB_IS_TWIN:
    case KL_LAB_ATTACK_COUNT:
        return false;
    case KL_LAB_IS_SILENT:
        return true;
    case KL_LAB_IS_WITHHOLD:
        return frame->kind == KL_MESSAGE_BODY || frame->kind == KL_MESSAGE_TRANSACTIONS_OF ||
               twist_votes(machine, peer, frame);
    case KL_LAB_IS_EQUIVOCATE:
    case KL_LAB_IS_OLD_PARENT:
        return twist_votes(machine, peer, frame);
    case KL_LAB_IS_LATE:
        carry_to(machine, peer, frame, 2 * lab->plan.delta_ms * KL_MS - 5 * KL_MS);
        return true;
    case KL_LAB_IS_SELECTIVE:
        for (u32 to = machine->index % 2; to < lab->count; to += 2)
            if (peer == KL_REPLICA_ALL || peer == to)
                kl_lab_carry(machine, to, frame, 0);
        return true;
    case KL_LAB_IS_GARBAGE:
        garbage(machine, frame);
        return false;
    case KL_LAB_IS_LYING:
        return lie(machine, peer, frame);
    }
    return false;
}
