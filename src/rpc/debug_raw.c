/* debug_getRaw…: the chain's nouns in bytes [execution-apis debug]. */
#include "rpc/at.h"
#include "rpc/method.h"

static bool stored_at(struct kl_rpc_call *call, kl_stored_block *out)
{
    kl_block_ref ref;
    u64 number;
    return kl_arg_block(call, kl_arg_at(call, 0), &ref) &&
           kl_rpc_number_must(call, &ref, &number) &&
           kl_rpc_ok(call, kl_reader_block(kl_rpc_reader(call), number, call->arena, out));
}

bool kl_rpc_debug_get_raw_block(struct kl_rpc_call *call)
{
    kl_stored_block stored;
    if (!stored_at(call, &stored))
        return false;
    kl_json_put_data(call->out, stored.rlp);
    return true;
}

bool kl_rpc_debug_get_raw_header(struct kl_rpc_call *call)
{
    kl_stored_block stored;
    u8 rlp[KL_HEADER_RLP_MAX];
    if (!stored_at(call, &stored))
        return false;
    kl_out out = kl_out_of(rlp, sizeof rlp);
    kl_header_encode(&out, &stored.block.header);
    kl_json_put_data(call->out, kl_out_done(&out));
    return true;
}

static bool put_receipt(struct kl_rpc_call *call, const kl_receipt *receipt)
{
    kl_out counter = kl_out_counter();
    kl_receipt_encode(&counter, receipt);
    kl_arena_mark mark = kl_arena_here(call->arena);
    u8 *bytes = kl_arena_take(call->arena, counter.len, 1);
    if (!bytes)
        return kl_rpc_ok(call, KL_NOMEM);
    kl_out out = kl_out_of(bytes, counter.len);
    kl_receipt_encode(&out, receipt);
    kl_json_put_data(call->out, kl_out_done(&out));
    kl_arena_rewind(call->arena, mark);
    return true;
}

bool kl_rpc_debug_get_raw_receipts(struct kl_rpc_call *call)
{
    kl_stored_block stored;
    if (!stored_at(call, &stored))
        return false;
    kl_json_put_array(call->out);
    for (usize i = 0; i < stored.block.tx_count; i++)
        if (!put_receipt(call, &stored.receipts[i]))
            return false;
    kl_json_put_array_end(call->out);
    return true;
}
