#include "lab/oracle_priv.h"

#include <stdlib.h>

#include "base/map.h"
#include "chain/reader.h"
#include "lab/work_priv.h"

enum { KINDS = 3 };

/* A view of an epoch, as it came to be known: numbers stand for proposals. */
struct view {
    struct {
        u64 epoch, view;
    } key;
    bool has[KINDS]; /* certificates, by kind - 1 */
    u64 certified[KINDS];
    u64 signed_for[KL_LAB_VALIDATORS_MAX][KINDS]; /* 0: nothing */
    u32 conflicts;                                /* bit per validator */
    struct view *next;
};

/* A certificate that was found good. */
struct known {
    u64 hash;
    struct known *next;
};

struct final {
    kl_hash hash, parent;
    u64 epoch, view, parent_view;
};

struct kl_lab_oracle {
    struct kl_map views, certificates;
    struct view *view_list;
    struct known *known_list;
    struct final *final; /* by height */
    u64 height, cap;
    kl_valset **sets; /* of epochs; each with its validators behind it */
    u64 epoch_count, epoch_cap;
    u8 keys[KL_LAB_VALIDATORS_MAX][KL_VOTE_KEY_MAX];
    u32 named;                                 /* validators against whom there was evidence */
    u32 open_conflicts[KL_LAB_VALIDATORS_MAX]; /* in calm weather, without evidence */
    struct kl_arena arena;
};

void kl_lab_saw(struct kl_lab *lab, kl_lab_sometimes what)
{
    lab->result->sometimes |= (u64)1 << what;
}

const char *kl_lab_sometimes_text(u32 n, u32 *least_validators)
{
    static const struct {
        const char *text;
        u32 least;
    } rows[] = {
#define KL_LAB_SOMETIMES_X(NAME, text, least) {text, least},
        KL_LAB_SOMETIMES(KL_LAB_SOMETIMES_X)
#undef KL_LAB_SOMETIMES_X
    };
    if (n >= KL_COUNT_OF(rows))
        return NULL;
    *least_validators = rows[n].least;
    return rows[n].text;
}

const kl_valset *kl_lab_oracle_set(const struct kl_lab *lab, u64 epoch)
{
    const struct kl_lab_oracle *o = lab->oracle;
    return epoch < o->epoch_count ? o->sets[epoch] : NULL;
}

u64 kl_lab_oracle_height(const struct kl_lab *lab)
{
    return lab->oracle->height;
}

static void learn_set(struct kl_lab_oracle *o, u64 epoch, const kl_valset *set)
{
    if (epoch != o->epoch_count)
        return;
    if (o->epoch_count == o->epoch_cap) {
        o->epoch_cap = o->epoch_cap ? 2 * o->epoch_cap : 16;
        o->sets = realloc(o->sets, o->epoch_cap * sizeof(kl_valset *));
        KL_ASSERT(o->sets);
    }
    usize bytes = set->count * sizeof *set->validators;
    kl_valset *copy = kl_lab_memory(sizeof *copy + bytes);
    memcpy(copy + 1, set->validators, bytes);
    *copy = *set;
    copy->validators = (const kl_validator *)(copy + 1);
    o->sets[o->epoch_count++] = copy;
}

static void learn_epoch(struct kl_lab_oracle *o, const struct kl_epoch *epoch)
{
    learn_set(o, epoch->number, &epoch->set);
}

static struct final *add_final(struct kl_lab_oracle *o)
{
    if (o->height + 1 >= o->cap) {
        o->cap = o->cap ? 2 * o->cap : 256;
        o->final = realloc(o->final, o->cap * sizeof *o->final);
        KL_ASSERT(o->final);
    }
    return &o->final[++o->height];
}

