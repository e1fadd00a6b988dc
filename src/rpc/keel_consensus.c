/* keel_getConsensusHeader: what lies beside a block where validators vote, its fields for people,
 * and the bytes that hash to the block's extraData; with the Finalization, where it has its own. */
#include "chain/bft.h"
#include "rpc/at.h"
#include "rpc/method.h"

static void put_fields(struct kl_json_out *out, const kl_consensus_header *h)
{
    kl_json_add_quantity(out, "version", h->version);
    kl_json_add_quantity(out, "epoch", h->epoch);
    kl_json_add_quantity(out, "view", h->view);
    kl_json_add_quantity(out, "parentView", h->parent_view);
    kl_json_add_quantity(out, "timeMs", h->time_ms);
    kl_json_add_hash(out, "nextSetHash", &h->next_set_hash);
    kl_json_add_data(out, "randaoProof",
                     kl_span_of(h->randao_proof, h->has_randao_proof ? KL_RANDAO_PROOF_LEN : 0));
    kl_json_add_quantity(out, "forkSignal", h->fork_signal);
    kl_json_add_hash(out, "outboxRoot", &h->outbox_root);
    if (h->is_genesis)
        kl_json_add_hash(out, "configHash", &h->config_hash);
}

static void put_finalization(struct kl_json_out *out, kl_span finalization)
{
    if (finalization.len)
        kl_json_add_data(out, "finalization", finalization);
    else
        kl_json_add_null(out, "finalization");
}

bool kl_rpc_keel_get_consensus_header(struct kl_rpc_call *call)
{
    kl_block_ref ref;
    kl_finality finality;
    kl_consensus_header header;
    kl_hash hash;
    u64 number;
    if (!kl_arg_block(call, kl_arg_at(call, 0), &ref) || !kl_rpc_number_must(call, &ref, &number))
        return false;
    if (kl_chain_spec(call->backend->ops->chain(call->backend))->engine != KL_ENGINE_SIMPLEX)
        return kl_rpc_fail(call, KL_RPC_UNSUPPORTED, "nobody votes on this chain");
    if (!kl_rpc_ok(call, kl_reader_finality(kl_rpc_reader(call), number, call->arena, &finality)) ||
        !kl_rpc_ok(call, kl_reader_hash_of(kl_rpc_reader(call), number, &hash)))
        return false;
    /* The ledger holds what was judged when it came there. */
    if (kl_consensus_header_decode(&header, finality.consensus_header) != KL_RULE_NONE)
        return kl_rpc_ok(call, KL_CORRUPT);
    kl_json_put_object(call->out);
    kl_json_add_quantity(call->out, "number", number);
    kl_json_add_hash(call->out, "blockHash", &hash);
    put_fields(call->out, &header);
    kl_json_add_data(call->out, "rlp", finality.consensus_header);
    put_finalization(call->out, finality.finalization);
    kl_json_put_object_end(call->out);
    return true;
}
