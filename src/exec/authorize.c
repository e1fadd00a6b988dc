/* authorize: the list of a set-code transaction [EIP-7702].  A tuple that does not fit is skipped
 * and stays paid for; what the others do stands even if the transaction itself fails. */
#include "exec/exec_priv.h"

/* What a tuple for an account that is there already gives back: 25,000 are paid, 12,500 kept. */
#define REFUND_FOR_EXISTING 12500u

static const u8 designator[3] = {0xef, 0x01, 0x00};

bool kl_delegation(kl_address *target, kl_span code)
{
    if (code.len != sizeof designator + sizeof target->b ||
        memcmp(code.p, designator, sizeof designator) != 0)
        return false;
    memcpy(target->b, code.p + sizeof designator, sizeof target->b);
    return true;
}

static bool fits_chain(const struct kl_exec *exec, const kl_authorization *tuple)
{
    return kl_u256_is_zero(tuple->chain_id) ||
           kl_u256_eq(tuple->chain_id, kl_u256_of(exec->block.chain_id));
}

/* The authority is warm from here on, also when the tuple is then skipped. */
static kl_status authorize(struct kl_exec *exec, const kl_authorization *tuple, u64 *refund)
{
    kl_jaccount *account;
    kl_span code;
    kl_address old;
    KL_TRY(kl_journal_account(exec->journal, &tuple->authority, &account));
    kl_journal_warm(exec->journal, account);
    KL_TRY(kl_journal_code(exec->journal, account, &code));
    if ((code.len > 0 && !kl_delegation(&old, code)) || account->now.nonce != tuple->nonce)
        return KL_OK;
    if (account->exists)
        *refund += REFUND_FOR_EXISTING;
    u8 bytes[sizeof designator + sizeof tuple->address.b];
    memcpy(bytes, designator, sizeof designator);
    memcpy(bytes + sizeof designator, tuple->address.b, sizeof tuple->address.b);
    bool clears = kl_address_is_zero(&tuple->address);
    KL_TRY(kl_journal_set_code(exec->journal, account, clears ? KL_SPAN_NONE : KL_SPAN_OF(bytes),
                               NULL));
    kl_journal_set_nonce(exec->journal, account, tuple->nonce + 1);
    return KL_OK;
}

kl_status kl_exec_authorize(struct kl_exec *exec, const kl_tx *tx, u64 *refund)
{
    *refund = 0;
    for (usize i = 0; i < tx->authorization_count; i++) {
        const kl_authorization *tuple = &tx->authorizations[i];
        if (tuple->has_authority && fits_chain(exec, tuple) && tuple->nonce != UINT64_MAX)
            KL_TRY(authorize(exec, tuple, refund));
    }
    return KL_OK;
}