void kl_lab_oracle_begin(struct kl_lab *lab, struct kl_epoch *first)
{
    struct kl_lab_oracle *o = lab->oracle = kl_lab_memory(sizeof *o);
    kl_map_init(&o->views, offsetof(struct view, key), sizeof(((struct view *)0)->key), 1);
    kl_map_init(&o->certificates, offsetof(struct known, hash), sizeof(u64), 2);
    kl_arena_init(&o->arena, SIZE_MAX);
    learn_epoch(o, first);
    o->height = UINT64_MAX;
    o->final = kl_lab_memory(256 * sizeof *o->final);
    o->cap = 256;
    *add_final(o) = (struct final){.hash = lab->genesis_hash};
    for (u32 i = 0; i < lab->plan.keys; i++)
        KL_ASSERT(lab->scheme->public_key(o->keys[i], &lab->secrets[i]));
}

void kl_lab_oracle_done(struct kl_lab *lab)
{
    struct kl_lab_oracle *o = lab->oracle;
    if (!o)
        return;
    while (o->view_list) {
        struct view *next = o->view_list->next;
        free(o->view_list);
        o->view_list = next;
    }
    while (o->known_list) {
        struct known *next = o->known_list->next;
        free(o->known_list);
        o->known_list = next;
    }
    for (u64 i = 0; i < o->epoch_count; i++)
        free(o->sets[i]);
    kl_map_done(&o->views);
    kl_map_done(&o->certificates);
    kl_arena_done(&o->arena);
    free(o->sets);
    free(o->final);
    free(o);
    lab->oracle = NULL;
}

static struct view *view_of(struct kl_lab_oracle *o, u64 epoch, u64 view)
{
    const u64 key[2] = {epoch, view};
    struct view *v = kl_map_get(&o->views, key);
    if (v)
        return v;
    v = kl_lab_memory(sizeof *v);
    v->key.epoch = epoch;
    v->key.view = view;
    v->next = o->view_list;
    o->view_list = v;
    KL_ASSERT(kl_map_put(&o->views, v) == KL_OK);
    return v;
}

/* A number for what a subject is about, never 0; the same for notarize and finalize. */
static u64 proposal_number(const kl_vote_subject *subject)
{
    const kl_proposal *p = &subject->proposal;
    if (subject->kind == KL_VOTE_NULLIFY)
        return 1;
    u64 words[2] = {p->parent_view, p->height};
    return (kl_lab_hash(words, sizeof words) ^ kl_lab_hash(p->parent_hash.b, 32) * 3 ^
            kl_lab_hash(p->block_hash.b, 32) * 5) |
           2;
}

/* Whose key stands at a place of an epoch's set; KL_BFT_NOBODY when it is nobody's here. */
static u32 validator_at(const struct kl_lab *lab, u64 epoch, u32 place)
{
    const kl_valset *set = kl_lab_oracle_set(lab, epoch);
    if (!set || place >= set->count)
        return KL_BFT_NOBODY;
    for (u32 i = 0; i < lab->plan.keys; i++)
        if (memcmp(set->validators[place].key, lab->oracle->keys[i], lab->scheme->key_len) == 0)
            return i;
    return KL_BFT_NOBODY;
}

static bool is_faulty(const struct kl_lab *lab, u32 validator)
{
    return lab->plan.attacks[validator] != KL_LAB_IS_NONE || (lab->restored >> validator & 1);
}

/* 12, and 1 to 5 where more than F are faulty on purpose: a fork is no failure then, if it can be
 * shown who made it. */
static void disagree(struct kl_lab *lab, u32 assertion, const char *what, u64 a, u64 b)
{
    if (!lab->plan.too_many) {
        kl_lab_break(lab, assertion, "%s (%llu, %llu)", what, (unsigned long long)a,
                     (unsigned long long)b);
        return;
    }
    u32 liars = 0;
    u64 weight = 0, total = 0;
    for (const struct view *v = lab->oracle->view_list; v; v = v->next)
        liars |= v->conflicts;
    for (u32 i = 0; i < lab->plan.keys; i++) {
        total += lab->plan.weights[i];
        if (liars >> i & 1)
            weight += lab->plan.weights[i];
        if ((liars >> i & 1) && !is_faulty(lab, i))
            kl_lab_break(lab, 12, "validator %u is honest and seems to have lied", i);
    }
    if (weight <= (total - 1) / 3)
        kl_lab_break(lab, 12, "agreement is broken (%s), and only weight %llu of %llu has lied",
                     what, (unsigned long long)weight, (unsigned long long)total);
    kl_lab_saw(lab, KL_LAB_SAW_FORK);
    lab->over = true;
}

