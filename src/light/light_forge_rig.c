/* Forgeries: corruptions that take the secrets of validators. */
#include "codec/rlp.h"
#include "crypto/keccak.h"
#include "light/light_corrupt_priv.h"

/* An epoch's end, or the bundle's last header with its Finalization, in copies of the bundle's. */
struct target {
    kl_light_bundle *bundle;
    kl_span *header, *consensus_rlp, *finalization;
    kl_span *validators; /* NULL for the bundle's last header */
    kl_header block;
    kl_consensus_header consensus;
    kl_certificate certificate;
    usize epoch;
};

static bool pick(struct target *t, light_rig *rig, kl_light_bundle *b, usize first, u64 *seed)
{
    kl_light_finality *f = &b->finality;
    usize ends = b->epoch_count - first, count = ends + (f->finalization.len != 0);
    if (count == 0)
        return false;
    usize at = first + kl_rand_below(seed, count);
    *t = (struct target){.bundle = b};
    if (at < b->epoch_count) {
        kl_light_change *epochs = KL_ZERO(&rig->arena, kl_light_change, b->epoch_count);
        KL_ASSERT(epochs);
        memcpy(epochs, b->epochs, b->epoch_count * sizeof *epochs);
        b->epochs = epochs;
        t->header = &epochs[at].header;
        t->consensus_rlp = &epochs[at].consensus_header;
        t->finalization = &epochs[at].finalization;
        t->validators = &epochs[at].validators;
    } else {
        kl_span *headers = KL_ZERO(&rig->arena, kl_span, f->header_count);
        KL_ASSERT(headers);
        memcpy(headers, f->headers, f->header_count * sizeof *headers);
        f->headers = headers;
        t->header = &headers[f->header_count - 1];
        t->consensus_rlp = &f->consensus_header;
        t->finalization = &f->finalization;
    }
    KL_ASSERT(kl_header_decode(&t->block, *t->header) == KL_RULE_NONE);
    KL_ASSERT(kl_consensus_header_decode(&t->consensus, *t->consensus_rlp) == KL_RULE_NONE);
    KL_ASSERT(kl_certificate_decode(&t->certificate, *t->finalization) == KL_RULE_NONE);
    t->epoch = t->certificate.subject.proposal.epoch;
    return true;
}

kl_span *light_pick_finalization(light_rig *rig, kl_light_bundle *b, usize first, u64 *seed)
{
    struct target t;
    return pick(&t, rig, b, first, seed) ? t.finalization : NULL;
}

static void sign(struct target *t, light_rig *rig, rig_signers who, u64 *seed)
{
    *t->finalization =
        light_rig_sign(rig, &t->certificate.subject, t->epoch, &rig->domain, who, seed);
}

/* The block as it is after a change, named and signed by a quorum. */
static void seal(struct target *t, light_rig *rig, bool named, u64 *seed)
{
    kl_proposal *p = &t->certificate.subject.proposal;
    bool again = kl_hash_eq(&p->block_hash, &p->parent_hash);
    if (named) {
        kl_hash hash = kl_keccak256(*t->consensus_rlp);
        memcpy(t->block.extra_data, hash.b, sizeof hash.b);
    }
    *t->header = light_rig_header(rig, &t->block);
    p->block_hash = kl_keccak256(*t->header);
    p->parent_hash = again ? p->block_hash : t->block.parent_hash;
    p->height = t->block.number;
    sign(t, rig, RIG_QUORUM, seed);
}

static void encode(struct target *t, light_rig *rig)
{
    usize len = t->certificate.signatures.len + 512;
    u8 *room = (u8 *)kl_arena_take(&rig->arena, len, 1);
    KL_ASSERT(room);
    kl_out out = kl_out_of(room, len);
    kl_certificate_encode(&out, &t->certificate);
    *t->finalization = kl_out_done(&out);
}

bool light_forge_too_few(light_rig *rig, kl_light_bundle *b, usize first, u64 *seed)
{
    struct target t;
    if (!pick(&t, rig, b, first, seed))
        return false;
    sign(&t, rig, RIG_TOO_FEW, seed);
    return true;
}

bool light_forge_strangers(light_rig *rig, kl_light_bundle *b, usize first, u64 *seed)
{
    struct target t;
    if (!pick(&t, rig, b, first, seed))
        return false;
    rig_epoch *epoch = &rig->epochs[t.epoch], was = *epoch;
    for (usize i = 0; i < epoch->set.count; i++)
        kl_rand_fill(seed, epoch->secrets[i].b + 1, 31);
    sign(&t, rig, RIG_ALL, seed);
    *epoch = was;
    return true;
}

