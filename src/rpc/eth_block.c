/* eth_, blocks: whole, counted, and as headers [execution-apis eth/block]. */
#include "rpc/at.h"
#include "rpc/method.h"
#include "rpc/pending_block.h"
#include "rpc/put.h"

/* The block that a number or hash parameter names, in the arena; *found false: null is the answer.
 */
static bool block_at(struct kl_rpc_call *call, const kl_block_ref *ref, kl_stored_block *out,
                     bool *found)
{
    u64 number;
    if (ref->kind == KL_BLOCK_PENDING) {
        *out = (kl_stored_block){0};
        *found = true;
        return kl_rpc_pending_block(call, &out->block);
    }
    if (!kl_rpc_number_at(call, ref, &number, found))
        return false;
    if (!*found)
        return true;
    kl_status status = kl_reader_shared(kl_rpc_reader(call), number, call->arena, out);
    *found = status != KL_NOTFOUND; /* retention has dropped it */
    return !*found || kl_rpc_ok(call, status);
}

static bool number_param(struct kl_rpc_call *call, kl_block_ref *ref)
{
    return kl_arg_block(call, kl_arg_at(call, 0), ref);
}

static bool hash_param(struct kl_rpc_call *call, kl_block_ref *ref)
{
    *ref = (kl_block_ref){.kind = KL_BLOCK_HASH};
    return kl_arg_hash(call, kl_arg_at(call, 0), &ref->hash);
}

static bool put_block(struct kl_rpc_call *call, const kl_block_ref *ref)
{
    kl_stored_block stored;
    bool found, whole = false;
    kl_arg second = kl_arg_at(call, 1);
    if ((kl_arg_there(second) && !kl_arg_bool(call, second, &whole)) ||
        !block_at(call, ref, &stored, &found))
        return false;
    if (found)
        kl_put_block(call->out, &stored.block, whole, ref->kind == KL_BLOCK_PENDING);
    else
        kl_json_put_null(call->out);
    return true;
}

bool kl_rpc_eth_get_block_by_number(struct kl_rpc_call *call)
{
    kl_block_ref ref;
    return number_param(call, &ref) && put_block(call, &ref);
}

bool kl_rpc_eth_get_block_by_hash(struct kl_rpc_call *call)
{
    kl_block_ref ref;
    return hash_param(call, &ref) && put_block(call, &ref);
}

static bool put_header(struct kl_rpc_call *call, const kl_block_ref *ref)
{
    kl_stored_block stored;
    bool found;
    if (!block_at(call, ref, &stored, &found))
        return false;
    if (found)
        kl_put_header(call->out, &stored.block.header,
                      ref->kind == KL_BLOCK_PENDING ? NULL : &stored.block.hash);
    else
        kl_json_put_null(call->out);
    return true;
}

bool kl_rpc_eth_get_header_by_number(struct kl_rpc_call *call)
{
    kl_block_ref ref;
    return number_param(call, &ref) && put_header(call, &ref);
}

bool kl_rpc_eth_get_header_by_hash(struct kl_rpc_call *call)
{
    kl_block_ref ref;
    return hash_param(call, &ref) && put_header(call, &ref);
}

static usize tx_count(const kl_block *block)
{
    return block->tx_count;
}

static usize ommer_count(const kl_block *block)
{
    return block->ommer_count;
}

static bool put_count(struct kl_rpc_call *call, const kl_block_ref *ref,
                      usize (*count)(const kl_block *block))
{
    kl_stored_block stored;
    bool found;
    if (!block_at(call, ref, &stored, &found))
        return false;
    if (found)
        kl_json_put_quantity(call->out, count(&stored.block));
    else
        kl_json_put_null(call->out);
    return true;
}

bool kl_rpc_eth_get_block_transaction_count_by_number(struct kl_rpc_call *call)
{
    kl_block_ref ref;
    return number_param(call, &ref) && put_count(call, &ref, tx_count);
}

bool kl_rpc_eth_get_block_transaction_count_by_hash(struct kl_rpc_call *call)
{
    kl_block_ref ref;
    return hash_param(call, &ref) && put_count(call, &ref, tx_count);
}

bool kl_rpc_eth_get_uncle_count_by_number(struct kl_rpc_call *call)
{
    kl_block_ref ref;
    return number_param(call, &ref) && put_count(call, &ref, ommer_count);
}

bool kl_rpc_eth_get_uncle_count_by_hash(struct kl_rpc_call *call)
{
    kl_block_ref ref;
    return hash_param(call, &ref) && put_count(call, &ref, ommer_count);
}

/* An ommer, as a block without transactions; null where there is none. */
static bool put_ommer(struct kl_rpc_call *call, const kl_block_ref *ref)
{
    kl_stored_block stored;
    bool found;
    u64 index;
    if (!kl_arg_u64(call, kl_arg_at(call, 1), &index) || !block_at(call, ref, &stored, &found))
        return false;
    if (!found || index >= stored.block.ommer_count) {
        kl_json_put_null(call->out);
        return true;
    }
    kl_block ommer = {.header = stored.block.ommers[index]};
    ommer.hash = kl_header_hash(&ommer.header);
    kl_out counter = kl_out_counter();
    kl_block_encode(&counter, &ommer);
    ommer.rlp_len = counter.len;
    kl_put_block(call->out, &ommer, false, false);
    return true;
}

bool kl_rpc_eth_get_uncle_by_number_and_index(struct kl_rpc_call *call)
{
    kl_block_ref ref;
    return number_param(call, &ref) && put_ommer(call, &ref);
}

bool kl_rpc_eth_get_uncle_by_hash_and_index(struct kl_rpc_call *call)
{
    kl_block_ref ref;
    return hash_param(call, &ref) && put_ommer(call, &ref);
}

bool kl_rpc_eth_get_block_receipts(struct kl_rpc_call *call)
{
    kl_block_ref ref;
    kl_stored_block stored;
    bool found;
    if (!number_param(call, &ref) || !block_at(call, &ref, &stored, &found))
        return false;
    if (!found || ref.kind == KL_BLOCK_PENDING) {
        kl_json_put_null(call->out);
        return true;
    }
    const kl_spec *spec = kl_chain_spec(call->backend->ops->chain(call->backend));
    usize first_log = 0;
    kl_json_put_array(call->out);
    for (usize i = 0; i < stored.block.tx_count; i++) {
        kl_put_receipt(call->out, spec, &stored, i, first_log);
        first_log += stored.receipts[i].log_count;
    }
    kl_json_put_array_end(call->out);
    return true;
}
