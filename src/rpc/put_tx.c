#include "rpc/put.h"

static void put_place(struct kl_json_out *out, const kl_put_place *place)
{
    const kl_block *block = place->block;
    kl_json_put_key(out, "blockHash");
    if (block)
        kl_json_put_hash(out, &block->hash);
    else
        kl_json_put_null(out);
    kl_json_put_key(out, "blockNumber");
    if (block)
        kl_json_put_quantity(out, block->header.number);
    else
        kl_json_put_null(out);
    kl_json_put_key(out, "blockTimestamp");
    if (block)
        kl_json_put_quantity(out, block->header.timestamp);
    else
        kl_json_put_null(out);
    kl_json_put_key(out, "transactionIndex");
    if (block)
        kl_json_put_quantity(out, place->index);
    else
        kl_json_put_null(out);
}

/* gasPrice is what is paid; before that is known, what may be. */
static void put_fees(struct kl_json_out *out, const kl_tx *tx, const kl_put_place *place)
{
    kl_u256 price = tx->max_fee;
    if (place->block && place->block->header.tail >= 1)
        price = kl_tx_gas_price(tx, place->block->header.base_fee);
    kl_json_add_quantity(out, "gas", tx->gas_limit);
    kl_json_add_quantity_u256(out, "gasPrice", price);
    if (tx->type >= KL_TX_DYNAMIC_FEE) {
        kl_json_add_quantity_u256(out, "maxFeePerGas", tx->max_fee);
        kl_json_add_quantity_u256(out, "maxPriorityFeePerGas", tx->max_priority_fee);
    }
    if (tx->type == KL_TX_BLOB) {
        kl_json_add_quantity_u256(out, "maxFeePerBlobGas", tx->max_blob_fee);
    }
}

static void put_hashes(struct kl_json_out *out, const char *key, const kl_hash *hashes, usize count)
{
    kl_json_put_key(out, key);
    kl_json_put_array(out);
    for (usize i = 0; i < count; i++)
        kl_json_put_hash(out, &hashes[i]);
    kl_json_put_array_end(out);
}

static void put_access_list(struct kl_json_out *out, const kl_tx *tx)
{
    kl_json_put_key(out, "accessList");
    kl_json_put_array(out);
    for (usize i = 0; i < tx->access_count; i++) {
        const kl_access *access = &tx->access_list[i];
        kl_json_put_object(out);
        kl_json_add_address(out, "address", &access->address);
        put_hashes(out, "storageKeys", access->slots, access->slot_count);
        kl_json_put_object_end(out);
    }
    kl_json_put_array_end(out);
}

static void put_signature(struct kl_json_out *out, const kl_signature *signature, bool y_parity,
                          const u64 *v)
{
    if (v) {
        kl_json_add_quantity(out, "v", *v);
    }
    kl_json_add_quantity_u256(out, "r", signature->r);
    kl_json_add_quantity_u256(out, "s", signature->s);
    if (y_parity) {
        kl_json_add_quantity(out, "yParity", signature->y_parity);
    }
}

static void put_authorizations(struct kl_json_out *out, const kl_tx *tx)
{
    kl_json_put_key(out, "authorizationList");
    kl_json_put_array(out);
    for (usize i = 0; i < tx->authorization_count; i++) {
        const kl_authorization *tuple = &tx->authorizations[i];
        kl_json_put_object(out);
        kl_json_add_quantity_u256(out, "chainId", tuple->chain_id);
        kl_json_add_address(out, "address", &tuple->address);
        kl_json_add_quantity(out, "nonce", tuple->nonce);
        put_signature(out, &tuple->signature, true, NULL);
        kl_json_put_object_end(out);
    }
    kl_json_put_array_end(out);
}

/* What only some types have. */
static void put_typed(struct kl_json_out *out, const kl_tx *tx)
{
    if (tx->replay_safe) {
        kl_json_add_quantity(out, "chainId", tx->chain_id);
    }
    if (tx->type >= KL_TX_ACCESS_LIST)
        put_access_list(out, tx);
    if (tx->type == KL_TX_BLOB)
        put_hashes(out, "blobVersionedHashes", tx->blob_hashes, tx->blob_count);
    if (tx->type == KL_TX_SET_CODE)
        put_authorizations(out, tx);
}

/* [EIP-155] for legacy transactions; the parity for the others. */
static u64 v_of(const kl_tx *tx)
{
    if (tx->type != KL_TX_LEGACY)
        return tx->signature.y_parity;
    return tx->signature.y_parity + (tx->replay_safe ? 35 + 2 * tx->chain_id : 27);
}

void kl_put_tx(struct kl_json_out *out, const kl_tx *tx, const kl_put_place *place)
{
    u64 v = v_of(tx);
    kl_json_put_object(out);
    put_place(out, place);
    kl_json_add_hash(out, "hash", &tx->hash);
    kl_json_add_quantity(out, "type", tx->type);
    kl_json_add_address(out, "from", &tx->sender);
    kl_json_put_key(out, "to");
    if (tx->has_to)
        kl_json_put_address(out, &tx->to);
    else
        kl_json_put_null(out);
    kl_json_add_quantity(out, "nonce", tx->nonce);
    kl_json_add_quantity_u256(out, "value", tx->value);
    kl_json_add_data(out, "input", tx->data);
    put_fees(out, tx, place);
    put_typed(out, tx);
    put_signature(out, &tx->signature, tx->type != KL_TX_LEGACY, &v);
    kl_json_put_object_end(out);
}
