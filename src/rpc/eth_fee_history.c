/* eth_feeHistory [execution-apis eth/fee_market]: the fees of the last so many blocks, and of the
 * one after them.  One pass reads the blocks; the answer is five lists, written one after the
 * other.
 */
#include <stdio.h>
#include <stdlib.h>

#include "exec/exec.h"
#include "rpc/fee.h"
#include "rpc/method.h"
#include "rpc/next_header.h"
#include "rpc/param.h"

enum {
    BLOCKS_MAX = 1024,     /* as geth's */
    PERCENTILES_MAX = 100, /* as geth's */
    BLOB_GAS = 131072,     /* of one blob [EIP-4844] */
};

/* What the answer says of one block. */
struct fees {
    kl_u256 base_fee, blob_base_fee;
    double gas_ratio, blob_gas_ratio;
};

struct history {
    struct kl_rpc_call *call;
    const kl_spec *spec;
    struct kl_reader *reader;
    u64 first, count;
    double percentiles[PERCENTILES_MAX];
    usize percentile_count;
    bool has_percentiles;
    struct fees *fees;     /* count, and the next block's */
    kl_u256 *rewards;      /* percentile_count a block */
    kl_arena_mark scratch; /* what reading a block takes is given back */
};

static bool read_percentile(struct kl_rpc_call *call, kl_arg arg, double *out)
{
    char text[32], *end;
    kl_span raw = kl_json_raw(call->json, arg.ref);
    bool is_text = kl_json_is(call->json, arg.ref, KL_JSON_NUMBER) ||
                   kl_json_is(call->json, arg.ref, KL_JSON_STRING);
    if (!is_text || raw.len == 0 || raw.len >= sizeof text)
        return kl_arg_fail(call, arg, "number expected");
    memcpy(text, raw.p, raw.len);
    text[raw.len] = 0;
    double value = strtod(text, &end);
    if (*end)
        return kl_arg_fail(call, arg, "number expected");
    if (!(value >= 0 && value <= 100))
        return kl_rpc_fail(call, KL_RPC_INPUT, "invalid reward percentile: %f", value);
    *out = value;
    return true;
}

static bool read_percentiles(struct history *h, kl_arg arg)
{
    usize count, i = 0;
    if (!kl_arg_there(arg))
        return true;
    if (!kl_arg_count(h->call, arg, SIZE_MAX, &count))
        return false;
    if (count > PERCENTILES_MAX)
        return kl_rpc_fail(h->call, KL_RPC_INPUT,
                           "invalid reward percentile: over the query limit %d", PERCENTILES_MAX);
    for (kl_arg e = kl_arg_first(h->call, arg); kl_arg_there(e);
         e = kl_arg_after(h->call, arg, e), i++) {
        if (!read_percentile(h->call, e, &h->percentiles[i]))
            return false;
        if (i > 0 && h->percentiles[i] <= h->percentiles[i - 1])
            return kl_rpc_fail(h->call, KL_RPC_INPUT,
                               "invalid reward percentile: #%zu:%f >= #%zu:%f", i - 1,
                               h->percentiles[i - 1], i, h->percentiles[i]);
    }
    h->percentile_count = count;
    h->has_percentiles = count > 0;
    return true;
}

/* Which blocks; pending stands for the newest block, whose successor's fees are told anyway. */
static bool read_range(struct history *h)
{
    struct kl_rpc_call *call = h->call;
    u64 count, head, last;
    kl_block_ref ref;
    if (!kl_arg_number(call, kl_arg_at(call, 0), &count) ||
        !kl_arg_block(call, kl_arg_at(call, 1), &ref))
        return false;
    h->reader = kl_rpc_reader(call);
    if (!h->reader)
        return false;
    last = head = kl_reader_tip(h->reader)->header.number;
    if (ref.kind == KL_BLOCK_EARLIEST)
        last = 0;
    else if (ref.kind == KL_BLOCK_NUMBER)
        last = ref.number;
    else if (ref.kind == KL_BLOCK_HASH &&
             !kl_rpc_ok(call, kl_reader_number_of(h->reader, &ref.hash, &last)))
        return false;
    if (last > head)
        return kl_rpc_fail(call, KL_RPC_INPUT,
                           "request beyond head block: requested %llu, head %llu",
                           (unsigned long long)last, (unsigned long long)head);
    u64 oldest = kl_reader_oldest_block(h->reader);
    count = KL_MIN(count, (u64)BLOCKS_MAX);
    count = KL_MIN(count, last + 1 - KL_MIN(oldest, last + 1));
    h->first = last + 1 - count;
    h->count = count;
    return true;
}

static void take_header(struct history *h, u64 i, const kl_header *header)
{
    kl_blob_schedule blobs = kl_spec_blobs(h->spec, kl_exec_fork(h->spec, header));
    double blob_room = (double)blobs.max * BLOB_GAS;
    h->fees[i] = (struct fees){
        .base_fee = header->base_fee,
        .blob_base_fee = kl_rpc_blob_fee(h->spec, header),
        .gas_ratio = header->gas_limit ? (double)header->gas_used / (double)header->gas_limit : 0,
        .blob_gas_ratio = blob_room > 0 ? (double)header->blob_gas_used / blob_room : 0,
    };
}