/* Where any place is somebody else's, or is none. */
bool light_forge_other_epoch(light_rig *rig, kl_light_bundle *b, usize first, u64 *seed)
{
    struct target t;
    if (!pick(&t, rig, b, first, seed))
        return false;
    usize other = kl_rand_below(seed, rig->epoch_count);
    const rig_epoch *theirs = &rig->epochs[other], *ours = &rig->epochs[t.epoch];
    bool differ = theirs->set.count > ours->set.count;
    for (usize i = 0; i < KL_MIN(theirs->set.count, ours->set.count); i++)
        differ |=
            memcmp(theirs->validators[i].key, ours->validators[i].key, rig->scheme->key_len) != 0;
    *t.finalization =
        light_rig_sign(rig, &t.certificate.subject, other, &rig->domain, RIG_ALL, seed);
    return differ;
}

bool light_forge_domain(light_rig *rig, kl_light_bundle *b, usize first, u64 *seed)
{
    struct target t;
    kl_vote_domain domain = rig->domain;
    if (!pick(&t, rig, b, first, seed))
        return false;
    if (kl_rand_below(seed, 2))
        domain.chain_id ^= (u64)1 << kl_rand_below(seed, 64);
    else
        domain.genesis_hash.b[kl_rand_below(seed, 32)] ^= 1;
    *t.finalization = light_rig_sign(rig, &t.certificate.subject, t.epoch, &domain, RIG_ALL, seed);
    return true;
}

/* Where a block was proposed again, a later view is as good. */
bool light_forge_subject(light_rig *rig, kl_light_bundle *b, usize first, u64 *seed)
{
    struct target t;
    if (!pick(&t, rig, b, first, seed))
        return false;
    kl_proposal *p = &t.certificate.subject.proposal;
    bool again = kl_hash_eq(&p->block_hash, &p->parent_hash);
    u64 how = kl_rand_below(seed, 8), up = kl_rand_below(seed, 2);
    if (how == 0)
        t.certificate.subject.kind = up ? KL_VOTE_NOTARIZE : KL_VOTE_NULLIFY;
    else if (how == 1)
        p->epoch += up ? 1 : (u64)-1;
    else if (how == 2)
        p->height += up ? 1 : (u64)-1;
    else if (how == 3)
        p->parent_hash.b[kl_rand_below(seed, 32)] ^= 1;
    else if (how == 4)
        p->block_hash.b[kl_rand_below(seed, 32)] ^= 1;
    else if (again)
        p->parent_view = kl_rand_below(seed, t.consensus.view);
    else if (how == 5)
        p->view += 1 + kl_rand_below(seed, 3);
    else
        p->parent_view += up ? 1 : (u64)-1;
    sign(&t, rig, RIG_ALL, seed);
    return true;
}

/* Only an epoch's last block may be, and in a later view. */
bool light_forge_again(light_rig *rig, kl_light_bundle *b, usize first, u64 *seed)
{
    struct target t;
    if (!pick(&t, rig, b, first, seed))
        return false;
    bool last = !kl_hash_is_zero(&t.consensus.next_set_hash);
    kl_proposal *p = &t.certificate.subject.proposal;
    p->parent_hash = p->block_hash;
    p->view = t.consensus.view + (last ? 0 : 1 + kl_rand_below(seed, 3));
    p->parent_view = last ? kl_rand_below(seed, p->view) : t.consensus.view;
    sign(&t, rig, RIG_ALL, seed);
    return true;
}

/* Signatures one by one, where they stand one by one. */
static bool pick_signatures(struct target *t, light_rig *rig, kl_light_bundle *b, usize first,
                            u8 **signatures, usize *count, u64 *seed)
{
    usize len = rig->scheme->signature_len;
    if (!pick(t, rig, b, first, seed))
        return false;
    kl_span all = t->certificate.signatures;
    u8 *copy = (u8 *)kl_arena_zero(&rig->arena, all.len + len, 1);
    KL_ASSERT(copy);
    memcpy(copy, all.p, all.len);
    t->certificate.signatures.p = copy;
    *signatures = copy;
    *count = all.len / len;
    return true;
}