/* --- votes --- */

static void note_vote(struct kl_lab *lab, const kl_vote_subject *subject, u32 validator)
{
    const kl_proposal *p = &subject->proposal;
    struct view *v = view_of(lab->oracle, p->epoch, p->view);
    u64 *mine = v->signed_for[validator], number = proposal_number(subject);
    u32 kind = subject->kind - 1;
    bool conflicts = mine[kind] && mine[kind] != number;
    mine[kind] = number;
    conflicts |= mine[KL_VOTE_NULLIFY - 1] && mine[KL_VOTE_FINALIZE - 1];
    if (!conflicts)
        return;
    if (!is_faulty(lab, validator))
        kl_lab_break(lab, 7, "validator %u has signed conflicting votes in view %llu of epoch %llu",
                     validator, (unsigned long long)p->view, (unsigned long long)p->epoch);
    if (!(v->conflicts >> validator & 1) && lab->calm)
        lab->oracle->open_conflicts[validator]++;
    v->conflicts |= 1u << validator;
}

/* Who votes in an epoch is known to whoever has the last block of the one before, a moment before
 * anybody shows it. */
static void look_ahead(struct kl_lab_machine *machine, u64 epoch)
{
    struct kl_lab_oracle *o = machine->lab->oracle;
    if (epoch != o->epoch_count)
        return;
    struct kl_tip *head = kl_chain_head(kl_replica_chain(machine->replica));
    learn_epoch(o, head->epoch);
    kl_tip_unref(head);
}

void kl_lab_oracle_signs(struct kl_lab_machine *machine, const kl_vote *vote)
{
    look_ahead(machine, vote->subject.proposal.epoch);
    u32 validator = validator_at(machine->lab, vote->subject.proposal.epoch, vote->signer);
    if (validator != machine->validator) {
        kl_lab_break(machine->lab, 7, "machine %u signs as validator %u", machine->index,
                     validator);
        return;
    }
    const kl_proposal *p = &vote->subject.proposal;
    if (vote->subject.kind == KL_VOTE_NOTARIZE && kl_hash_eq(&p->block_hash, &p->parent_hash))
        kl_lab_saw(machine->lab, KL_LAB_SAW_REPROPOSED);
    note_vote(machine->lab, &vote->subject, validator);
}

/* A vote on the wire, of whoever signed it. */
static void see_vote(struct kl_lab_machine *machine, const kl_vote *vote)
{
    struct kl_lab *lab = machine->lab;
    u64 epoch = vote->subject.proposal.epoch;
    const kl_valset *set = kl_lab_oracle_set(lab, epoch);
    u32 validator = validator_at(lab, epoch, vote->signer);
    if (validator == KL_BFT_NOBODY)
        return;
    const kl_vote_domain domain = {.chain_id = KL_LAB_CHAIN_ID, .genesis_hash = lab->genesis_hash};
    if (kl_vote_check(vote, set, &domain) != KL_RULE_NONE) {
        if (kl_lab_is_honest(machine))
            kl_lab_break(lab, 7, "machine %u sends a vote that does not hold", machine->index);
        return;
    }
    note_vote(lab, &vote->subject, validator);
}

/* --- certificates --- */

