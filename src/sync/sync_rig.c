#include "sync/sync_rig.h"

#include "codec/rlp.h"
#include "crypto/keccak.h"
#include "types/header.h"

static void make_sets(sync_rig *rig, u64 *seed)
{
    for (u32 e = 0; e < 3; e++) {
        for (u32 i = 0; i < SYNC_RIG_VALIDATORS; i++) {
            kl_validator *v = &rig->validators[e][i];
            kl_secret32 secret = rig->secrets[i];
            secret.b[31] ^= (u8)e;
            kl_rand_fill(seed, v->operator.b, sizeof v->operator.b);
            KL_ASSERT(rig->scheme->public_key(v->key, &secret));
            v->weight = 1;
        }
        KL_ASSERT(kl_valset_init(&rig->sets[e], rig->scheme, rig->validators[e],
                                 SYNC_RIG_VALIDATORS) == KL_RULE_NONE);
    }
}

kl_vote_subject sync_rig_subject(const sync_rig *rig, u64 height)
{
    u64 epoch = (height - 1) / SYNC_RIG_EPOCH_BLOCKS;
    u64 view = (height - 1) % SYNC_RIG_EPOCH_BLOCKS + 1;
    return (kl_vote_subject){
        .kind = KL_VOTE_FINALIZE,
        .proposal = {.epoch = epoch,
                     .view = view,
                     .parent_view = view - 1,
                     .height = height,
                     .parent_hash = rig->blocks[height - 1].hash,
                     .block_hash = rig->blocks[height].hash},
    };
}

usize sync_rig_certificate(const sync_rig *rig, u64 epoch, const kl_vote_subject *subject,
                           u32 signers, u8 out[1024])
{
    u8 room[SYNC_RIG_VALIDATORS * KL_VOTE_SIGNATURE_MAX];
    kl_certificate c = {.subject = *subject};
    for (u32 i = 0; i < signers; i++) {
        kl_vote vote;
        kl_secret32 secret = rig->secrets[i];
        secret.b[31] ^= (u8)epoch;
        KL_ASSERT(kl_vote_sign(&vote, subject, i, rig->scheme, &secret, &rig->domain));
        memcpy(room + i * rig->scheme->signature_len, vote.signature, rig->scheme->signature_len);
        c.signers[0] = (u8)(c.signers[0] | 1u << i);
    }
    c.signatures = kl_span_of(room, signers * rig->scheme->signature_len);
    kl_out to = kl_out_of(out, 1024);
    kl_certificate_encode(&to, &c);
    KL_ASSERT(!to.full);
    return to.len;
}

static void make_block(sync_rig *rig, u64 height, u64 *seed)
{
    sync_block *b = &rig->blocks[height];
    kl_header h = {.number = height, .timestamp = height, .gas_limit = 30000000};
    if (height)
        h.parent_hash = rig->blocks[height - 1].hash;
    kl_out to = kl_out_of(b->header, sizeof b->header);
    kl_header_encode(&to, &h);
    b->header_len = to.len;
    b->hash = kl_keccak256(kl_out_done(&to));
    to = kl_out_of(b->body, sizeof b->body);
    kl_rlp_mark block = kl_rlp_put_begin(&to);
    kl_out_bytes(&to, b->header, b->header_len);
    kl_rlp_put_list_header(&to, 0);
    kl_rlp_put_list_header(&to, 0);
    kl_rlp_put_end(&to, block);
    kl_rlp_put_list_header(&to, 0);
    KL_ASSERT(!to.full);
    b->body_len = to.len;
    /* An epoch's last block is always final by itself. */
    if (height == 0 || (height % SYNC_RIG_EPOCH_BLOCKS && kl_rand_below(seed, 3) == 0))
        return;
    kl_vote_subject subject = sync_rig_subject(rig, height);
    b->finalization_len =
        sync_rig_certificate(rig, subject.proposal.epoch, &subject, 4, b->finalization);
}

void sync_rig_init(sync_rig *rig, u64 *seed)
{
    memset(rig, 0, sizeof *rig);
    rig->scheme = kl_vote_scheme_of(KL_SCHEME_KEYED_HASH, true);
    kl_rand_fill(seed, &rig->domain, sizeof rig->domain);
    kl_rand_fill(seed, rig->secrets, sizeof rig->secrets);
    make_sets(rig, seed);
    for (u64 height = 0; height <= SYNC_RIG_BLOCKS; height++)
        make_block(rig, height, seed);
}

kl_fetch_head sync_rig_head(const sync_rig *rig, u64 height)
{
    u64 epoch = KL_MIN(height / SYNC_RIG_EPOCH_BLOCKS, (u64)2);
    return (kl_fetch_head){
        .height = height,
        .hash = rig->blocks[height].hash,
        .epoch = epoch,
        .last_height = (epoch + 1) * SYNC_RIG_EPOCH_BLOCKS,
        .set = &rig->sets[epoch],
    };
}

kl_message sync_rig_answer(const sync_rig *rig, u64 from, u64 to, u64 height,
                           kl_message_block blocks[KL_MESSAGE_BLOCKS_MAX],
                           kl_span headers[SYNC_RIG_EPOCH_BLOCKS])
{
    kl_message m = {.kind = KL_MESSAGE_BLOCKS, .from = from, .blocks = blocks, .headers = headers};
    const sync_block *b = NULL;
    u64 at = from;
    for (; at <= KL_MIN(to, height); at++) {
        b = &rig->blocks[at];
        blocks[m.block_count++] = (kl_message_block){
            .body = kl_span_of(b->body, b->body_len),
            .finalization = kl_span_of(b->finalization, b->finalization_len),
        };
    }
    for (; b && b->finalization_len == 0; at++) {
        b = &rig->blocks[at];
        headers[m.header_count++] = kl_span_of(b->header, b->header_len);
        m.finalization = kl_span_of(b->finalization, b->finalization_len);
    }
    return m;
}