bool light_forge_twice(light_rig *rig, kl_light_bundle *b, usize first, u64 *seed)
{
    struct target t;
    u8 *signatures;
    usize count, len = rig->scheme->signature_len;
    if (!pick_signatures(&t, rig, b, first, &signatures, &count, seed) || count < 2)
        return false;
    usize from = kl_rand_below(seed, count), to = kl_rand_below(seed, count);
    memmove(signatures + to * len, signatures + from * len, len);
    encode(&t, rig);
    return from != to;
}

bool light_forge_order(light_rig *rig, kl_light_bundle *b, usize first, u64 *seed)
{
    struct target t;
    u8 *signatures, one[KL_VOTE_SIGNATURE_MAX];
    usize count, len = rig->scheme->signature_len;
    if (!pick_signatures(&t, rig, b, first, &signatures, &count, seed) || count < 2)
        return false;
    u8 *at = signatures + kl_rand_below(seed, count - 1) * len;
    memcpy(one, at, len);
    memcpy(at, at + len, len);
    memcpy(at + len, one, len);
    encode(&t, rig);
    return true;
}

bool light_forge_surplus(light_rig *rig, kl_light_bundle *b, usize first, u64 *seed)
{
    struct target t;
    u8 *signatures;
    usize count, len = rig->scheme->signature_len;
    if (!pick_signatures(&t, rig, b, first, &signatures, &count, seed))
        return false;
    memcpy(signatures + count * len, signatures, len);
    t.certificate.signatures.len += len;
    encode(&t, rig);
    return true;
}

bool light_forge_missing(light_rig *rig, kl_light_bundle *b, usize first, u64 *seed)
{
    struct target t;
    if (!pick(&t, rig, b, first, seed))
        return false;
    u32 count = rig->epochs[t.epoch].set.count, i = (u32)kl_rand_below(seed, count);
    bool was = t.certificate.signers[i / 8] >> (i % 8) & 1;
    t.certificate.signers[i / 8] |= (u8)(1u << (i % 8));
    if (was)
        t.certificate.signatures.len -= rig->scheme->signature_len;
    encode(&t, rig);
    return true;
}

bool light_forge_outsider(light_rig *rig, kl_light_bundle *b, usize first, u64 *seed)
{
    struct target t;
    u8 *signatures;
    usize count, len = rig->scheme->signature_len;
    if (!pick_signatures(&t, rig, b, first, &signatures, &count, seed))
        return false;
    u32 from = rig->epochs[t.epoch].set.count;
    u32 i = from + (u32)kl_rand_below(seed, KL_VALIDATORS_MAX - from);
    t.certificate.signers[i / 8] |= (u8)(1u << (i % 8));
    if (!rig->scheme->aggregates) {
        memcpy(signatures + count * len, signatures, len);
        t.certificate.signatures.len += len;
    }
    encode(&t, rig);
    return true;
}

/* secp256k1: n - s with the other parity is the same signature for most; or a parity as old
 * transactions have it.  bls12-381: the flags of a compressed point. */
bool light_forge_malleable(light_rig *rig, kl_light_bundle *b, usize first, u64 *seed)
{
    static const u8 order[32] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                 0xff, 0xff, 0xff, 0xff, 0xfe, 0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48,
                                 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41};
    struct target t;
    u8 *signatures;
    usize count, len = rig->scheme->signature_len;
    if (!pick_signatures(&t, rig, b, first, &signatures, &count, seed))
        return false;
    u8 *at = signatures + kl_rand_below(seed, count) * len;
    if (rig->scheme->aggregates) {
        at[0] ^= (u8)(1u << (5 + kl_rand_below(seed, 3)));
    } else if (kl_rand_below(seed, 2)) {
        at[64] = (u8)(at[64] + 27);
    } else {
        kl_u256_to_be(at + 32, kl_u256_sub(kl_u256_from_be(order), kl_u256_from_be(at + 32)));
        at[64] ^= 1;
    }
    encode(&t, rig);
    return true;
}

bool light_forge_no_signature(light_rig *rig, kl_light_bundle *b, usize first, u64 *seed)
{
    struct target t;
    u8 *signatures;
    usize count, len = rig->scheme->signature_len;
    if (!pick_signatures(&t, rig, b, first, &signatures, &count, seed))
        return false;
    memset(signatures, 0, len);
    if (rig->scheme->aggregates && kl_rand_below(seed, 2))
        signatures[0] = 0xc0; /* the point at infinity */
    encode(&t, rig);
    return true;
}

