#include "crypto/address.h"
#include "exec/fees.h"
#include "rpc/put.h"

enum { BLOB_GAS = 131072 }; /* of one blob [EIP-4844] */

static void put_tx_place(struct kl_json_out *out, const kl_block *block, usize index)
{
    kl_json_put_key(out, "blockHash");
    kl_json_put_hash(out, &block->hash);
    kl_json_put_key(out, "blockNumber");
    kl_json_put_quantity(out, block->header.number);
    kl_json_put_key(out, "transactionHash");
    kl_json_put_hash(out, &block->txs[index].hash);
    kl_json_put_key(out, "transactionIndex");
    kl_json_put_quantity(out, index);
}

void kl_put_log(struct kl_json_out *out, const kl_log_entry *entry, const kl_block *block,
                usize tx_index, usize log_index)
{
    kl_json_put_object(out);
    kl_json_put_key(out, "address");
    kl_json_put_address(out, &entry->address);
    kl_json_put_key(out, "topics");
    kl_json_put_array(out);
    for (usize i = 0; i < entry->topic_count; i++)
        kl_json_put_hash(out, &entry->topics[i]);
    kl_json_put_array_end(out);
    kl_json_put_key(out, "data");
    kl_json_put_data(out, entry->data);
    put_tx_place(out, block, tx_index);
    kl_json_put_key(out, "blockTimestamp");
    kl_json_put_quantity(out, block->header.timestamp);
    kl_json_put_key(out, "logIndex");
    kl_json_put_quantity(out, log_index);
    kl_json_put_key(out, "removed");
    kl_json_put_bool(out, false);
    kl_json_put_object_end(out);
}

static void put_parties(struct kl_json_out *out, const kl_tx *tx)
{
    kl_json_put_key(out, "from");
    kl_json_put_address(out, &tx->sender);
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
    kl_json_put_key(out, "gasUsed");
    kl_json_put_quantity(out, receipt->gas_used);
    kl_json_put_key(out, "cumulativeGasUsed");
    kl_json_put_quantity(out, receipt->cumulative_gas_used);
    kl_json_put_key(out, "effectiveGasPrice");
    kl_json_put_quantity_u256(out, price);
    if (tx->type != KL_TX_BLOB)
        return;
    kl_blob_schedule blobs =
        kl_spec_blobs(spec, kl_spec_fork(spec, header->number, header->timestamp));
    kl_json_put_key(out, "blobGasUsed");
    kl_json_put_quantity(out, tx->blob_count * BLOB_GAS);
    kl_json_put_key(out, "blobGasPrice");
    kl_json_put_quantity_u256(out,
                              kl_blob_base_fee(header->excess_blob_gas, blobs.update_fraction));
}

void kl_put_receipt(struct kl_json_out *out, const kl_spec *spec, const kl_stored_block *stored,
                    usize index, usize first_log)
{
    const kl_tx *tx = &stored->block.txs[index];
    const kl_receipt *receipt = &stored->receipts[index];
    kl_json_put_object(out);
    put_tx_place(out, &stored->block, index);
    kl_json_put_key(out, "type");
    kl_json_put_quantity(out, tx->type);
    put_parties(out, tx);
    put_gas(out, spec, &stored->block.header, tx, receipt);
    kl_json_put_key(out, "logs");
    kl_json_put_array(out);
    for (usize i = 0; i < receipt->log_count; i++)
        kl_put_log(out, &receipt->logs[i], &stored->block, index, first_log + i);
    kl_json_put_array_end(out);
    kl_json_put_key(out, "logsBloom");
    kl_json_put_data(out, KL_SPAN_OF(receipt->bloom.b));
    if (receipt->has_state_root) {
        kl_json_put_key(out, "root");
        kl_json_put_hash(out, &receipt->state_root);
    } else {
        kl_json_put_key(out, "status");
        kl_json_put_quantity(out, receipt->success);
    }
    kl_json_put_object_end(out);
}
