#include "chain/index.h"

#include "base/buf.h"

#define KEY_HEAD KL_SPAN_TEXT("head")
#define KEY_DEV  KL_SPAN_TEXT("dev")

enum { TAIL = 20 };

void kl_log_address_prefix(u8 out[KL_LOG_PREFIX_LEN], const kl_address *address)
{
    out[0] = KL_INDEX_ADDRESS;
    memcpy(out + 1, address->b, TAIL);
}

void kl_log_topic_prefix(u8 out[KL_LOG_PREFIX_LEN], const kl_hash *topic)
{
    out[0] = KL_INDEX_TOPIC;
    memcpy(out + 1, topic->b + sizeof topic->b - TAIL, TAIL);
}

static kl_status put_logs(struct kl_delta_builder *builder, const kl_receipt *receipt, u64 number)
{
    u8 key[KL_LOG_KEY_LEN];
    kl_store_be64(key + KL_LOG_PREFIX_LEN, number);
    for (usize i = 0; i < receipt->log_count; i++) {
        const kl_log_entry *entry = &receipt->logs[i];
        kl_log_address_prefix(key, &entry->address);
        KL_TRY(kl_delta_put(builder, KL_TABLE_LOG, KL_SPAN_OF(key), KL_SPAN_NONE));
        for (usize t = 0; t < entry->topic_count; t++) {
            kl_log_topic_prefix(key, &entry->topics[t]);
            KL_TRY(kl_delta_put(builder, KL_TABLE_LOG, KL_SPAN_OF(key), KL_SPAN_NONE));
        }
    }
    return KL_OK;
}

static kl_status put_txs(struct kl_delta_builder *builder, const kl_block *block,
                         const kl_receipt *receipts)
{
    u8 value[12];
    kl_store_be64(value, block->header.number);
    for (usize i = 0; i < block->tx_count; i++) {
        kl_store_be32(value + 8, (u32)i);
        KL_TRY(kl_delta_put(builder, KL_TABLE_TX, kl_hash_span(&block->txs[i].hash),
                            KL_SPAN_OF(value)));
        KL_TRY(put_logs(builder, &receipts[i], block->header.number));
    }
    return KL_OK;
}

kl_status kl_index_block(struct kl_delta_builder *builder, const kl_block *block,
                         const kl_receipt *receipts, u64 version)
{
    u8 number[8], head[48], height[40];
    kl_store_be64(number, block->header.number);
    memcpy(head, number, 8);
    kl_store_be64(head + 8, version);
    memcpy(head + 16, block->hash.b, 32);
    memcpy(height, block->hash.b, 32);
    kl_store_be64(height + 32, version);
    KL_TRY(kl_delta_put(builder, KL_TABLE_CHAIN, KEY_HEAD, KL_SPAN_OF(head)));
    KL_TRY(kl_delta_put(builder, KL_TABLE_HEIGHT, KL_SPAN_OF(number), KL_SPAN_OF(height)));
    KL_TRY(kl_delta_put(builder, KL_TABLE_BLOCK, kl_hash_span(&block->hash), KL_SPAN_OF(number)));
    return put_txs(builder, block, receipts);
}

kl_status kl_index_dev(struct kl_delta_builder *builder, const kl_dev_env *env)
{
    u8 room[KL_DEV_ENV_RLP_MAX];
    kl_out out = kl_out_of(room, sizeof room);
    kl_dev_env_encode(&out, env);
    KL_ASSERT(!out.full);
    return kl_delta_put(builder, KL_TABLE_CHAIN, KEY_DEV, kl_out_done(&out));
}

enum { EPOCH_KEY_LEN = 5 + 8 };

static void epoch_key(u8 out[EPOCH_KEY_LEN], u64 number)
{
    memcpy(out, "epoch", 5);
    kl_store_be64(out + 5, number);
}

kl_status kl_index_epoch(struct kl_delta_builder *builder, u64 number, const kl_valset *set)
{
    u8 key[EPOCH_KEY_LEN];
    struct kl_buf encoded;
    kl_out counter = kl_out_counter();
    kl_valset_encode(&counter, set);
    kl_buf_init(&encoded, counter.len);
    u8 *room = kl_buf_extend(&encoded, counter.len);
    if (!room)
        return KL_NOMEM;
    kl_out writer = kl_out_of(room, counter.len);
    kl_valset_encode(&writer, set);
    epoch_key(key, number);
    kl_status status = kl_delta_put(builder, KL_TABLE_CHAIN, KL_SPAN_OF(key), kl_out_done(&writer));
    kl_buf_done(&encoded);
    return status;
}

kl_status kl_index_get_epoch(struct kl_view *view, u64 number, kl_span *set)
{
    u8 key[EPOCH_KEY_LEN];
    epoch_key(key, number);
    return kl_view_get(view, KL_TABLE_CHAIN, KL_SPAN_OF(key), set);
}

/* A value of exactly len bytes. */
static kl_status get(struct kl_view *view, kl_table table, kl_span key, usize len, const u8 **out)
{
    kl_span value;
    KL_TRY(kl_view_get(view, table, key, &value));
    if (value.len != len)
        return KL_CORRUPT;
    *out = value.p;
    return KL_OK;
}

kl_status kl_index_get_head(struct kl_view *view, kl_index_head *out)
{
    const u8 *p;
    KL_TRY(get(view, KL_TABLE_CHAIN, KEY_HEAD, 48, &p));
    out->number = kl_load_be64(p);
    out->version = kl_load_be64(p + 8);
    memcpy(out->hash.b, p + 16, 32);
    return KL_OK;
}

kl_status kl_index_get_dev(struct kl_view *view, kl_dev_env *out)
{
    kl_span value;
    kl_status status = kl_view_get(view, KL_TABLE_CHAIN, KEY_DEV, &value);
    if (status == KL_NOTFOUND) {
        kl_dev_env_init(out);
        return KL_OK;
    }
    KL_TRY(status);
    return kl_dev_env_decode(out, value) == KL_RULE_NONE ? KL_OK : KL_CORRUPT;
}

kl_status kl_index_get_height(struct kl_view *view, u64 number, kl_hash *hash, u64 *version)
{
    u8 key[8];
    const u8 *p;
    kl_store_be64(key, number);
    KL_TRY(get(view, KL_TABLE_HEIGHT, KL_SPAN_OF(key), 40, &p));
    memcpy(hash->b, p, 32);
    *version = kl_load_be64(p + 32);
    return KL_OK;
}

kl_status kl_index_get_block(struct kl_view *view, const kl_hash *hash, u64 *number)
{
    const u8 *p;
    KL_TRY(get(view, KL_TABLE_BLOCK, kl_hash_span(hash), 8, &p));
    *number = kl_load_be64(p);
    return KL_OK;
}

kl_status kl_index_get_tx(struct kl_view *view, const kl_hash *hash, u64 *number, usize *index)
{
    const u8 *p;
    KL_TRY(get(view, KL_TABLE_TX, kl_hash_span(hash), 12, &p));
    *number = kl_load_be64(p);
    *index = kl_load_be32(p + 8);
    return KL_OK;
}