/* The same certificate in RLP that is not the shortest, or with more in it. */
bool light_forge_spelling(light_rig *rig, kl_light_bundle *b, usize first, u64 *seed)
{
    static const u8 kind[] = {0x81, KL_VOTE_FINALIZE}, zero[] = {0};
    struct target t;
    if (!pick(&t, rig, b, first, seed))
        return false;
    const kl_certificate *c = &t.certificate;
    const kl_proposal *p = &c->subject.proposal;
    u64 how = kl_rand_below(seed, 4);
    usize len = c->signatures.len + 512, signers = sizeof c->signers;
    u8 *room = (u8 *)kl_arena_take(&rig->arena, len, 1);
    KL_ASSERT(room);
    kl_out out = kl_out_of(room, len);
    kl_rlp_mark list = kl_rlp_put_begin(&out);
    kl_out_bytes(&out, how == 0 ? kind : kind + 1, how == 0 ? 2 : 1);
    if (p->epoch == 0 && how == 1)
        kl_out_bytes(&out, zero, 1);
    else
        kl_rlp_put_u64(&out, p->epoch);
    kl_rlp_put_u64(&out, p->view);
    kl_rlp_put_u64(&out, p->parent_view);
    kl_rlp_put_u64(&out, p->height);
    kl_rlp_put_hash(&out, &p->parent_hash);
    kl_rlp_put_hash(&out, &p->block_hash);
    while (how != 2 && signers > 0 && c->signers[signers - 1] == 0)
        signers--;
    kl_rlp_put_bytes(&out, kl_span_of(c->signers, signers));
    kl_rlp_put_bytes(&out, c->signatures);
    if (how == 3 || (how == 1 && p->epoch != 0))
        kl_rlp_put_u64(&out, 0);
    kl_rlp_put_end(&out, list);
    *t.finalization = kl_out_done(&out);
    return true;
}

/* At or below what is trusted. */
bool light_forge_place(light_rig *rig, kl_light_bundle *b, usize first, u64 *seed)
{
    struct target t;
    if (!pick(&t, rig, b, first, seed) || (!t.validators && b->finality.header_count > 1))
        return false;
    u64 trusted = t.epoch ? rig->epochs[t.epoch - 1].last : 0;
    t.block.number = trusted - kl_rand_below(seed, trusted + 1);
    seal(&t, rig, true, seed);
    return true;
}

bool light_forge_extra_data(light_rig *rig, kl_light_bundle *b, usize first, u64 *seed)
{
    struct target t;
    if (!pick(&t, rig, b, first, seed))
        return false;
    if (kl_rand_below(seed, 2))
        t.block.extra_len = (u8)kl_rand_below(seed, 32);
    else
        t.block.extra_data[kl_rand_below(seed, 32)] ^= 1;
    seal(&t, rig, false, seed);
    return true;
}

bool light_forge_consensus(light_rig *rig, kl_light_bundle *b, usize first, u64 *seed)
{
    struct target t;
    if (!pick(&t, rig, b, first, seed))
        return false;
    kl_consensus_header *c = &t.consensus;
    switch (kl_rand_below(seed, 5)) {
    case 0:
        c->version = 2 * kl_rand_below(seed, 2);
        break;
    case 1:
        c->epoch += 1;
        break;
    case 2:
        c->has_randao_proof = false;
        break;
    case 3:
        c->parent_view = c->view;
        break;
    default:
        *c = (kl_consensus_header){.version = KL_CONSENSUS_VERSION,
                                   .next_set_hash = rig->epochs[0].set.hash,
                                   .is_genesis = true,
                                   .time_ms = c->time_ms};
    }
    *t.consensus_rlp = light_rig_consensus(rig, c);
    seal(&t, rig, true, seed);
    return true;
}

bool light_forge_not_last(light_rig *rig, kl_light_bundle *b, usize first, u64 *seed)
{
    struct target t;
    if (!pick(&t, rig, b, first, seed) || !t.validators)
        return false;
    if (kl_rand_below(seed, 2))
        t.consensus.next_set_hash = (kl_hash){0};
    else
        t.consensus.next_set_hash.b[kl_rand_below(seed, 32)] ^= 1;
    *t.consensus_rlp = light_rig_consensus(rig, &t.consensus);
    seal(&t, rig, true, seed);
    return true;
}

