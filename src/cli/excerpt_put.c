#include "cli/excerpt.h"
#include "cli/fixture_put.h"

static void put_tail(struct kl_json_out *out, const kl_header *h)
{
    if (h->tail >= 1)
        kl_json_add_quantity_u256(out, "baseFeePerGas", h->base_fee);
    if (h->tail >= 2)
        kl_json_add_hash(out, "withdrawalsRoot", &h->withdrawals_root);
    if (h->tail >= 5) {
        kl_json_add_quantity(out, "blobGasUsed", h->blob_gas_used);
        kl_json_add_quantity(out, "excessBlobGas", h->excess_blob_gas);
        kl_json_add_hash(out, "parentBeaconBlockRoot", &h->parent_beacon_root);
    }
    if (h->tail >= 6)
        kl_json_add_hash(out, "requestsHash", &h->requests_hash);
}

static void put_header(struct kl_json_out *out, const char *key, const kl_header *h)
{
    kl_hash hash = kl_header_hash(h);
    kl_json_put_key(out, key);
    kl_json_put_object(out);
    kl_json_add_hash(out, "hash", &hash);
    kl_json_add_hash(out, "parentHash", &h->parent_hash);
    kl_json_add_hash(out, "uncleHash", &h->ommers_hash);
    kl_json_add_data(out, "coinbase", kl_address_span(&h->coinbase));
    kl_json_add_hash(out, "stateRoot", &h->state_root);
    kl_json_add_hash(out, "transactionsTrie", &h->transactions_root);
    kl_json_add_hash(out, "receiptTrie", &h->receipts_root);
    kl_json_add_data(out, "bloom", kl_span_of(h->logs_bloom.b, sizeof h->logs_bloom.b));
    kl_json_add_quantity_u256(out, "difficulty", h->difficulty);
    kl_json_add_quantity(out, "number", h->number);
    kl_json_add_quantity(out, "gasLimit", h->gas_limit);
    kl_json_add_quantity(out, "gasUsed", h->gas_used);
    kl_json_add_quantity(out, "timestamp", h->timestamp);
    kl_json_add_data(out, "extraData", kl_span_of(h->extra_data, h->extra_len));
    kl_json_add_hash(out, "mixHash", &h->mix_hash);
    kl_json_add_data(out, "nonce", kl_span_of(h->nonce, sizeof h->nonce));
    put_tail(out, h);
    kl_json_put_object_end(out);
}

static void put_state(struct kl_json_out *out, const char *key, const kl_alloc *list, usize count)
{
    kl_json_put_key(out, key);
    kl_json_put_object(out);
    for (usize i = 0; i < count; i++)
        kl_fixture_put_account(out, &list[i]);
    kl_json_put_object_end(out);
}

static void put_config(struct kl_json_out *out, const kl_excerpt *x)
{
    kl_blob_schedule blobs = kl_spec_blobs(&x->spec, x->fork);
    kl_json_put_key(out, "config");
    kl_json_put_object(out);
    kl_json_add_text(out, "network", kl_fork_name(x->fork));
    kl_json_add_quantity(out, "chainid", x->spec.chain_id);
    if (blobs.update_fraction) {
        kl_json_put_key(out, "blobSchedule");
        kl_json_put_object(out);
        kl_json_put_key(out, kl_fork_name(x->fork));
        kl_json_put_object(out);
        kl_json_add_quantity(out, "target", blobs.target);
        kl_json_add_quantity(out, "max", blobs.max);
        kl_json_add_quantity(out, "baseFeeUpdateFraction", blobs.update_fraction);
        kl_json_put_object_end(out);
        kl_json_put_object_end(out);
    }
    kl_json_put_object_end(out);
}

/* The genesis block of the test: the parent's header without its body. */
static kl_status put_genesis(struct kl_json_out *out, const kl_excerpt *x, struct kl_arena *arena)
{
    kl_block block = {.header = x->parent, .has_withdrawals = x->fork >= KL_SHANGHAI};
    kl_out room = kl_out_of(KL_TAKE(arena, u8, 2 * KL_HEADER_RLP_MAX), 2 * KL_HEADER_RLP_MAX);
    if (!room.p)
        return KL_NOMEM;
    kl_block_encode(&room, &block);
    kl_json_add_data(out, "genesisRLP", kl_out_done(&room));
    put_header(out, "genesisBlockHeader", &x->parent);
    return KL_OK;
}

static kl_status put_blocks(struct kl_json_out *out, const kl_excerpt *x, struct kl_arena *arena)
{
    kl_json_put_key(out, "blocks");
    kl_json_put_array(out);
    for (usize i = 0; i < x->count; i++) {
        kl_block block;
        kl_rule broken;
        kl_arena_mark mark = kl_arena_here(arena);
        KL_TRY(kl_block_decode(&block, x->blocks[i], &x->spec, arena, &broken));
        kl_json_put_object(out);
        kl_json_add_data(out, "rlp", x->blocks[i]);
        put_header(out, "blockHeader", &block.header);
        kl_json_put_key(out, "uncleHeaders");
        kl_json_put_array(out);
        kl_json_put_array_end(out);
        kl_json_put_object_end(out);
        kl_arena_rewind(arena, mark);
    }
    kl_json_put_array_end(out);
    return KL_OK;
}

kl_status kl_excerpt_put(struct kl_json_out *out, const char *name, const kl_excerpt *x,
                         struct kl_arena *arena)
{
    kl_json_put_key(out, name);
    kl_json_put_object(out);
    kl_json_put_key(out, "_info");
    kl_json_put_object(out);
    kl_json_add_text(out, "comment",
                     x->anchored ? "on an anchor that stands in the parent's place"
                                 : "blocks as they are in the chain");
    kl_json_put_object_end(out);
    kl_json_add_text(out, "network", kl_fork_name(x->fork));
    kl_json_add_text(out, "sealEngine", "NoProof");
    put_config(out, x);
    put_state(out, "pre", x->pre, x->pre_count);
    KL_TRY(put_genesis(out, x, arena));
    KL_TRY(put_blocks(out, x, arena));
    kl_json_add_hash(out, "lastblockhash", &x->last_hash);
    put_state(out, "postState", x->post, x->post_count);
    kl_json_put_object_end(out);
    return out->buf->failed ? KL_NOMEM : KL_OK;
}