/* What the gas at each percentile of the block's gas was tipped. */
static void take_rewards(struct history *h, u64 i, const kl_tip_paid *paid, usize count,
                         u64 gas_used)
{
    kl_u256 *rewards = &h->rewards[i * h->percentile_count];
    u64 sum = count ? paid[0].gas : 0;
    usize at = 0;
    for (usize p = 0; p < h->percentile_count; p++) {
        u64 wanted = (u64)((double)gas_used * h->percentiles[p] / 100);
        while (sum < wanted && at + 1 < count)
            sum += paid[++at].gas;
        rewards[p] = count ? paid[at].tip : KL_U256_ZERO;
    }
}

static bool read_block(struct history *h, u64 i)
{
    struct kl_rpc_call *call = h->call;
    kl_stored_block block;
    kl_header header;
    kl_hash hash;
    if (!h->has_percentiles) {
        if (!kl_rpc_ok(call,
                       kl_reader_header(h->reader, h->first + i, call->arena, &header, &hash)))
            return false;
        take_header(h, i, &header);
        return true;
    }
    if (!kl_rpc_ok(call, kl_reader_block(h->reader, h->first + i, call->arena, &block)))
        return false;
    const kl_tip_paid *paid = kl_rpc_tips_paid(call, &block);
    if (!paid)
        return kl_rpc_ok(call, KL_NOMEM);
    take_header(h, i, &block.block.header);
    take_rewards(h, i, paid, block.block.tx_count, block.block.header.gas_used);
    return true;
}

/* The fees of the block behind the last one: what the next block asks when that is the newest. */
static bool read_after(struct history *h)
{
    struct kl_rpc_call *call = h->call;
    const struct kl_tip *tip = kl_reader_tip(h->reader);
    kl_header next;
    kl_hash hash;
    u64 number = h->first + h->count;
    if (number > tip->header.number)
        kl_rpc_next_header(call, tip, &next);
    else if (!kl_rpc_ok(call, kl_reader_header(h->reader, number, call->arena, &next, &hash)))
        return false;
    take_header(h, h->count, &next);
    return true;
}

static bool read_blocks(struct history *h)
{
    struct kl_rpc_call *call = h->call;
    h->fees = KL_TAKE(call->arena, struct fees, h->count + 1);
    h->rewards = KL_TAKE(call->arena, kl_u256, h->count * h->percentile_count + 1);
    if (!h->fees || !h->rewards)
        return kl_rpc_ok(call, KL_NOMEM);
    h->scratch = kl_arena_here(call->arena);
    for (u64 i = 0; i < h->count; i++) {
        if (kl_rpc_expired(call))
            return kl_rpc_ok(call, KL_CANCELED);
        if (!read_block(h, i))
            return false;
        kl_arena_rewind(call->arena, h->scratch);
    }
    return read_after(h);
}

/* The shortest decimal that reads back as the same number. */
static void put_ratio(struct kl_json_out *out, double ratio)
{
    char text[32];
    int len = 0;
    for (int digits = 15; digits <= 17; digits++) {
        len = snprintf(text, sizeof text, "%.*g", digits, ratio);
        if (strtod(text, NULL) == ratio)
            break;
    }
    kl_json_put_raw(out, kl_span_of(text, (usize)len));
}

static void put_rewards(const struct history *h, struct kl_json_out *out)
{
    kl_json_put_key(out, "reward");
    kl_json_put_array(out);
    for (u64 i = 0; i < h->count; i++) {
        kl_json_put_array(out);
        for (usize p = 0; p < h->percentile_count; p++)
            kl_json_put_quantity_u256(out, h->rewards[i * h->percentile_count + p]);
        kl_json_put_array_end(out);
    }
    kl_json_put_array_end(out);
}

static void put_fees(const struct history *h, struct kl_json_out *out, const char *key, bool blob)
{
    kl_json_put_key(out, key);
    kl_json_put_array(out);
    for (u64 i = 0; i <= h->count; i++)
        kl_json_put_quantity_u256(out, blob ? h->fees[i].blob_base_fee : h->fees[i].base_fee);
    kl_json_put_array_end(out);
}

static void put_ratios(const struct history *h, struct kl_json_out *out, const char *key, bool blob)
{
    kl_json_put_key(out, key);
    kl_json_put_array(out);
    for (u64 i = 0; i < h->count; i++)
        put_ratio(out, blob ? h->fees[i].blob_gas_ratio : h->fees[i].gas_ratio);
    kl_json_put_array_end(out);
}

bool kl_rpc_eth_fee_history(struct kl_rpc_call *call)
{
    struct history h = {.call = call};
    h.spec = kl_chain_spec(call->backend->ops->chain(call->backend));
    if (!read_percentiles(&h, kl_arg_at(call, 2)) || !read_range(&h))
        return false;
    if (h.count && !read_blocks(&h))
        return false;
    struct kl_json_out *out = call->out;
    kl_json_put_object(out);
    kl_json_add_quantity(out, "oldestBlock", h.count ? h.first : 0);
    if (h.count && h.has_percentiles)
        put_rewards(&h, out);
    if (h.count) {
        put_fees(&h, out, "baseFeePerGas", false);
        put_ratios(&h, out, "gasUsedRatio", false);
        put_fees(&h, out, "baseFeePerBlobGas", true);
        put_ratios(&h, out, "blobGasUsedRatio", true);
    } else {
        kl_json_add_null(out, "gasUsedRatio");
    }
    kl_json_put_object_end(out);
    return true;
}
