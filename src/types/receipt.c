/* receipt: two forms.  The consensus form is what the receipts root commits to; the stored form
 * drops the bloom, which the logs give again, and keeps the gas the transaction itself used:
 *     rlp([type, outcome, cumulative gas, gas, [[address, [topic …], data] …]])
 * where outcome is the empty text for a failure, 1 for success, or the 32 bytes of a state root. */
#include "types/receipt.h"

#include "crypto/keccak.h"
#include "types/decode_priv.h"

enum { TOPICS_MAX = 4, LOG_HEAD_MAX = 256, LOG_BYTES_MIN = 24 };

/* All of a log but its data: the list's header, address, topics, and the header of data. */
static kl_span log_head(u8 room[LOG_HEAD_MAX], const kl_log_entry *log)
{
    KL_ASSERT(log->topic_count <= TOPICS_MAX);
    u8 fields[LOG_HEAD_MAX];
    kl_out head = kl_out_of(fields, sizeof fields);
    kl_rlp_put_address(&head, &log->address);
    kl_rlp_mark topics = kl_rlp_put_begin(&head);
    for (usize i = 0; i < log->topic_count; i++)
        kl_rlp_put_hash(&head, &log->topics[i]);
    kl_rlp_put_end(&head, topics);
    kl_rlp_put_bytes_header(&head, log->data);
    kl_out out = kl_out_of(room, LOG_HEAD_MAX);
    kl_rlp_put_list_header(&out, head.len + log->data.len);
    kl_out_span(&out, kl_out_done(&head));
    KL_ASSERT(!head.full && !out.full);
    return kl_out_done(&out);
}

static void put_logs(kl_out *out, const kl_log_entry *logs, usize count)
{
    kl_rlp_mark list = kl_rlp_put_begin(out);
    for (usize i = 0; i < count; i++) {
        u8 room[LOG_HEAD_MAX];
        kl_out_span(out, log_head(room, &logs[i]));
        kl_out_span(out, logs[i].data);
    }
    kl_rlp_put_end(out, list);
}

static void put_outcome(kl_out *out, const kl_receipt *receipt)
{
    if (receipt->has_state_root)
        kl_rlp_put_hash(out, &receipt->state_root);
    else
        kl_rlp_put_u64(out, receipt->success); /* [EIP-658] */
}

void kl_receipt_encode(kl_out *out, const kl_receipt *receipt)
{
    if (receipt->type) /* [EIP-2718] */
        kl_out_u8(out, receipt->type);
    kl_rlp_mark list = kl_rlp_put_begin(out);
    put_outcome(out, receipt);
    kl_rlp_put_u64(out, receipt->cumulative_gas_used);
    kl_rlp_put_bytes(out, KL_SPAN_OF(receipt->bloom.b));
    put_logs(out, receipt->logs, receipt->log_count);
    kl_rlp_put_end(out, list);
}

void kl_receipt_store(kl_out *out, const kl_receipt *receipt)
{
    kl_rlp_mark list = kl_rlp_put_begin(out);
    kl_rlp_put_u64(out, receipt->type);
    put_outcome(out, receipt);
    kl_rlp_put_u64(out, receipt->cumulative_gas_used);
    kl_rlp_put_u64(out, receipt->gas_used);
    put_logs(out, receipt->logs, receipt->log_count);
    kl_rlp_put_end(out, list);
}

static kl_rule read_outcome(kl_rlp *items, kl_receipt *r)
{
    kl_span outcome;
    KL_JUDGE(kl_rlp_bytes(items, &outcome));
    r->has_state_root = outcome.len == sizeof r->state_root.b;
    r->success = outcome.len == 1 && outcome.p[0] == 1;
    if (r->has_state_root)
        memcpy(r->state_root.b, outcome.p, outcome.len);
    return r->has_state_root || r->success || outcome.len == 0 ? KL_RULE_NONE : KL_RULE_RLP_LENGTH;
}

static kl_rule read_log(kl_rlp *items, kl_log_entry *log)
{
    kl_rlp fields, topics;
    *log = (kl_log_entry){0};
    KL_JUDGE(kl_rlp_list(items, &fields));
    KL_JUDGE(kl_rlp_address(&fields, &log->address));
    KL_JUDGE(kl_rlp_list(&fields, &topics));
    while (!kl_rlp_end(&topics)) {
        if (log->topic_count == TOPICS_MAX)
            return KL_RULE_RLP_COUNT;
        KL_JUDGE(kl_rlp_hash(&topics, &log->topics[log->topic_count++]));
    }
    KL_JUDGE(kl_rlp_bytes(&fields, &log->data));
    return kl_rlp_close(&fields);
}

static kl_rule read_logs(kl_rlp *items, kl_receipt *r, struct kl_arena *arena)
{
    kl_rlp list;
    KL_JUDGE(kl_open_counted(items, &list, LOG_BYTES_MIN, &r->log_count));
    kl_log_entry *logs = KL_TAKE(arena, kl_log_entry, r->log_count);
    if (!logs)
        return KL_NO_VERDICT;
    for (usize i = 0; i < r->log_count; i++)
        KL_JUDGE(read_log(&list, &logs[i]));
    r->logs = logs;
    kl_bloom_add_logs(&r->bloom, logs, r->log_count);
    return KL_RULE_NONE;
}

static kl_rule read_receipt(kl_receipt *r, kl_span bytes, struct kl_arena *arena)
{
    kl_rlp items;
    u64 type;
    KL_JUDGE(kl_rlp_open(&items, bytes));
    KL_JUDGE(kl_rlp_u64(&items, &type));
    if (type > 0x7f)
        return KL_RULE_RLP_INTEGER;
    r->type = (u8)type;
    KL_JUDGE(read_outcome(&items, r));
    KL_JUDGE(kl_rlp_u64(&items, &r->cumulative_gas_used));
    KL_JUDGE(kl_rlp_u64(&items, &r->gas_used));
    KL_JUDGE(read_logs(&items, r, arena));
    return kl_rlp_close(&items);
}

kl_status kl_receipt_load(kl_receipt *out, kl_span bytes, struct kl_arena *arena, kl_rule *broken)
{
    kl_receipt receipt = {0};
    KL_TRY(kl_settle(read_receipt(&receipt, bytes, arena), broken));
    if (*broken == KL_RULE_NONE)
        *out = receipt;
    return KL_OK;
}

kl_hash kl_logs_hash(const kl_log_entry *logs, usize count)
{
    u8 room[LOG_HEAD_MAX];
    usize payload = 0;
    for (usize i = 0; i < count; i++)
        payload += log_head(room, &logs[i]).len + logs[i].data.len;
    kl_keccak keccak;
    kl_keccak_init(&keccak);
    kl_out header = kl_out_of(room, sizeof room);
    kl_rlp_put_list_header(&header, payload);
    kl_keccak_add(&keccak, kl_out_done(&header));
    for (usize i = 0; i < count; i++) {
        kl_keccak_add(&keccak, log_head(room, &logs[i]));
        kl_keccak_add(&keccak, logs[i].data);
    }
    return kl_keccak_done(&keccak);
}
