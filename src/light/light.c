/* A header is believed for its hash, a consensus header for the header that names it, and a set for
 * the consensus header that names it; the hash, for a quorum of a set that was believed before.
 * What costs least is looked at first, signatures last. */
#include "light/light.h"

#include "crypto/keccak.h"

/* Reads a header and its hash; the decoder takes one spelling only, so the bytes may be hashed. */
static kl_rule read_header(kl_header *header, kl_hash *hash, kl_span bytes)
{
    KL_JUDGE(kl_header_decode(header, bytes));
    *hash = kl_keccak256(bytes);
    return KL_RULE_NONE;
}

static kl_rule read_consensus(kl_consensus_header *out, kl_span bytes, const kl_header *header)
{
    KL_JUDGE(kl_consensus_header_decode(out, bytes));
    kl_hash hash = kl_keccak256(bytes);
    return kl_span_eq(kl_hash_span(&hash), kl_span_of(header->extra_data, header->extra_len))
               ? KL_RULE_NONE
               : KL_RULE_LIGHT_EXTRA_DATA;
}

/* Makes bytes light's set; their hash is wanted where that is not NULL.  Light is untouched when a
 * rule is broken. */
static kl_status take_set(struct kl_light *light, kl_span bytes, const kl_hash *hash,
                          struct kl_arena *scratch, kl_rule *broken)
{
    kl_arena_mark mark = kl_arena_here(scratch);
    kl_valset set;
    kl_status status = kl_valset_decode(&set, bytes, false, scratch, broken);
    if (status == KL_OK && *broken == KL_RULE_NONE && hash && !kl_hash_eq(&set.hash, hash))
        *broken = KL_RULE_LIGHT_SET;
    if (status == KL_OK && *broken == KL_RULE_NONE) {
        memcpy(light->validators, set.validators, set.count * sizeof *set.validators);
        light->set = set;
        light->set.validators = light->validators;
    }
    kl_arena_rewind(scratch, mark);
    return status;
}

static kl_rule judge_genesis(kl_hash *set_hash, const kl_hash *trusted,
                             const kl_light_genesis *genesis)
{
    kl_header header;
    kl_hash hash;
    kl_consensus_header consensus;
    KL_JUDGE(read_header(&header, &hash, genesis->header));
    if (!kl_hash_eq(&hash, trusted))
        return KL_RULE_LIGHT_ANCHOR;
    KL_JUDGE(read_consensus(&consensus, genesis->consensus_header, &header));
    if (header.number != 0 || !consensus.is_genesis)
        return KL_RULE_LIGHT_GENESIS;
    *set_hash = consensus.next_set_hash;
    return KL_RULE_NONE;
}

kl_status kl_light_start(struct kl_light *light, const kl_vote_domain *domain,
                         const kl_light_genesis *genesis, struct kl_arena *scratch, kl_rule *broken)
{
    kl_hash set_hash;
    *broken = judge_genesis(&set_hash, &domain->genesis_hash, genesis);
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    KL_TRY(take_set(light, genesis->validators, &set_hash, scratch, broken));
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    light->domain = *domain;
    light->epoch = light->number = 0;
    light->hash = domain->genesis_hash;
    return KL_OK;
}

kl_status kl_light_resume(struct kl_light *light, const kl_light_checkpoint *checkpoint,
                          struct kl_arena *scratch, kl_rule *broken)
{
    KL_TRY(take_set(light, checkpoint->validators, NULL, scratch, broken));
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    light->domain = checkpoint->domain;
    light->epoch = checkpoint->epoch;
    light->number = checkpoint->number;
    light->hash = checkpoint->hash;
    return KL_OK;
}

/* Is what the certificate names this block, as it was proposed?  An epoch's last block may be
 * proposed again [Simplex R1]: its own parent then, in a later view than the header's. */
static kl_rule judge_subject(const kl_proposal *p, const kl_header *header, const kl_hash *hash,
                             const kl_consensus_header *consensus)
{
    if (p->height != header->number || !kl_hash_eq(&p->block_hash, hash))
        return KL_RULE_LIGHT_SUBJECT;
    if (kl_hash_eq(&p->parent_hash, hash)) {
        if (kl_hash_is_zero(&consensus->next_set_hash))
            return KL_RULE_LIGHT_AGAIN;
        return p->parent_view >= consensus->view ? KL_RULE_NONE : KL_RULE_LIGHT_VIEW;
    }
    if (!kl_hash_eq(&p->parent_hash, &header->parent_hash))
        return KL_RULE_LIGHT_SUBJECT;
    return p->view == consensus->view && p->parent_view == consensus->parent_view
               ? KL_RULE_NONE
               : KL_RULE_LIGHT_VIEW;
}

