#include "rpc/put.h"

/* A member that a pending block does not have yet. */
static void put_decided(struct kl_json_out *out, const char *key, bool pending, kl_span bytes)
{
    kl_json_put_key(out, key);
    if (pending)
        kl_json_put_null(out);
    else
        kl_json_put_data(out, bytes);
}

/* What forks have added, in their order. */
static void put_tail(struct kl_json_out *out, const kl_header *h)
{
    if (h->tail >= 1)
        kl_json_add_quantity_u256(out, "baseFeePerGas", h->base_fee);
    if (h->tail >= 2)
        kl_json_add_hash(out, "withdrawalsRoot", &h->withdrawals_root);
    if (h->tail >= 3)
        kl_json_add_quantity(out, "blobGasUsed", h->blob_gas_used);
    if (h->tail >= 4)
        kl_json_add_quantity(out, "excessBlobGas", h->excess_blob_gas);
    if (h->tail >= 5)
        kl_json_add_hash(out, "parentBeaconBlockRoot", &h->parent_beacon_root);
    if (h->tail >= 6)
        kl_json_add_hash(out, "requestsHash", &h->requests_hash);
}

static void put_members(struct kl_json_out *out, const kl_header *h, const kl_hash *hash)
{
    kl_json_add_quantity(out, "number", h->number);
    kl_json_put_key(out, "hash");
    if (hash)
        kl_json_put_hash(out, hash);
    else
        kl_json_put_null(out);
    kl_json_add_hash(out, "parentHash", &h->parent_hash);
    put_decided(out, "nonce", !hash, KL_SPAN_OF(h->nonce));
    kl_json_add_hash(out, "mixHash", &h->mix_hash);
    kl_json_add_hash(out, "sha3Uncles", &h->ommers_hash);
    kl_json_add_data(out, "logsBloom", KL_SPAN_OF(h->logs_bloom.b));
    kl_json_add_hash(out, "stateRoot", &h->state_root);
    put_decided(out, "miner", !hash, kl_address_span(&h->coinbase));
    kl_json_add_quantity_u256(out, "difficulty", h->difficulty);
    kl_json_add_data(out, "extraData", kl_span_of(h->extra_data, h->extra_len));
    kl_json_add_quantity(out, "gasLimit", h->gas_limit);
    kl_json_add_quantity(out, "gasUsed", h->gas_used);
    kl_json_add_quantity(out, "timestamp", h->timestamp);
    kl_json_add_hash(out, "transactionsRoot", &h->transactions_root);
    kl_json_add_hash(out, "receiptsRoot", &h->receipts_root);
    put_tail(out, h);
}

void kl_put_header(struct kl_json_out *out, const kl_header *header, const kl_hash *hash)
{
    kl_json_put_object(out);
    put_members(out, header, hash);
    kl_json_put_object_end(out);
}

static void put_withdrawals(struct kl_json_out *out, const kl_block *block)
{
    kl_json_put_key(out, "withdrawals");
    kl_json_put_array(out);
    for (usize i = 0; i < block->withdrawal_count; i++) {
        const kl_withdrawal *w = &block->withdrawals[i];
        kl_json_put_object(out);
        kl_json_add_quantity(out, "index", w->index);
        kl_json_add_quantity(out, "validatorIndex", w->validator_index);
        kl_json_add_data(out, "address", kl_address_span(&w->address));
        kl_json_add_quantity(out, "amount", w->amount);
        kl_json_put_object_end(out);
    }
    kl_json_put_array_end(out);
}

void kl_put_block(struct kl_json_out *out, const kl_block *block, bool whole, bool pending)
{
    kl_json_put_object(out);
    put_members(out, &block->header, pending ? NULL : &block->hash);
    kl_json_add_quantity(out, "size", block->rlp_len);
    kl_json_put_key(out, "transactions");
    kl_json_put_array(out);
    for (usize i = 0; i < block->tx_count; i++) {
        const kl_put_place place = {.block = pending ? NULL : block, .index = i};
        if (whole)
            kl_put_tx(out, &block->txs[i], &place);
        else
            kl_json_put_hash(out, &block->txs[i].hash);
    }
    kl_json_put_array_end(out);
    kl_json_put_key(out, "uncles");
    kl_json_put_array(out);
    for (usize i = 0; i < block->ommer_count; i++) {
        kl_hash hash = kl_header_hash(&block->ommers[i]);
        kl_json_put_hash(out, &hash);
    }
    kl_json_put_array_end(out);
    if (block->has_withdrawals)
        put_withdrawals(out, block);
    kl_json_put_object_end(out);
}
