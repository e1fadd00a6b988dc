/* eth_, transactions: by hash, by place, in bytes, and what they did [execution-apis
 * eth/transaction]. */
#include "rpc/at.h"
#include "rpc/method.h"
#include "rpc/pending_block.h"
#include "rpc/put.h"

/* A transaction wherever it is.  block.header is only meaningful when mined. */
typedef struct found_tx {
    bool found, mined;
    kl_tx pooled;
    kl_stored_block stored;
    usize index;
} found_tx;

static const kl_tx *tx_of(const found_tx *f)
{
    return f->mined ? &f->stored.block.txs[f->index] : &f->pooled;
}

/* In block `number` at index; not found when there is no such place. */
static bool find_in_block(struct kl_rpc_call *call, u64 number, u64 index, found_tx *out)
{
    kl_status status = kl_reader_shared(kl_rpc_reader(call), number, call->arena, &out->stored);
    if (status == KL_NOTFOUND) /* retention has dropped it */
        return true;
    if (!kl_rpc_ok(call, status))
        return false;
    out->found = out->mined = index < out->stored.block.tx_count;
    out->index = (usize)index;
    return true;
}

/* Among the mined ones. */
static bool find_mined(struct kl_rpc_call *call, const kl_hash *hash, found_tx *out)
{
    struct kl_reader *reader = kl_rpc_reader(call);
    u64 number;
    usize index;
    if (!reader)
        return false;
    kl_status status = kl_reader_tx(reader, hash, &number, &index);
    if (status == KL_NOTFOUND)
        return true;
    return kl_rpc_ok(call, status) && find_in_block(call, number, index, out);
}

/* The pool is asked first, and the chain of a newer tip afterwards, so that a transaction on its
 * way from one to the other is seen by at least one of them. */
static bool find(struct kl_rpc_call *call, found_tx *out)
{
    kl_hash hash;
    kl_rpc_pooled pooled;
    *out = (found_tx){0};
    if (!kl_arg_hash(call, kl_arg_at(call, 0), &hash))
        return false;
    kl_status status = call->backend->ops->pooled(call->backend, &hash, call->arena, &pooled);
    if (status != KL_OK && status != KL_NOTFOUND)
        return kl_rpc_ok(call, status);
    if (!find_mined(call, &hash, out))
        return false;
    if (!out->found && status == KL_OK) {
        out->found = true;
        out->pooled = pooled.tx;
    }
    return true;
}

static bool find_in_pending(struct kl_rpc_call *call, u64 index, found_tx *out)
{
    kl_block block;
    if (!kl_rpc_pending_block(call, &block))
        return false;
    out->found = index < block.tx_count;
    if (out->found)
        out->pooled = block.txs[index];
    return true;
}

static bool find_by_place(struct kl_rpc_call *call, const kl_block_ref *ref, found_tx *out)
{
    u64 index, number;
    bool found;
    *out = (found_tx){0};
    if (!kl_arg_u64(call, kl_arg_at(call, 1), &index))
        return false;
    if (ref->kind == KL_BLOCK_PENDING)
        return find_in_pending(call, index, out);
    return kl_rpc_number_at(call, ref, &number, &found) &&
           (!found || find_in_block(call, number, index, out));
}

static bool find_by_number(struct kl_rpc_call *call, found_tx *out)
{
    kl_block_ref ref;
    return kl_arg_block(call, kl_arg_at(call, 0), &ref) && find_by_place(call, &ref, out);
}

static bool find_by_hash(struct kl_rpc_call *call, found_tx *out)
{
    kl_block_ref ref = {.kind = KL_BLOCK_HASH};
    return kl_arg_hash(call, kl_arg_at(call, 0), &ref.hash) && find_by_place(call, &ref, out);
}

static bool put(struct kl_rpc_call *call, const found_tx *f)
{
    if (!f->found) {
        kl_json_put_null(call->out);
        return true;
    }
    const kl_put_place place = {.block = f->mined ? &f->stored.block : NULL, .index = f->index};
    kl_put_tx(call->out, tx_of(f), &place);
    return true;
}

/* The envelope; what is not there is no bytes [geth]. */
static bool put_raw(struct kl_rpc_call *call, const found_tx *f)
{
    kl_json_put_data(call->out, f->found ? tx_of(f)->raw : KL_SPAN_NONE);
    return true;
}

bool kl_rpc_eth_get_transaction_by_hash(struct kl_rpc_call *call)
{
    found_tx f;
    return find(call, &f) && put(call, &f);
}

bool kl_rpc_eth_get_transaction_by_block_number_and_index(struct kl_rpc_call *call)
{
    found_tx f;
    return find_by_number(call, &f) && put(call, &f);
}

bool kl_rpc_eth_get_transaction_by_block_hash_and_index(struct kl_rpc_call *call)
{
    found_tx f;
    return find_by_hash(call, &f) && put(call, &f);
}

bool kl_rpc_eth_get_raw_transaction_by_hash(struct kl_rpc_call *call)
{
    found_tx f;
    return find(call, &f) && put_raw(call, &f);
}

bool kl_rpc_eth_get_raw_transaction_by_block_number_and_index(struct kl_rpc_call *call)
{
    found_tx f;
    return find_by_number(call, &f) && put_raw(call, &f);
}

bool kl_rpc_eth_get_raw_transaction_by_block_hash_and_index(struct kl_rpc_call *call)
{
    found_tx f;
    return find_by_hash(call, &f) && put_raw(call, &f);
}

bool kl_rpc_put_receipt_of(struct kl_rpc_call *call, const kl_hash *hash, bool *found)
{
    found_tx f = {0};
    if (!find_mined(call, hash, &f))
        return false;
    *found = f.found;
    if (!f.found)
        return true;
    usize first_log = 0;
    for (usize i = 0; i < f.index; i++)
        first_log += f.stored.receipts[i].log_count;
    kl_put_receipt(call->out, kl_chain_spec(call->backend->ops->chain(call->backend)), &f.stored,
                   f.index, first_log);
    return true;
}

bool kl_rpc_eth_get_transaction_receipt(struct kl_rpc_call *call)
{
    kl_hash hash;
    bool found;
    if (!kl_arg_hash(call, kl_arg_at(call, 0), &hash) ||
        !kl_rpc_put_receipt_of(call, &hash, &found))
        return false;
    if (!found)
        kl_json_put_null(call->out);
    return true;
}
