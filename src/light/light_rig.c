#include "light/light_rig_priv.h"

#include <stdlib.h>

#include "codec/rlp.h"
#include "crypto/keccak.h"

static void *take(light_rig *rig, usize len)
{
    void *p = kl_arena_zero(&rig->arena, len ? len : 1, 16);
    KL_ASSERT(p);
    return p;
}

kl_span light_rig_keep(light_rig *rig, kl_span bytes)
{
    u8 *p = take(rig, bytes.len);
    if (bytes.len)
        memcpy(p, bytes.p, bytes.len);
    return kl_span_of(p, bytes.len);
}

kl_span light_rig_header(light_rig *rig, const kl_header *header)
{
    kl_out out = kl_out_of(take(rig, KL_HEADER_RLP_MAX), KL_HEADER_RLP_MAX);
    kl_header_encode(&out, header);
    return kl_out_done(&out);
}

kl_span light_rig_consensus(light_rig *rig, const kl_consensus_header *header)
{
    kl_out out = kl_out_of(take(rig, KL_CONSENSUS_HEADER_RLP_MAX), KL_CONSENSUS_HEADER_RLP_MAX);
    kl_consensus_header_encode(&out, header);
    return kl_out_done(&out);
}

/* Validators. */

static void make_validator(light_rig *rig, rig_epoch *epoch, usize i, u64 *seed)
{
    kl_validator *v = &epoch->validators[i];
    *v = (kl_validator){.weight = 1 + kl_rand_below(seed, kl_rand_below(seed, 2) ? 1 : 50)};
    kl_rand_fill(seed, epoch->secrets[i].b, sizeof epoch->secrets[i].b);
    epoch->secrets[i].b[0] &= 0x3f; /* below the order of every group */
    kl_rand_fill(seed, v->operator.b, sizeof v->operator.b);
    kl_rand_fill(seed, v->randao_key, sizeof v->randao_key);
    KL_ASSERT(rig->scheme->public_key(v->key, &epoch->secrets[i]));
}

static void end_set(light_rig *rig, rig_epoch *epoch, usize count)
{
    KL_ASSERT(kl_valset_init(&epoch->set, rig->scheme, epoch->validators, (u32)count) ==
              KL_RULE_NONE);
    kl_out out = kl_out_of(take(rig, 256 * (count + 1)), 256 * (count + 1));
    kl_valset_encode(&out, &epoch->set);
    KL_ASSERT(!out.full);
    epoch->rlp = kl_out_done(&out);
}

/* The set after another: the same, or one more, one less, or another in somebody's place. */
static void make_set(light_rig *rig, usize number, u64 *seed)
{
    rig_epoch *epoch = &rig->epochs[number];
    if (number == 0) {
        usize count = 1 + kl_rand_below(seed, kl_rand_below(seed, 6) ? 7 : RIG_VALIDATORS);
        for (usize i = 0; i < count; i++)
            make_validator(rig, epoch, i, seed);
        end_set(rig, epoch, count);
        return;
    }
    const rig_epoch *before = &rig->epochs[number - 1];
    usize count = before->set.count, how = kl_rand_below(seed, 5);
    memcpy(epoch->validators, before->validators, sizeof epoch->validators);
    memcpy(epoch->secrets, before->secrets, sizeof epoch->secrets);
    if (how == 0 && count < RIG_VALIDATORS)
        make_validator(rig, epoch, count++, seed);
    else if (how == 1 && count > 1)
        count--;
    else if (how == 2)
        make_validator(rig, epoch, kl_rand_below(seed, count), seed);
    else if (how == 3)
        epoch->validators[0].weight += 1 + kl_rand_below(seed, 9);
    end_set(rig, epoch, count);
}

/* Votes and certificates. */

static usize choose(usize *chosen, const kl_valset *set, rig_signers who, u64 *seed)
{
    usize order[RIG_VALIDATORS], count = 0;
    u64 weight = 0, quorum = kl_valset_quorum(set);
    for (usize i = 0; i < set->count; i++)
        order[i] = i;
    for (usize i = 0; i < set->count; i++) {
        usize other = i + kl_rand_below(seed, set->count - i), at = order[other];
        order[other] = order[i];
        order[i] = at;
        u64 with = weight + set->validators[at].weight;
        if (who == RIG_TOO_FEW && with >= quorum)
            continue;
        if (who == RIG_QUORUM && weight >= quorum)
            continue;
        chosen[count++] = at;
        weight = with;
    }
    return count;
}

