#include "rpc/pending_block.h"

#include "crypto/keccak.h"
#include "rpc/next_header.h"

static bool take_pending(struct kl_rpc_call *call, kl_block *block)
{
    kl_rpc_pooled *pooled;
    usize count;
    if (!kl_rpc_ok(call,
                   call->backend->ops->pool_content(call->backend, call->arena, &pooled, &count)))
        return false;
    block->txs = KL_TAKE(call->arena, kl_tx, count);
    if (!block->txs)
        return kl_rpc_ok(call, KL_NOMEM);
    for (usize i = 0; i < count; i++)
        if (pooled[i].pending)
            block->txs[block->tx_count++] = pooled[i].tx;
    return true;
}

bool kl_rpc_pending_block(struct kl_rpc_call *call, kl_block *out)
{
    struct kl_reader *reader = kl_rpc_reader(call);
    kl_block block = {0};
    if (!reader || !take_pending(call, &block))
        return false;
    kl_rpc_next_header(call, kl_reader_tip(reader), &block.header);
    block.header.ommers_hash = kl_keccak_empty_list;
    block.header.state_root = kl_reader_tip(reader)->header.state_root;
    block.header.transactions_root = kl_keccak_empty_rlp;
    block.header.receipts_root = kl_keccak_empty_rlp;
    block.header.withdrawals_root = kl_keccak_empty_rlp;
    block.has_withdrawals = block.header.tail >= 2;
    kl_out counter = kl_out_counter();
    kl_block_encode(&counter, &block);
    block.rlp_len = counter.len;
    *out = block;
    return true;
}