static bool has_quorum(struct kl_lab *lab, const kl_certificate *c, const kl_valset *set)
{
    u8 preimage[KL_VOTE_PREIMAGE_LEN];
    const kl_vote_domain domain = {.chain_id = KL_LAB_CHAIN_ID, .genesis_hash = lab->genesis_hash};
    const u8 *keys[KL_VALIDATORS_MAX];
    const kl_vote_scheme *scheme = lab->scheme;
    u64 weight = 0, total = 0;
    usize signers = 0, at = 0;
    kl_vote_preimage(preimage, &domain, scheme->id, &c->subject);
    for (u32 i = 0; i < KL_VALIDATORS_MAX; i++) {
        bool signs = c->signers[i / 8] >> (i % 8) & 1;
        if (i >= set->count && signs)
            return false;
        if (i >= set->count)
            continue;
        total += set->validators[i].weight;
        if (!signs)
            continue;
        keys[signers++] = set->validators[i].key;
        weight += set->validators[i].weight;
        if (scheme->aggregates)
            continue;
        if (at + scheme->signature_len > c->signatures.len ||
            !scheme->verify(set->validators[i].key, KL_SPAN_OF(preimage), c->signatures.p + at))
            return false;
        at += scheme->signature_len;
    }
    if (scheme->aggregates &&
        (c->signatures.len != scheme->signature_len ||
         !scheme->verify_aggregate(keys, signers, KL_SPAN_OF(preimage), c->signatures.p)))
        return false;
    return weight * 3 > total * 2;
}

static void note_certificate(struct kl_lab *lab, const kl_certificate *c)
{
    const u32 n = KL_VOTE_NOTARIZE - 1, f = KL_VOTE_FINALIZE - 1, z = KL_VOTE_NULLIFY - 1;
    const kl_proposal *p = &c->subject.proposal;
    struct view *v = view_of(lab->oracle, p->epoch, p->view);
    u32 kind = c->subject.kind - 1;
    u64 number = proposal_number(&c->subject);
    if (v->has[kind] && v->certified[kind] != number)
        disagree(lab, 3, "a view and epoch have two certificates of one kind", p->view, p->epoch);
    v->has[kind] = true;
    v->certified[kind] = number;
    if (v->has[f] && v->has[z])
        disagree(lab, 2, "a view and epoch are nullified and final", p->view, p->epoch);
    if (v->has[f] && !v->has[n])
        disagree(lab, 5, "a view and epoch are final and not notarized", p->view, p->epoch);
    if (v->has[f] && v->has[n] && v->certified[f] != v->certified[n])
        disagree(lab, 3, "a view and epoch are final with another block than notarized", p->view,
                 p->epoch);
    if (v->has[z])
        kl_lab_saw(lab, KL_LAB_SAW_NULLIFIED);
    if (v->has[n] && v->has[z])
        kl_lab_saw(lab, KL_LAB_SAW_BOTH);
}

static void see_certificate(struct kl_lab_machine *machine, const kl_certificate *c, u64 hash)
{
    struct kl_lab *lab = machine->lab;
    struct kl_lab_oracle *o = lab->oracle;
    if (kl_map_get(&o->certificates, &hash))
        return;
    const kl_valset *set = kl_lab_oracle_set(lab, c->subject.proposal.epoch);
    if (!set || !has_quorum(lab, c, set)) {
        if (kl_lab_is_honest(machine))
            kl_lab_break(lab, 6, "machine %u sends a certificate of view %llu without a quorum",
                         machine->index, (unsigned long long)c->subject.proposal.view);
        return;
    }
    struct known *known = kl_lab_memory(sizeof *known);
    *known = (struct known){.hash = hash, .next = o->known_list};
    o->known_list = known;
    KL_ASSERT(kl_map_put(&o->certificates, known) == KL_OK);
    note_certificate(lab, c);
}

static void see_asking(struct kl_lab *lab, kl_message_kind kind)
{
    if (kind == KL_MESSAGE_ASK_CERTIFICATES)
        kl_lab_saw(lab, KL_LAB_SAW_ASKED_CERTIFICATES);
    else if (kind == KL_MESSAGE_ASK_BODY)
        kl_lab_saw(lab, KL_LAB_SAW_ASKED_BODY);
    else if (kind == KL_MESSAGE_BLOCKS)
        kl_lab_saw(lab, KL_LAB_SAW_FETCHED);
}

