/* request: what the execution side asks of the consensus side [EIP-7685]: deposits, read from logs
 * [EIP-6110]; withdrawals and consolidations, asked of their contracts at the end of the block
 * [EIP-7002, EIP-7251]. */
#include "crypto/digest.h"
#include "exec/exec_priv.h"

/* keccak("DepositEvent(bytes,bytes,bytes,bytes,bytes)") */
static const kl_hash deposit_event = {{0x64, 0x9b, 0xbc, 0x62, 0xd0, 0xe3, 0x13, 0x42,
                                       0xaf, 0xea, 0x4e, 0x5c, 0xd8, 0x2d, 0x40, 0x49,
                                       0xe7, 0xe1, 0xee, 0x91, 0x2f, 0xc0, 0x88, 0x9a,
                                       0xa7, 0x90, 0x80, 0x3b, 0xe3, 0x90, 0x38, 0xc5}};

/* The event's five fields as the ABI lays them out: where each lies and how long it is. */
static const struct {
    u32 offset, len;
} deposit_fields[] = {{160, 48}, {256, 32}, {320, 8}, {384, 96}, {512, 8}};

#define DEPOSIT_EVENT_LEN 576u
#define DEPOSIT_LEN       (48u + 32u + 8u + 96u + 8u)
/* A block of a billion gas holds fewer deposits than this. */
#define DEPOSITS_MAX (16u << 20)

static bool word_is(const u8 *word, u32 number)
{
    return kl_u256_eq(kl_u256_from_be(word), kl_u256_of(number));
}

/* The fields one behind the other; false when the event does not have exactly this layout. */
static bool decode_deposit(u8 out[DEPOSIT_LEN], kl_span data)
{
    if (data.len != DEPOSIT_EVENT_LEN)
        return false;
    usize at = 0;
    for (usize i = 0; i < KL_COUNT_OF(deposit_fields); i++) {
        u32 offset = deposit_fields[i].offset, len = deposit_fields[i].len;
        if (!word_is(data.p + i * 32, offset) || !word_is(data.p + offset, len))
            return false;
        memcpy(out + at, data.p + offset + 32, len);
        at += len;
    }
    KL_ASSERT(at == DEPOSIT_LEN);
    return true;
}

kl_status kl_exec_collect_deposits(struct kl_exec *exec, const kl_log_entry *logs, usize count,
                                   kl_rule *broken)
{
    usize before = exec->deposits.len;
    *broken = KL_RULE_NONE;
    if (exec->block.fork < KL_PRAGUE)
        return KL_OK;
    for (usize i = 0; i < count; i++) {
        if (!kl_address_eq(&logs[i].address, &exec->spec->deposit_contract) ||
            logs[i].topic_count == 0 || !kl_hash_eq(&logs[i].topics[0], &deposit_event))
            continue;
        u8 deposit[DEPOSIT_LEN];
        if (!decode_deposit(deposit, logs[i].data)) {
            exec->deposits.len = before;
            *broken = KL_RULE_BLOCK_DEPOSIT;
            return KL_OK;
        }
        kl_buf_bytes(&exec->deposits, deposit, sizeof deposit);
    }
    return exec->deposits.failed ? KL_NOMEM : KL_OK;
}

/* In order of type; the first comes from logs. */
#define REQUEST_TYPES 3
static const kl_address request_contracts[REQUEST_TYPES] = {
    [1] = {{0x00, 0x00, 0x09, 0x61, 0xef, 0x48, 0x0e, 0xb5, 0x5e, 0x80,
            0xd1, 0x9a, 0xd8, 0x35, 0x79, 0xa6, 0x4c, 0x00, 0x70, 0x02}},
    [2] = {{0x00, 0x00, 0xbb, 0xdd, 0xc7, 0xce, 0x48, 0x86, 0x42, 0xfb,
            0x57, 0x9f, 0x8b, 0x00, 0xf3, 0xa5, 0x90, 0x00, 0x72, 0x51}},
};

bool kl_exec_is_needed(const kl_address *contract)
{
    return kl_address_eq(contract, &request_contracts[1]) ||
           kl_address_eq(contract, &request_contracts[2]);
}

/* The data of one type; *broken when its contract is missing or fails. */
static kl_status request_data(struct kl_exec *exec, u8 type, kl_span *out, kl_rule *broken)
{
    if (type == 0) {
        *out = kl_buf_view(&exec->deposits);
        return KL_OK;
    }
    kl_evm_result result;
    bool called;
    kl_system_call call = {.to = request_contracts[type], .gas = KL_SYSTEM_GAS};
    KL_TRY(kl_exec_system_call(exec, &call, &result, &called));
    if (!called || result.halt != KL_HALT_NONE)
        *broken = KL_RULE_BLOCK_SYSTEM_CALL;
    else
        *out = result.output;
    return KL_OK;
}

kl_status kl_exec_requests(struct kl_exec *exec, kl_exec_outcome *out, kl_rule *broken)
{
    u8 hashes[REQUEST_TYPES * 32];
    usize count = 0;
    kl_span *list = KL_TAKE(&exec->arena, kl_span, REQUEST_TYPES);
    if (!list)
        return KL_NOMEM;
    for (u8 type = 0; type < REQUEST_TYPES && *broken == KL_RULE_NONE; type++) {
        kl_span data = KL_SPAN_NONE;
        KL_TRY(request_data(exec, type, &data, broken));
        if (data.len == 0)
            continue;
        u8 *bytes = KL_TAKE(&exec->arena, u8, data.len + 1);
        if (!bytes)
            return KL_NOMEM;
        bytes[0] = type;
        memcpy(bytes + 1, data.p, data.len);
        list[count] = kl_span_of(bytes, data.len + 1);
        kl_sha256(hashes + count * 32, list[count]);
        count++;
    }
    out->requests = list;
    out->request_count = count;
    kl_sha256(out->requests_hash.b, kl_span_of(hashes, count * 32));
    return KL_OK;
}
