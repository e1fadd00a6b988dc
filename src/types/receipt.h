/* receipt: what a transaction did [YP section 4.4.1; EIP-658, EIP-2718]. */
#ifndef KL_TYPES_RECEIPT_H
#define KL_TYPES_RECEIPT_H

#include "base/arena.h"
#include "base/rule.h"
#include "base/status.h"
#include "types/header.h"

typedef struct kl_log_entry {
    kl_address address;
    kl_hash topics[4];
    u8 topic_count;
    kl_span data;
} kl_log_entry;

typedef struct kl_receipt {
    u8 type;
    bool success;        /* from Byzantium on */
    bool has_state_root; /* before Byzantium */
    kl_hash state_root;
    u64 cumulative_gas_used;
    u64 gas_used;
    kl_bloom bloom; /* of logs */
    const kl_log_entry *logs;
    usize log_count;
} kl_receipt;

/* Adds address and topics to the bloom [YP section 4.4.1]. */
void kl_bloom_add(kl_bloom *bloom, kl_span item);
void kl_bloom_add_logs(kl_bloom *bloom, const kl_log_entry *logs, usize count);
void kl_bloom_merge(kl_bloom *into, const kl_bloom *from);
/* False when item is certainly not in it. */
bool kl_bloom_may_hold(const kl_bloom *bloom, kl_span item);

/* The consensus form: [type ‖] rlp([status or root, cumulative gas, bloom, logs]). */
void kl_receipt_encode(kl_out *out, const kl_receipt *receipt);

/* The stored form, without the bloom and with gas_used. */
void kl_receipt_store(kl_out *out, const kl_receipt *receipt);
KL_MUST_USE kl_status kl_receipt_load(kl_receipt *out, kl_span bytes, struct kl_arena *arena,
                                      kl_rule *broken);

/* keccak(rlp(logs)), what state tests compare. */
kl_hash kl_logs_hash(const kl_log_entry *logs, usize count);

#endif