void kl_lab_oracle_sends(struct kl_lab_machine *machine, const struct kl_lab_frame *frame)
{
    struct kl_lab *lab = machine->lab;
    kl_message message;
    kl_rule broken;
    see_asking(lab, frame->kind);
    if (frame->kind != KL_MESSAGE_VOTE && frame->kind != KL_MESSAGE_PROPOSAL &&
        frame->kind != KL_MESSAGE_COMPACT && frame->kind != KL_MESSAGE_CERTIFICATE)
        return;
    kl_arena_reset(&lab->oracle->arena, 1 << 16);
    KL_ASSERT(kl_message_decode(&message, kl_span_of(frame->bytes, frame->len), lab->scheme,
                                &lab->oracle->arena, &broken) == KL_OK);
    if (broken != KL_RULE_NONE) {
        if (kl_lab_is_honest(machine))
            kl_lab_break(lab, 0, "machine %u sends a message that breaks %s", machine->index,
                         kl_rule_name(broken));
        return;
    }
    if (frame->kind == KL_MESSAGE_CERTIFICATE)
        see_certificate(machine, &message.certificate, frame->hash);
    else
        see_vote(machine, &message.vote);
}

void kl_lab_oracle_found(struct kl_lab_machine *machine, const kl_evidence *evidence)
{
    struct kl_lab *lab = machine->lab;
    const kl_vote_subject *a = &evidence->first.subject, *b = &evidence->second.subject;
    u64 epoch = a->proposal.epoch;
    u32 validator = validator_at(lab, epoch, evidence->first.signer);
    const kl_vote_domain domain = {.chain_id = KL_LAB_CHAIN_ID, .genesis_hash = lab->genesis_hash};
    const kl_valset *set = kl_lab_oracle_set(lab, epoch);
    kl_lab_saw(lab, KL_LAB_SAW_EVIDENCE);
    if (!kl_lab_is_honest(machine))
        return;
    bool conflict = a->proposal.view == b->proposal.view && epoch == b->proposal.epoch &&
                    evidence->first.signer == evidence->second.signer &&
                    (a->kind == b->kind ? proposal_number(a) != proposal_number(b)
                                        : a->kind + b->kind == KL_VOTE_NULLIFY + KL_VOTE_FINALIZE);
    if (validator == KL_BFT_NOBODY || !conflict ||
        kl_vote_check(&evidence->first, set, &domain) != KL_RULE_NONE ||
        kl_vote_check(&evidence->second, set, &domain) != KL_RULE_NONE) {
        kl_lab_break(lab, 10, "machine %u finds evidence that is none", machine->index);
        return;
    }
    if (!is_faulty(lab, validator))
        kl_lab_break(lab, 10, "there is evidence against validator %u, who is honest", validator);
    lab->oracle->named |= 1u << validator;
    lab->oracle->open_conflicts[validator] = 0;
}

/* --- final blocks --- */

static void check_gap(struct kl_lab *lab, const struct final *f)
{
    const u32 final = KL_VOTE_FINALIZE - 1, nullify = KL_VOTE_NULLIFY - 1;
    for (u64 view = f->parent_view + 1; view < f->view; view++) {
        const struct view *v = view_of(lab->oracle, f->epoch, view);
        kl_lab_saw(lab, KL_LAB_SAW_GAP);
        if (!v->has[nullify])
            disagree(lab, 4, "a final block of a view skips one that was not nullified", f->view,
                     view);
        if (v->has[final])
            disagree(lab, 4, "a final block of a view skips one that is final", f->view, view);
    }
}

