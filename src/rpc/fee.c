/* A tip buys nothing but a place before others, so it is worth more than a token only where blocks
 * have no room for all. */
#include "rpc/fee.h"

#include <stdlib.h>

#include "exec/exec.h"
#include "exec/fees.h"

enum { USUAL_TIP = 1000000000 };
#define TIP_MAX   500000000000u /* as geth's default */
#define PERCENT   60u           /* of a full block's transactions that paid no more, as geth's */
#define FULL_PART 10u           /* a block is full when less than a tenth of it is left */

kl_u256 kl_rpc_blob_fee(const kl_spec *spec, const kl_header *header)
{
    kl_fork fork = kl_exec_fork(spec, header);
    if (fork < KL_CANCUN)
        return KL_U256_ZERO;
    return kl_blob_base_fee(header->excess_blob_gas, kl_spec_blobs(spec, fork).update_fraction);
}

static int by_tip(const void *a, const void *b)
{
    const kl_tip_paid *x = a, *y = b;
    return kl_u256_cmp(x->tip, y->tip);
}

static kl_u256 tip_of(const kl_tx *tx, kl_u256 base_fee)
{
    kl_u256 tip, price = kl_tx_gas_price(tx, base_fee);
    return kl_u256_sub_under(&tip, price, base_fee) ? KL_U256_ZERO : tip;
}

kl_tip_paid *kl_rpc_tips_paid(struct kl_rpc_call *call, const kl_stored_block *block)
{
    usize count = block->block.tx_count;
    kl_tip_paid *paid = KL_TAKE(call->arena, kl_tip_paid, count + 1);
    for (usize i = 0; paid && i < count; i++)
        paid[i] = (kl_tip_paid){.tip = tip_of(&block->block.txs[i], block->block.header.base_fee),
                                .gas = block->receipts[i].gas_used};
    if (paid && count)
        qsort(paid, count, sizeof *paid, by_tip);
    return paid;
}

static bool is_full(const kl_header *header)
{
    return header->gas_limit - header->gas_used < header->gas_limit / FULL_PART;
}

bool kl_rpc_suggest_tip(struct kl_rpc_call *call, kl_u256 *out)
{
    struct kl_reader *reader = kl_rpc_reader(call);
    if (!reader)
        return false;
    const kl_header *head = &kl_reader_tip(reader)->header;
    kl_u256 tip = kl_u256_of(USUAL_TIP);
    if (is_full(head)) {
        kl_stored_block block;
        if (!kl_rpc_ok(call, kl_reader_shared(reader, head->number, call->arena, &block)))
            return false;
        kl_tip_paid *paid = kl_rpc_tips_paid(call, &block);
        if (!paid)
            return kl_rpc_ok(call, KL_NOMEM);
        usize count = block.block.tx_count;
        kl_u256 common = count ? paid[(count - 1) * PERCENT / 100].tip : KL_U256_ZERO;
        if (kl_u256_lt(tip, common))
            tip = common;
        if (kl_u256_lt(kl_u256_of(TIP_MAX), tip))
            tip = kl_u256_of(TIP_MAX);
    }
    *out = tip;
    return true;
}