kl_span light_rig_sign(light_rig *rig, const kl_vote_subject *subject, usize epoch,
                       const kl_vote_domain *domain, rig_signers who, u64 *seed)
{
    const rig_epoch *e = &rig->epochs[epoch];
    usize chosen[RIG_VALIDATORS], n = 0;
    usize count = choose(chosen, &e->set, who, seed);
    const kl_vote_scheme *scheme = rig->scheme;
    const u8 *signatures[RIG_VALIDATORS];
    kl_certificate made = {.subject = *subject};
    u8 *room = take(rig, scheme->signature_len * (count + 1));
    for (usize i = 0; i < count; i++)
        made.signers[chosen[i] / 8] |= (u8)(1u << (chosen[i] % 8));
    for (usize i = 0; i < e->set.count; i++) {
        if (!(made.signers[i / 8] >> (i % 8) & 1))
            continue;
        kl_vote vote;
        KL_ASSERT(kl_vote_sign(&vote, subject, (u32)i, scheme, &e->secrets[i], domain));
        signatures[n] = room + n * scheme->signature_len;
        memcpy(room + n++ * scheme->signature_len, vote.signature, scheme->signature_len);
    }
    if (scheme->aggregates && n > 0) {
        u8 *sum = take(rig, scheme->signature_len);
        KL_ASSERT(scheme->aggregate(sum, signatures, n));
        made.signatures = kl_span_of(sum, scheme->signature_len);
    } else {
        made.signatures = kl_span_of(room, n * scheme->signature_len);
    }
    usize len = made.signatures.len + 512;
    kl_out out = kl_out_of(take(rig, len), len);
    kl_certificate_encode(&out, &made);
    KL_ASSERT(!out.full);
    return kl_out_done(&out);
}

/* Blocks. */

static void fill_header(kl_header *header, u64 *seed)
{
    static const u8 tails[] = {0, 1, 2, 5, 6, 6, 6, 6};
    kl_rand_fill(seed, header, sizeof *header);
    header->tail = tails[kl_rand_below(seed, sizeof tails)];
    header->extra_len = 32;
    header->difficulty = KL_U256_ZERO;
    header->gas_limit >>= kl_rand_below(seed, 64);
    header->gas_used >>= kl_rand_below(seed, 64);
}

static void name_consensus(light_rig *rig, rig_block *block)
{
    block->consensus_rlp = light_rig_consensus(rig, &block->consensus);
    kl_hash hash = kl_keccak256(block->consensus_rlp);
    memcpy(block->header.extra_data, hash.b, sizeof hash.b);
    block->rlp = light_rig_header(rig, &block->header);
    block->hash = kl_keccak256(block->rlp);
}

static void make_genesis(light_rig *rig, u64 *seed)
{
    rig_block *b = &rig->blocks[0];
    fill_header(&b->header, seed);
    b->header.number = 0;
    b->header.state_root = rig->states[0].root;
    b->consensus = (kl_consensus_header){.version = KL_CONSENSUS_VERSION,
                                         .time_ms = kl_rand_below(seed, 1u << 30),
                                         .next_set_hash = rig->epochs[0].set.hash,
                                         .is_genesis = true};
    kl_rand_fill(seed, &b->consensus.config_hash, sizeof b->consensus.config_hash);
    name_consensus(rig, b);
    rig->domain.genesis_hash = b->hash;
    rig->domain.chain_id = 1 + (kl_rand(seed) >> kl_rand_below(seed, 64));
    if (rig->domain.chain_id == 0)
        rig->domain.chain_id = 7;
}

static void finalize(light_rig *rig, rig_block *b, bool last, u64 *seed)
{
    const kl_consensus_header *c = &b->consensus;
    b->proposal = (kl_proposal){.epoch = c->epoch,
                                .view = c->view,
                                .parent_view = c->parent_view,
                                .height = b->header.number,
                                .parent_hash = b->header.parent_hash,
                                .block_hash = b->hash};
    if (last && kl_rand_below(seed, 2)) {
        u64 later = 1 + kl_rand_below(seed, 4);
        b->proposal.view += later;
        b->proposal.parent_view = c->view + kl_rand_below(seed, later);
        b->proposal.parent_hash = b->hash;
    }
    if (!last && kl_rand_below(seed, 3) == 0 && b->header.number != rig->head)
        return;
    kl_vote_subject subject = {KL_VOTE_FINALIZE, b->proposal};
    rig_signers who = kl_rand_below(seed, 3) ? RIG_QUORUM : RIG_ALL;
    b->finalization = light_rig_sign(rig, &subject, c->epoch, &rig->domain, who, seed);
}

