#include "crypto/address.h"
#include "exec/fees.h"
#include "rpc/put.h"

enum { BLOB_GAS = 131072 }; /* of one blob [EIP-4844] */

static void put_tx_place(struct kl_json_out *out, const kl_block *block, usize index)
{
    kl_json_add_hash(out, "blockHash", &block->hash);
    kl_json_add_quantity(out, "blockNumber", block->header.number);
    kl_json_add_hash(out, "transactionHash", &block->txs[index].hash);
    kl_json_add_quantity(out, "transactionIndex", index);
}

void kl_put_log(struct kl_json_out *out, const kl_log_entry *entry, const kl_block *block,
                usize tx_index, usize log_index)
{
    kl_json_put_object(out);
    kl_json_add_address(out, "address", &entry->address);
    kl_json_put_key(out, "topics");
    kl_json_put_array(out);
    for (usize i = 0; i < entry->topic_count; i++)
        kl_json_put_hash(out, &entry->topics[i]);
    kl_json_put_array_end(out);
    kl_json_add_data(out, "data", entry->data);
    put_tx_place(out, block, tx_index);
    kl_json_add_quantity(out, "blockTimestamp", block->header.timestamp);
    kl_json_add_quantity(out, "logIndex", log_index);
    kl_json_add_bool(out, "removed", false);
    kl_json_put_object_end(out);
}

static void put_parties(struct kl_json_out *out, const kl_tx *tx)
{
    kl_json_add_address(out, "from", &tx->sender);
    kl_json_put_key(out, "to");
    if (tx->has_to)
        kl_json_put_address(out, &tx->to);
    else
        kl_json_put_null(out);
    kl_json_put_key(out, "contractAddress");
    if (tx->has_to) {
        kl_json_put_null(out);
    } else {
        kl_address contract = kl_address_of_create(&tx->sender, tx->nonce);
        kl_json_put_address(out, &contract);
    }
}

static void put_gas(struct kl_json_out *out, const kl_spec *spec, const kl_header *header,
                    const kl_tx *tx, const kl_receipt *receipt)
{
    kl_u256 price = header->tail >= 1 ? kl_tx_gas_price(tx, header->base_fee) : tx->max_fee;
    kl_json_add_quantity(out, "gasUsed", receipt->gas_used);
    kl_json_add_quantity(out, "cumulativeGasUsed", receipt->cumulative_gas_used);
    kl_json_add_quantity_u256(out, "effectiveGasPrice", price);
    if (tx->type != KL_TX_BLOB)
        return;
    kl_blob_schedule blobs =
        kl_spec_blobs(spec, kl_spec_fork(spec, header->number, header->timestamp));
    kl_json_add_quantity(out, "blobGasUsed", tx->blob_count * BLOB_GAS);
    kl_json_add_quantity_u256(out, "blobGasPrice",
                              kl_blob_base_fee(header->excess_blob_gas, blobs.update_fraction));
}

void kl_put_receipt(struct kl_json_out *out, const kl_spec *spec, const kl_stored_block *stored,
                    usize index, usize first_log)
{
    const kl_tx *tx = &stored->block.txs[index];
    const kl_receipt *receipt = &stored->receipts[index];
    kl_json_put_object(out);
    put_tx_place(out, &stored->block, index);
    kl_json_add_quantity(out, "type", tx->type);
    put_parties(out, tx);
    put_gas(out, spec, &stored->block.header, tx, receipt);
    kl_json_put_key(out, "logs");
    kl_json_put_array(out);
    for (usize i = 0; i < receipt->log_count; i++)
        kl_put_log(out, &receipt->logs[i], &stored->block, index, first_log + i);
    kl_json_put_array_end(out);
    kl_json_add_data(out, "logsBloom", KL_SPAN_OF(receipt->bloom.b));
    if (receipt->has_state_root) {
        kl_json_add_hash(out, "root", &receipt->state_root);
    } else {
        kl_json_add_quantity(out, "status", receipt->success);
    }
    kl_json_put_object_end(out);
}