static void check_parent(struct kl_lab *lab, const struct final *f, const struct final *parent,
                         u64 height)
{
    if (!kl_hash_eq(&f->parent, &parent->hash))
        disagree(lab, 4, "a final block's height is not on its parent", height, f->view);
    bool begins_epoch = height == 1 || f->epoch != parent->epoch;
    if (begins_epoch ? f->parent_view != 0 : f->parent_view != parent->view)
        disagree(lab, 4, "a final block names a parent view that is not its parent's", f->view,
                 f->parent_view);
    if (f->parent_view >= f->view)
        disagree(lab, 4, "a final block's view is not above its parent's", f->view, f->parent_view);
    check_gap(lab, f);
}

/* Reads the block's transactions from the machine that showed it first. */
static void read_block(struct kl_lab_machine *machine, u64 height)
{
    struct kl_lab *lab = machine->lab;
    struct kl_reader *reader;
    kl_stored_block block;
    struct kl_arena *arena = &lab->oracle->arena;
    kl_arena_reset(arena, 1 << 16);
    KL_ASSERT(kl_reader_open(kl_replica_chain(machine->replica), &reader) == KL_OK);
    kl_status status = kl_reader_block(reader, height, arena, &block);
    if (status == KL_OK)
        kl_lab_work_final(lab, &block);
    else if (!machine->harmed && !machine->broken)
        kl_lab_break(lab, 8, "machine %u has shown height %llu as final and cannot read it: %s",
                     machine->index, (unsigned long long)height, kl_status_text(status));
    kl_reader_close(reader);
}

/* A block that a machine shows, or has shown before it went down a moment ago. */
static void note_final(struct kl_lab_machine *machine, u64 height, const struct final *block)
{
    struct kl_lab *lab = machine->lab;
    struct kl_lab_oracle *o = lab->oracle;
    kl_lab_saw(lab, KL_LAB_SAW_FINAL);
    if (height <= o->height) {
        if (!kl_hash_eq(&o->final[height].hash, &block->hash))
            disagree(lab, 1, "two blocks are final at a height", height, machine->index);
        return;
    }
    if (height != o->height + 1) {
        disagree(lab, 4, "a height is final before the one below it", height, o->height);
        return;
    }
    *add_final(o) = *block;
    check_parent(lab, block, &o->final[height - 1], height);
    lab->result->height = height;
    lab->newest_final_ns = lab->now_ns;
    read_block(machine, height);
}

void kl_lab_oracle_final(struct kl_lab_machine *machine, struct kl_tip *tip)
{
    struct kl_lab *lab = machine->lab;
    u64 height = tip->header.number;
    if (tip->step != KL_STEP_BLOCK)
        return;
    machine->acknowledged = KL_MAX(machine->acknowledged, height);
    if (machine->validator == KL_BFT_NOBODY)
        kl_lab_saw(lab, KL_LAB_SAW_OBSERVED);
    if (tip->epoch->number != tip->consensus.epoch)
        kl_lab_saw(lab, KL_LAB_SAW_EPOCH);
    const struct final block = {.hash = tip->hash,
                                .parent = tip->header.parent_hash,
                                .epoch = tip->consensus.epoch,
                                .view = tip->consensus.view,
                                .parent_view = tip->consensus.parent_view};
    note_final(machine, height, &block);
    if (tip->epoch->number == lab->oracle->epoch_count)
        kl_lab_tell(machine, "begins epoch # with # validators of weight #", tip->epoch->number,
                    tip->epoch->set.count, tip->epoch->set.weight);
    learn_epoch(lab->oracle, tip->epoch);
}