static void put_validator(kl_out *out, const kl_validator *v, usize key_len, u64 weight)
{
    kl_rlp_mark one = kl_rlp_put_begin(out);
    kl_rlp_put_address(out, &v->operator);
    kl_rlp_put_bytes(out, kl_span_of(v->key, key_len));
    kl_rlp_put_bytes(out, KL_SPAN_OF(v->randao_key));
    kl_rlp_put_u64(out, weight);
    kl_rlp_put_end(out, one);
}

/* A set that a quorum wanted, and that is none. */
bool light_forge_bad_set(light_rig *rig, kl_light_bundle *b, usize first, u64 *seed)
{
    enum { SCHEME, EMPTY, WEIGHTLESS, HEAVY, OPERATOR_TWICE, KEY_TWICE, KEY_LENGTH, MANY, HOWS };
    struct target t;
    if (!pick(&t, rig, b, first, seed) || !t.validators)
        return false;
    u64 how = kl_rand_below(seed, HOWS);
    const rig_epoch *next = &rig->epochs[t.epoch + 1];
    usize cap = 1 << 17, key_len = rig->scheme->key_len - (how == KEY_LENGTH);
    u8 *room = (u8 *)kl_arena_take(&rig->arena, cap, 1);
    KL_ASSERT(room);
    kl_out out = kl_out_of(room, cap);
    kl_rlp_mark set = kl_rlp_put_begin(&out);
    kl_rlp_put_u64(&out, how == SCHEME ? (kl_rand_below(seed, 2) ? 255 : 3) : rig->scheme->id);
    kl_rlp_mark list = kl_rlp_put_begin(&out);
    usize count = how == EMPTY ? 0 : how == MANY ? KL_VALIDATORS_MAX + 1 : next->set.count;
    for (usize i = 0; i < count; i++) {
        kl_validator v = next->validators[how == MANY ? 0 : i];
        if (how == MANY) {
            v.operator.b[0] = v.key[0] =(u8) i;
            v.operator.b[1] = v.key[1] =(u8)(i >> 8);
        }
        u64 weight = i > 0               ? v.weight
                     : how == WEIGHTLESS ? 0
                     : how == HEAVY      ? KL_WEIGHT_MAX + 1
                                         : v.weight;
        put_validator(&out, &v, key_len, weight);
    }
    if (how == OPERATOR_TWICE || how == KEY_TWICE) {
        kl_validator v = next->validators[0];
        (how == KEY_TWICE ? v.operator.b : v.key)[5] ^= 1;
        put_validator(&out, &v, key_len, 1);
    }
    kl_rlp_put_end(&out, list);
    kl_rlp_put_end(&out, set);
    *t.validators = kl_out_done(&out);
    KL_ASSERT(!out.full);
    t.consensus.next_set_hash = kl_keccak256(*t.validators);
    *t.consensus_rlp = light_rig_consensus(rig, &t.consensus);
    seal(&t, rig, true, seed);
    return true;
}

/* A parent by its hash, but not by its number. */
bool light_forge_number(light_rig *rig, kl_light_bundle *b, KL_UNUSED usize first, u64 *seed)
{
    struct target t;
    if (b->finality.header_count < 2 || !pick(&t, rig, b, b->epoch_count, seed))
        return false;
    t.block.number += 1 + kl_rand_below(seed, 9);
    seal(&t, rig, true, seed);
    return true;
}

/* The genesis itself, as if it were an epoch's end. */
bool light_forge_spurious(light_rig *rig, kl_light_bundle *b, usize first, u64 *seed)
{
    const rig_block *genesis = &rig->blocks[0];
    if (!b->has_genesis || first != 0)
        return false;
    kl_light_change *epochs = KL_ZERO(&rig->arena, kl_light_change, b->epoch_count + 1);
    KL_ASSERT(epochs);
    if (b->epoch_count)
        memcpy(epochs + 1, b->epochs, b->epoch_count * sizeof *epochs);
    kl_vote_subject subject = {
        KL_VOTE_FINALIZE, {.view = 1, .parent_hash = genesis->hash, .block_hash = genesis->hash}};
    epochs[0] = (kl_light_change){genesis->rlp, genesis->consensus_rlp,
                                  light_rig_sign(rig, &subject, 0, &rig->domain, RIG_ALL, seed),
                                  rig->epochs[0].rlp};
    b->epochs = epochs;
    b->epoch_count++;
    return true;
}