static kl_rule judge_place(const struct kl_light *light, const kl_header *header,
                           const kl_hash *hash)
{
    if (header->number < light->number)
        return KL_RULE_LIGHT_OLD;
    return header->number == light->number && !kl_hash_eq(hash, &light->hash) ? KL_RULE_LIGHT_FORK
                                                                              : KL_RULE_NONE;
}

/* Does the trusted set finalize this block? */
static kl_rule judge_final(const struct kl_light *light, kl_consensus_header *consensus,
                           kl_certificate *certificate, const kl_header *header,
                           const kl_hash *hash, kl_span consensus_rlp, kl_span finalization_rlp)
{
    KL_JUDGE(read_consensus(consensus, consensus_rlp, header));
    if (consensus->is_genesis)
        return KL_RULE_LIGHT_GENESIS;
    KL_JUDGE(kl_certificate_decode(certificate, finalization_rlp));
    if (certificate->subject.kind != KL_VOTE_FINALIZE)
        return KL_RULE_LIGHT_KIND;
    const kl_proposal *p = &certificate->subject.proposal;
    if (consensus->epoch != light->epoch || p->epoch != light->epoch)
        return KL_RULE_LIGHT_EPOCH;
    KL_JUDGE(judge_subject(p, header, hash, consensus));
    KL_JUDGE(judge_place(light, header, hash));
    return kl_certificate_check(certificate, &light->set, &light->domain);
}

static kl_rule judge_change(const struct kl_light *light, kl_consensus_header *consensus,
                            kl_header *header, kl_hash *hash, const kl_light_change *change)
{
    kl_certificate certificate;
    KL_JUDGE(read_header(header, hash, change->header));
    KL_JUDGE(judge_final(light, consensus, &certificate, header, hash, change->consensus_header,
                         change->finalization));
    if (kl_hash_is_zero(&consensus->next_set_hash))
        return KL_RULE_LIGHT_NOT_LAST;
    return light->epoch == UINT64_MAX ? KL_RULE_LIGHT_EPOCH : KL_RULE_NONE;
}

kl_status kl_light_advance(struct kl_light *light, const kl_light_change *change,
                           struct kl_arena *scratch, kl_rule *broken)
{
    kl_consensus_header consensus;
    kl_header header;
    kl_hash hash;
    *broken = judge_change(light, &consensus, &header, &hash, change);
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    KL_TRY(take_set(light, change->validators, &consensus.next_set_hash, scratch, broken));
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    light->epoch++;
    light->number = header.number;
    light->hash = hash;
    return KL_OK;
}

/* The first header into *first, the last one and its hash into *header and *hash. */
static kl_rule walk_headers(kl_light_block *first, kl_header *header, kl_hash *hash,
                            const kl_light_finality *f, usize *at)
{
    *at = 0;
    if (f->header_count == 0 || f->header_count > KL_LIGHT_HEADERS_MAX)
        return KL_RULE_LIGHT_COUNT;
    for (usize i = 0; i < f->header_count; i++) {
        kl_header next;
        kl_hash next_hash;
        *at = i;
        KL_JUDGE(read_header(&next, &next_hash, f->headers[i]));
        if (i == 0) {
            first->header = next;
            first->hash = next_hash;
        } else if (!kl_hash_eq(&next.parent_hash, hash) || next.number == 0 ||
                   next.number - 1 != header->number) {
            return KL_RULE_LIGHT_LINK;
        }
        *header = next;
        *hash = next_hash;
    }
    *at = f->header_count;
    return KL_RULE_NONE;
}

static u32 signer_count(const kl_certificate *certificate)
{
    u32 count = 0;
    for (usize i = 0; i < sizeof certificate->signers; i++)
        count += (u32)__builtin_popcount(certificate->signers[i]);
    return count;
}

kl_rule kl_light_final(struct kl_light *light, kl_light_block *out,
                       const kl_light_finality *finality, usize *at)
{
    kl_light_block block = {0};
    kl_header last;
    KL_JUDGE(walk_headers(&block, &last, &block.final_hash, finality, at));
    block.final_number = last.number;
    block.is_signed = finality->consensus_header.len != 0 || finality->finalization.len != 0;
    if (block.is_signed) {
        kl_consensus_header consensus;
        kl_certificate certificate;
        KL_JUDGE(judge_final(light, &consensus, &certificate, &last, &block.final_hash,
                             finality->consensus_header, finality->finalization));
        block.time_ms = consensus.time_ms;
        block.view = certificate.subject.proposal.view;
        block.signers = signer_count(&certificate);
        KL_ASSERT(kl_certificate_weight(&block.weight, &certificate, &light->set) == KL_RULE_NONE);
        light->number = last.number;
        light->hash = block.final_hash;
    } else if (!kl_hash_eq(&block.final_hash, &light->hash)) {
        return KL_RULE_LIGHT_UNPROVEN;
    }
    *out = block;
    return KL_RULE_NONE;
}