static void make_block(light_rig *rig, u64 number, usize epoch, u64 *seed)
{
    rig_block *b = &rig->blocks[number];
    const rig_block *parent = b - 1;
    bool last = number == rig->epochs[epoch].last;
    bool first = epoch == 0 ? number == 1 : number == rig->epochs[epoch - 1].last + 1;
    u64 parent_view = first ? 0 : parent->consensus.view;
    fill_header(&b->header, seed);
    b->header.number = number;
    b->header.parent_hash = parent->hash;
    b->state = kl_rand_below(seed, RIG_STATES);
    b->header.state_root = rig->states[b->state].root;
    b->consensus = (kl_consensus_header){
        .version = KL_CONSENSUS_VERSION,
        .epoch = epoch,
        .view = parent_view + 1 + (kl_rand_below(seed, 3) ? 0 : kl_rand_below(seed, 1000)),
        .parent_view = parent_view,
        .time_ms = parent->consensus.time_ms + 1 + kl_rand_below(seed, 5000),
        .has_randao_proof = true,
        .fork_signal = kl_rand(seed) >> kl_rand_below(seed, 64)};
    kl_rand_fill(seed, b->consensus.randao_proof, sizeof b->consensus.randao_proof);
    kl_rand_fill(seed, b->consensus.outbox_root.b, sizeof b->consensus.outbox_root.b);
    if (last)
        b->consensus.next_set_hash = rig->epochs[epoch + 1].set.hash;
    b->header.timestamp = b->consensus.time_ms / 1000;
    name_consensus(rig, b);
    finalize(rig, b, last, seed);
}

/* As a source of bundles. */

static kl_status get(kl_span *out, kl_span bytes)
{
    if (bytes.len == 0)
        return KL_NOTFOUND;
    *out = bytes;
    return KL_OK;
}

static kl_status get_header(struct kl_light_source *source, u64 number,
                            KL_UNUSED struct kl_arena *arena, kl_span *out)
{
    const light_rig *rig = (light_rig *)source;
    return number > rig->head ? KL_NOTFOUND : get(out, rig->blocks[number].rlp);
}

static kl_status get_consensus(struct kl_light_source *source, u64 number,
                               KL_UNUSED struct kl_arena *arena, kl_span *out)
{
    const light_rig *rig = (light_rig *)source;
    return number > rig->head ? KL_NOTFOUND : get(out, rig->blocks[number].consensus_rlp);
}

static kl_status get_finalization(struct kl_light_source *source, u64 number,
                                  KL_UNUSED struct kl_arena *arena, kl_span *out)
{
    const light_rig *rig = (light_rig *)source;
    return number > rig->head ? KL_NOTFOUND : get(out, rig->blocks[number].finalization);
}

static kl_status get_validators(struct kl_light_source *source, u64 epoch,
                                KL_UNUSED struct kl_arena *arena, kl_span *out)
{
    const light_rig *rig = (light_rig *)source;
    return epoch >= rig->epoch_count ? KL_NOTFOUND : get(out, rig->epochs[epoch].rlp);
}

static kl_status get_epoch_end(struct kl_light_source *source, u64 epoch, u64 *out)
{
    const light_rig *rig = (light_rig *)source;
    *out = rig->epochs[epoch].last;
    return KL_OK;
}

void light_state_make(rig_state *state, struct kl_arena *arena, u64 *seed);
void light_state_done(rig_state *state);

