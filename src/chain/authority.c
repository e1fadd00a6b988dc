#include "chain/authority_priv.h"

#include "crypto/bls12.h"

const kl_address kl_authority_address = {{[18] = 0x4b, [19] = 0x01}};

kl_status kl_authority_tell(struct kl_exec *exec, const kl_address *contract,
                            const kl_authority_block *block, bool *done)
{
    u8 room[4 + 6 * KL_ABI_WORD];
    kl_out out = kl_out_of(room, sizeof room);
    kl_authority_put_function(&out, "onBlock(uint64,uint64,uint64,uint64,address,bytes32)");
    kl_abi_put_u64(&out, block->epoch);
    kl_abi_put_u64(&out, block->view);
    kl_abi_put_u64(&out, block->parent_view);
    kl_abi_put_u64(&out, block->time_ms);
    kl_abi_put_address(&out, &block->leader);
    kl_abi_put_hash(&out, &block->set);
    KL_ASSERT(!out.full);
    kl_evm_result result;
    bool called;
    const kl_system_call call = {.to = *contract, .input = kl_out_done(&out), .gas = KL_SYSTEM_GAS};
    KL_TRY(kl_exec_system_call(exec, &call, &result, &called));
    *done = called && result.halt == KL_HALT_NONE;
    return KL_OK;
}

kl_status kl_authority_read(kl_valset *out, struct kl_exec *exec, const kl_address *contract,
                            const kl_valset *current, u64 epoch, bool tests, struct kl_arena *arena,
                            kl_authority_alarm *alarm)
{
    u8 room[4];
    kl_out input = kl_out_of(room, sizeof room);
    kl_authority_put_function(&input, "validators()");
    const kl_system_call call = {
        .to = *contract, .input = kl_out_done(&input), .gas = KL_SYSTEM_GAS, .is_static = true};
    kl_evm_result result;
    bool called;
    kl_authority_alarm got = {0};
    KL_TRY(kl_exec_system_call(exec, &call, &result, &called));
    got.missing = !called;
    got.halt = called ? result.halt : KL_HALT_NONE;
    if (called && result.halt == KL_HALT_NONE)
        KL_TRY(kl_policy_decode(out, &got.left_out, result.output, current, epoch, tests, arena,
                                &got.broken));
    *alarm = got;
    return KL_OK;
}

kl_status kl_authority_next_set(kl_valset *out, struct kl_exec *exec, const kl_address *contract,
                                const kl_valset *current, u64 epoch, bool tests,
                                struct kl_arena *arena, kl_authority_alarm *alarm)
{
    kl_valset wanted = *current, next = *current;
    kl_authority_alarm got;
    KL_TRY(kl_authority_read(&wanted, exec, contract, current, epoch, tests, arena, &got));
    if (!kl_authority_failed(&got))
        KL_TRY(kl_policy_step(&next, current, &wanted, arena));
    *out = next;
    *alarm = got;
    return KL_OK;
}

/* Byte strings behind a head of their offsets. */
static void put_strings(kl_out *out, const kl_span *strings, usize count)
{
    usize offset = count * KL_ABI_WORD;
    for (usize i = 0; i < count; i++) {
        kl_abi_put_u64(out, offset);
        offset += kl_abi_bytes_len(strings[i].len);
    }
    for (usize i = 0; i < count; i++)
        kl_abi_put_bytes(out, strings[i]);
}

/* The signer's key and both signatures as EIP-2537 spells points: a contract cannot take roots. */
enum { G1_LEN = 128, G2_LEN = 256, POINTS_LEN = G1_LEN + 2 * G2_LEN };

static kl_span points_of(u8 room[POINTS_LEN], const kl_vote *first, const kl_vote *second,
                         const kl_valset *set)
{
    if (set->scheme->id != KL_SCHEME_BLS12_381)
        return KL_SPAN_NONE;
    KL_ASSERT(kl_bls12_g1_expand(room, set->validators[first->signer].key));
    KL_ASSERT(kl_bls12_g2_expand(room + G1_LEN, first->signature));
    KL_ASSERT(kl_bls12_g2_expand(room + G1_LEN + G2_LEN, second->signature));
    return kl_span_of(room, POINTS_LEN);
}

void kl_authority_put_report(kl_out *out, const kl_evidence *evidence, const kl_valset *set)
{
    u8 bytes[KL_EVIDENCE_RLP_MAX], points[POINTS_LEN];
    kl_evidence in_order;
    kl_out rlp = kl_out_of(bytes, sizeof bytes), counter = kl_out_counter();
    kl_evidence_encode(&rlp, evidence, set->scheme);
    KL_ASSERT(!rlp.full);
    KL_ASSERT(kl_evidence_decode(&in_order, kl_out_done(&rlp), set->scheme) == KL_RULE_NONE);
    kl_valset_encode(&counter, set);
    const kl_span brought = points_of(points, &in_order.first, &in_order.second, set);
    const usize head = 3 * KL_ABI_WORD, padded = kl_abi_bytes_len(rlp.len);
    const usize set_padded = kl_abi_bytes_len(counter.len);
    kl_authority_put_function(out, "report(bytes,bytes,bytes)");
    kl_abi_put_u64(out, head);
    kl_abi_put_u64(out, head + padded);
    kl_abi_put_u64(out, head + padded + set_padded);
    kl_abi_put_bytes(out, kl_out_done(&rlp));
    kl_abi_put_u64(out, counter.len);
    kl_valset_encode(out, set);
    static const u8 zeros[KL_ABI_WORD];
    kl_out_bytes(out, zeros, set_padded - KL_ABI_WORD - counter.len);
    kl_abi_put_bytes(out, brought);
}

void kl_authority_put_ready(kl_out *out, const kl_policy_entry *entry, const kl_vote_scheme *scheme)
{
    const kl_span strings[] = {kl_span_of(entry->validator.key, scheme->key_len), entry->key_proof,
                               KL_SPAN_OF(entry->validator.randao_key), entry->randao_proof};
    kl_authority_put_function(out, "ready(bytes,bytes,bytes,bytes)");
    put_strings(out, strings, KL_COUNT_OF(strings));
}