/* What a ledger holds above what was ever shown. */
static void read_unshown(struct kl_lab_machine *machine, u64 height)
{
    struct kl_lab *lab = machine->lab;
    struct kl_lab_oracle *o = lab->oracle;
    struct kl_arena arena;
    struct kl_reader *reader;
    kl_arena_init(&arena, SIZE_MAX);
    KL_ASSERT(kl_reader_open(kl_replica_chain(machine->replica), &reader) == KL_OK);
    while (o->height < height && !lab->result->failed) {
        u64 number = o->height + 1;
        kl_header header;
        kl_hash hash;
        kl_finality finality;
        kl_consensus_header consensus;
        kl_span bytes;
        kl_valset set;
        kl_rule broken;
        KL_ASSERT(kl_reader_header(reader, number, &arena, &header, &hash) == KL_OK);
        KL_ASSERT(kl_reader_finality(reader, number, &arena, &finality) == KL_OK);
        KL_ASSERT(kl_consensus_header_decode(&consensus, finality.consensus_header) ==
                  KL_RULE_NONE);
        const struct final block = {.hash = hash,
                                    .parent = header.parent_hash,
                                    .epoch = consensus.epoch,
                                    .view = consensus.view,
                                    .parent_view = consensus.parent_view};
        note_final(machine, number, &block);
        if (kl_reader_validators(reader, o->epoch_count, &arena, &bytes) == KL_OK &&
            kl_valset_decode(&set, bytes, true, &arena, &broken) == KL_OK && broken == KL_RULE_NONE)
            learn_set(o, o->epoch_count, &set);
        if (lab->over)
            break;
    }
    kl_reader_close(reader);
    kl_arena_done(&arena);
}

/* --- after a crash, now and then, at the end --- */

void kl_lab_oracle_opened(struct kl_lab_machine *machine, bool promised)
{
    struct kl_lab *lab = machine->lab;
    struct kl_lab_oracle *o = lab->oracle;
    struct kl_tip *tip = kl_chain_published(kl_replica_chain(machine->replica));
    u64 height = tip->header.number;
    if (height <= o->height && !kl_hash_eq(&o->final[height].hash, &tip->hash))
        disagree(lab, 1, "a height opens with a block that is not the final one", height,
                 machine->index);
    if (height > o->height && kl_lab_is_honest(machine))
        read_unshown(machine, height);
    bool waits = machine->validator == KL_BFT_NOBODY ||
                 (lab->plan.validators < 4 && !kl_lab_has(lab, KL_LAB_SET_CHANGE));
    if (promised && height < machine->acknowledged) {
        kl_lab_saw(lab, KL_LAB_SAW_BEHIND);
        if (waits && kl_lab_is_honest(machine))
            kl_lab_break(lab, 8, "machine %u has shown height %llu as final and opens at %llu",
                         machine->index, (unsigned long long)machine->acknowledged,
                         (unsigned long long)height);
    }
    kl_tip_unref(tip);
}

/* 11 */
static void check_load(struct kl_lab_machine *machine)
{
    kl_replica_load load = kl_replica_load_of(machine->replica);
    kl_pool_counts pool = kl_pool_count(kl_replica_pool(machine->replica));
    const u64 candidates_max = 16 * machine->lab->plan.window, jobs_max = 4096;
    if (load.candidates > candidates_max || load.candidate_bytes > 64u << 20 ||
        load.jobs > jobs_max || pool.pending + pool.queued > 512 || pool.bytes > 1 << 20)
        kl_lab_break(machine->lab, 11,
                     "machine %u holds %zu candidates of %zu bytes, %zu jobs, %zu transactions",
                     machine->index, load.candidates, load.candidate_bytes, load.jobs,
                     pool.pending + pool.queued);
    /* More than F may have a block notarized beside a final one, whose execution is let go. */
    if (load.baseless_builds && !machine->lab->plan.too_many)
        kl_lab_break(machine->lab, 0, "machine %u was to build on a block that it has not executed",
                     machine->index);
}

void kl_lab_oracle_look(struct kl_lab *lab)
{
    for (u32 i = 0; i < lab->count; i++)
        if (lab->machines[i]->replica)
            check_load(lab->machines[i]);
    if (!lab->calm || lab->plan.too_many)
        return;
    for (u32 i = 0; i < lab->plan.keys; i++)
        if (lab->oracle->open_conflicts[i] > 40)
            kl_lab_break(lab, 10, "validator %u goes on equivocating and nobody finds evidence", i);
}
