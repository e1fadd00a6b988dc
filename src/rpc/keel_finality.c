/* keel_getFinalityProof: what makes a block final, for a client that keeps no chain: the bundle of
 * docs/formats/finality-proof.md, of which this node's chain is the source. */
#include "light/bundle.h"
#include "rpc/at.h"
#include "rpc/method.h"
#include "rpc/put_proof.h"

enum { EPOCHS_MAX = 4096 }; /* in one answer: some megabytes, with a hundred validators */

struct source {
    struct kl_light_source source; /* first */
    struct kl_rpc_call *call;
    struct kl_reader *reader;
    u64 epoch_blocks;
};

static struct source *of(struct kl_light_source *source)
{
    return (struct source *)source;
}

static kl_status get_header(struct kl_light_source *source, u64 number, struct kl_arena *arena,
                            kl_span *out)
{
    kl_header header;
    kl_hash hash;
    if (kl_rpc_expired(of(source)->call))
        return KL_CANCELED;
    KL_TRY(kl_reader_header(of(source)->reader, number, arena, &header, &hash));
    u8 *room = KL_TAKE(arena, u8, KL_HEADER_RLP_MAX);
    if (!room)
        return KL_NOMEM;
    kl_out rlp = kl_out_of(room, KL_HEADER_RLP_MAX);
    kl_header_encode(&rlp, &header);
    *out = kl_out_done(&rlp);
    return KL_OK;
}

static kl_status get_consensus_header(struct kl_light_source *source, u64 number,
                                      struct kl_arena *arena, kl_span *out)
{
    kl_finality finality;
    KL_TRY(kl_reader_finality(of(source)->reader, number, arena, &finality));
    *out = finality.consensus_header;
    return KL_OK;
}

static kl_status get_finalization(struct kl_light_source *source, u64 number,
                                  struct kl_arena *arena, kl_span *out)
{
    kl_finality finality;
    KL_TRY(kl_reader_finality(of(source)->reader, number, arena, &finality));
    if (finality.finalization.len == 0)
        return KL_NOTFOUND;
    *out = finality.finalization;
    return KL_OK;
}

static kl_status get_validators(struct kl_light_source *source, u64 epoch, struct kl_arena *arena,
                                kl_span *out)
{
    return kl_reader_validators(of(source)->reader, epoch, arena, out);
}

/* Epoch e has the blocks from e * epoch_blocks + 1 on. */
static kl_status get_epoch_end(struct kl_light_source *source, u64 epoch, u64 *out)
{
    return kl_mul_u64(out, epoch + 1, of(source)->epoch_blocks) ? KL_OK : KL_NOTFOUND;
}

static bool read_epoch(struct kl_rpc_call *call, u64 *out)
{
    kl_arg arg = kl_arg_at(call, 3);
    *out = 0;
    return !kl_arg_there(arg) || kl_arg_u64(call, arg, out);
}

static bool put_bundle(struct kl_rpc_call *call, u64 number, u64 epoch)
{
    struct kl_chain *chain = call->backend->ops->chain(call->backend);
    const kl_vote_domain domain = kl_chain_vote_domain(chain);
    struct source source = {
        .source = {domain.chain_id, domain.genesis_hash, get_header, get_consensus_header,
                   get_finalization, get_validators, get_epoch_end},
        .call = call,
        .reader = kl_rpc_reader(call),
        .epoch_blocks = kl_chain_spec(chain)->bft.epoch_blocks,
    };
    kl_status status =
        kl_light_bundle_put(call->out, &source.source, number, epoch, EPOCHS_MAX, call->arena);
    if (status == KL_NOTFOUND)
        return kl_rpc_fail(
            call, KL_RPC_NOT_FOUND,
            "block %llu has no Finalization yet, or what proves it is no longer kept",
            (unsigned long long)number);
    if (status == KL_LIMIT)
        return kl_rpc_fail(call, KL_RPC_LIMIT,
                           "more than %d ends of epochs: ask from a later epoch, or for an earlier "
                           "block",
                           EPOCHS_MAX);
    return kl_rpc_ok(call, status);
}

static bool put_account(struct kl_rpc_call *call, u64 number)
{
    KL_CLEANUP(kl_rpc_state_done) struct kl_rpc_state state = {0};
    const kl_block_ref ref = {.kind = KL_BLOCK_NUMBER, .number = number};
    kl_arg keys = kl_arg_at(call, 2);
    kl_address address;
    usize count;
    if (!kl_arg_there(kl_arg_at(call, 1)))
        return !kl_arg_there(keys) || kl_arg_fail(call, keys, "slots without an address");
    if (!kl_arg_address(call, kl_arg_at(call, 1), &address) ||
        (kl_arg_there(keys) && !kl_arg_count(call, keys, KL_PROOF_SLOTS_MAX, &count)) ||
        !kl_rpc_state_of(call, &ref, &state))
        return false;
    kl_json_put_key(call->out, "account");
    return kl_rpc_put_proof(call, state.view, &address, keys);
}

bool kl_rpc_keel_get_finality_proof(struct kl_rpc_call *call)
{
    kl_block_ref ref;
    u64 number, epoch;
    if (!kl_arg_block(call, kl_arg_at(call, 0), &ref) || !read_epoch(call, &epoch) ||
        !kl_rpc_number_must(call, &ref, &number))
        return false;
    if (kl_chain_spec(call->backend->ops->chain(call->backend))->engine != KL_ENGINE_SIMPLEX)
        return kl_rpc_fail(call, KL_RPC_UNSUPPORTED, "nobody votes on this chain");
    kl_json_put_object(call->out);
    if (!put_bundle(call, number, epoch) || !put_account(call, number))
        return false;
    kl_json_put_object_end(call->out);
    return true;
}
