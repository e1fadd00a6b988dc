/* A genesis allocates storage, it executes nothing; so the contract's initialize is run here, on a
 * state in which there is nothing but its code, and the slots it leaves behind are written down.
 * Which slots those are is the compiler's business alone. */
#include "chain/authority_priv.h"

#include <stdlib.h>

#include "codec/hex.h"

extern const u8 kl_authority_code[];
extern const usize kl_authority_code_len;

kl_span kl_authority_code_span(void)
{
    return kl_span_of(kl_authority_code, kl_authority_code_len);
}

static kl_status bare_account(KL_UNUSED struct kl_state_reader *reader, const kl_address *address,
                              KL_UNUSED const kl_hash *address_hash, kl_account *out, bool *exists)
{
    *out = kl_account_none();
    *exists = kl_address_eq(address, &kl_authority_address);
    if (*exists) {
        out->nonce = 1; /* [EIP-161] */
        out->code_hash = kl_keccak256(kl_authority_code_span());
    }
    return KL_OK;
}

static kl_status bare_slot(KL_UNUSED struct kl_state_reader *reader,
                           KL_UNUSED const kl_hash *address_hash,
                           KL_UNUSED const kl_hash *slot_hash, kl_u256 *out)
{
    *out = KL_U256_ZERO;
    return KL_OK;
}

static kl_status bare_code(KL_UNUSED struct kl_state_reader *reader,
                           KL_UNUSED const kl_hash *code_hash, kl_span *out)
{
    *out = kl_authority_code_span();
    return KL_OK;
}

struct slot {
    kl_hash key;
    kl_u256 value;
};

static int by_key(const void *a, const void *b)
{
    const struct slot *x = a, *y = b;
    return memcmp(x->key.b, y->key.b, sizeof x->key.b);
}

static kl_status write_down(kl_alloc *out, const kl_jaccount *account, struct kl_arena *arena)
{
    usize count = 0, n = 0;
    for (const kl_jslot *s = account->first_slot; s; s = s->next)
        count += !kl_u256_is_zero(s->current);
    struct slot *slots = KL_TAKE(arena, struct slot, count);
    kl_hash *keys = KL_TAKE(arena, kl_hash, count);
    kl_u256 *values = KL_TAKE(arena, kl_u256, count);
    if (!slots || !keys || !values)
        return KL_NOMEM;
    for (const kl_jslot *s = account->first_slot; s; s = s->next)
        if (!kl_u256_is_zero(s->current))
            slots[n++] = (struct slot){kl_u256_to_hash(s->key), s->current};
    qsort(slots, count, sizeof *slots, by_key);
    for (usize i = 0; i < count; i++) {
        keys[i] = slots[i].key;
        values[i] = slots[i].value;
    }
    *out = (kl_alloc){.address = kl_authority_address,
                      .nonce = 1,
                      .code = kl_authority_code_span(),
                      .keys = keys,
                      .values = values,
                      .slot_count = count};
    return KL_OK;
}

static void put_initialize(kl_out *out, const kl_authority_genesis *genesis)
{
    kl_authority_put_function(
        out, "initialize(uint8,uint8,(address,uint64,uint64,bytes,bytes,bytes,bytes)[])");
    kl_abi_put_u64(out, genesis->scheme->id);
    kl_abi_put_u64(out, genesis->mode);
    kl_abi_put_u64(out, 3 * KL_ABI_WORD);
    kl_policy_put_entries(out, genesis->entries, genesis->count, genesis->scheme);
}

static kl_status calldata(kl_span *out, const kl_authority_genesis *genesis, struct kl_arena *arena)
{
    kl_out input = kl_out_counter();
    put_initialize(&input, genesis);
    u8 *room = KL_TAKE(arena, u8, input.len);
    if (!room)
        return KL_NOMEM;
    input = kl_out_of(room, input.len);
    put_initialize(&input, genesis);
    *out = kl_out_done(&input);
    return KL_OK;
}

static kl_status initialize(struct kl_exec *exec, kl_alloc *out, kl_span input,
                            struct kl_arena *arena, kl_rule *broken)
{
    struct kl_state_reader bare = {bare_account, bare_slot, bare_code};
    kl_spec spec;
    kl_spec_init(&spec, KL_FORK_NEWEST);
    const kl_header header = {.gas_limit = 30000000, .tail = kl_header_tail(KL_FORK_NEWEST)};
    const kl_exec_block block = {.spec = &spec, .header = &header, .reader = &bare};
    KL_TRY(kl_exec_enter(exec, &block));
    kl_evm_result result;
    bool called;
    const kl_system_call call = {.to = kl_authority_address, .input = input, .gas = INT64_MAX};
    KL_TRY(kl_exec_system_call(exec, &call, &result, &called));
    KL_ASSERT(called);
    kl_jaccount *account;
    if (result.halt != KL_HALT_NONE) {
        *broken = KL_RULE_POLICY_LIST;
        return KL_OK;
    }
    KL_TRY(kl_journal_account(kl_exec_journal(exec), &kl_authority_address, &account));
    KL_TRY(write_down(out, account, arena));
    *broken = KL_RULE_NONE;
    return KL_OK;
}

kl_status kl_authority_account(kl_alloc *out, const kl_authority_genesis *genesis,
                               struct kl_arena *arena, kl_rule *broken)
{
    if (genesis->count == 0 || genesis->count > KL_VALIDATORS_MAX) {
        *broken = genesis->count ? KL_RULE_VALSET_SIZE : KL_RULE_VALSET_EMPTY;
        return KL_OK;
    }
    kl_span input = KL_SPAN_NONE;
    struct kl_exec *exec;
    const kl_exec_config config = {.evm_memory_limit = 64 << 20, .journal_memory_limit = 64 << 20};
    KL_TRY(calldata(&input, genesis, arena));
    KL_TRY(kl_exec_new(&exec, &config));
    kl_status status = initialize(exec, out, input, arena, broken);
    kl_exec_free(exec);
    return status;
}

static void put_digits(struct kl_buf *out, kl_span bytes)
{
    char *digits = (char *)kl_buf_extend(out, 2 * bytes.len);
    if (digits)
        kl_hex_digits(digits, bytes);
}

void kl_authority_put_alloc(struct kl_buf *out, const kl_alloc *account)
{
    char balance[KL_HEX_U256_MAX];
    (void)kl_hex_of_u256(balance, account->balance);
    kl_buf_print(out, "\"0x");
    put_digits(out, kl_address_span(&account->address));
    kl_buf_print(out, "\": {\"nonce\": \"0x%llx\", \"balance\": \"%s\", \"code\": \"0x",
                 (unsigned long long)account->nonce, balance);
    put_digits(out, account->code);
    kl_buf_print(out, "\", \"storage\": {");
    for (usize i = 0; i < account->slot_count; i++) {
        kl_hash value = kl_u256_to_hash(account->values[i]);
        kl_buf_print(out, "%s\n      \"0x", i ? "," : "");
        put_digits(out, kl_hash_span(&account->keys[i]));
        kl_buf_print(out, "\": \"0x");
        put_digits(out, kl_hash_span(&value));
        kl_buf_print(out, "\"");
    }
    kl_buf_print(out, "}}");
}