light_rig *light_rig_new(u8 scheme, u64 *seed)
{
    light_rig *rig = calloc(1, sizeof *rig);
    KL_ASSERT(rig);
    kl_arena_init(&rig->arena, (usize)1 << 30);
    rig->scheme = kl_vote_scheme_of(scheme, false);
    rig->epoch_count = 1 + kl_rand_below(seed, RIG_EPOCHS);
    for (usize i = 0; i < RIG_STATES; i++)
        light_state_make(&rig->states[i], &rig->arena, seed);
    for (usize i = 0; i < rig->epoch_count; i++) {
        bool newest = i + 1 == rig->epoch_count;
        u64 least = newest && i > 0 ? 0 : 1;
        u64 length = least + kl_rand_below(seed, RIG_BLOCKS / RIG_EPOCHS - 1);
        make_set(rig, i, seed);
        rig->epochs[i].last = rig->head + length;
        rig->head += length;
    }
    /* The newest epoch is not over: nobody knows the next one's set. */
    rig->epochs[rig->epoch_count - 1].last = UINT64_MAX;
    make_genesis(rig, seed);
    usize epoch = 0;
    for (u64 number = 1; number <= rig->head; number++) {
        make_block(rig, number, epoch, seed);
        epoch += number == rig->epochs[epoch].last;
    }
    rig->source = (struct kl_light_source){
        rig->domain.chain_id, rig->domain.genesis_hash, get_header,   get_consensus,
        get_finalization,     get_validators,           get_epoch_end};
    return rig;
}

void light_rig_free(light_rig *rig)
{
    for (usize i = 0; i < RIG_STATES; i++)
        light_state_done(&rig->states[i]);
    kl_arena_done(&rig->arena);
    free(rig);
}

kl_light_checkpoint light_rig_checkpoint(const light_rig *rig, usize epoch)
{
    u64 number = epoch ? rig->epochs[epoch - 1].last : 0;
    return (kl_light_checkpoint){rig->domain, epoch, number, rig->blocks[number].hash,
                                 rig->epochs[epoch].rlp};
}

/* Written and read by the layer's own code. */
void light_rig_bundle(light_rig *rig, kl_light_bundle *out, u64 number, u64 from_epoch)
{
    struct kl_buf text;
    struct kl_json json;
    kl_rule broken;
    usize at;
    kl_light_fault fault;
    kl_buf_init(&text, SIZE_MAX / 2);
    struct kl_json_out to = kl_json_out_to(&text);
    kl_json_put_object(&to);
    KL_ASSERT(kl_light_bundle_put(&to, &rig->source, number, from_epoch, KL_LIGHT_EPOCHS_MAX,
                                  &rig->arena) == KL_OK);
    kl_json_put_object_end(&to);
    kl_span kept = light_rig_keep(rig, kl_buf_view(&text));
    kl_buf_done(&text);
    KL_ASSERT(kl_json_parse(&json, kept, 1 << 20, &rig->arena, &broken, &at) == KL_OK);
    KL_ASSERT(broken == KL_RULE_NONE);
    KL_ASSERT(kl_light_bundle_read(out, &json, 0, &rig->arena, &fault) == KL_OK);
    KL_ASSERT(fault.rule == KL_RULE_NONE);
}

/* Below the checkpoint a chain of headers up to its block, which nobody need sign. */
static void below_checkpoint(light_rig *rig, kl_light_bundle *out, u64 number, u64 trusted)
{
    usize count = trusted - number + 1;
    kl_span *headers = take(rig, count * sizeof *headers);
    for (usize i = 0; i < count; i++)
        headers[i] = rig->blocks[number + i].rlp;
    *out = (kl_light_bundle){.chain_id = rig->domain.chain_id,
                             .finality.headers = headers,
                             .finality.header_count = count};
}

usize light_rig_make(light_rig *rig, kl_light_bundle *out, u64 *number, usize epoch, u64 *seed)
{
    u64 trusted = epoch ? rig->epochs[epoch - 1].last : 0;
    usize first = 0;
    if (epoch && (trusted == rig->head || kl_rand_below(seed, 8) == 0)) {
        *number = kl_rand_below(seed, trusted + 1);
        below_checkpoint(rig, out, *number, trusted);
    } else {
        *number = epoch ? trusted + 1 + kl_rand_below(seed, rig->head - trusted)
                        : kl_rand_below(seed, rig->head + 1);
        bool all = kl_rand_below(seed, 2);
        light_rig_bundle(rig, out, *number, all ? 0 : epoch);
        first = all ? epoch : 0;
    }
    if (kl_rand_below(seed, 2))
        light_rig_account(rig, out, *number, seed);
    return first;
}
