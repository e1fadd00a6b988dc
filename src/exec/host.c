/* host: the journal as the EVM wants to see it.
 *
 * A handle is the journal's account itself, so that an operation costs no look-up.  Analysed code
 * hangs on the account (kl_jaccount.user) as one reference; the journal gives it back when the code
 * changes or the block ends.  Precompiles are warm from the start [EIP-2929], which is asked of
 * their addresses here instead of touching them all at the start of every transaction. */
#include "evm/host.h"

#include "crypto/keccak.h"
#include "evm/precompile.h"
#include "exec/exec_priv.h"

static struct kl_exec *exec_of(struct kl_evm_host *host)
{
    return ((struct exec_host *)host)->exec;
}

static kl_jaccount *of(kl_evm_account *account)
{
    return (kl_jaccount *)account;
}

static const kl_jaccount *of_const(const kl_evm_account *account)
{
    return (const kl_jaccount *)account;
}

static kl_status host_account(struct kl_evm_host *host, const kl_address *address,
                              kl_evm_account **out, bool *cold)
{
    struct kl_exec *exec = exec_of(host);
    kl_jaccount *account;
    KL_TRY(kl_journal_account(exec->journal, address, &account));
    if (cold)
        *cold =
            kl_journal_warm(exec->journal, account) && !kl_precompile_at(address, exec->block.fork);
    *out = (kl_evm_account *)account;
    return KL_OK;
}

static kl_u256 host_balance(KL_UNUSED struct kl_evm_host *host, const kl_evm_account *account)
{
    return of_const(account)->now.balance;
}

static u64 host_nonce(KL_UNUSED struct kl_evm_host *host, const kl_evm_account *account)
{
    return of_const(account)->now.nonce;
}

static bool host_exists(KL_UNUSED struct kl_evm_host *host, const kl_evm_account *account)
{
    return of_const(account)->exists;
}

static bool host_is_empty(KL_UNUSED struct kl_evm_host *host, const kl_evm_account *account)
{
    return !of_const(account)->exists || kl_account_is_empty(&of_const(account)->now);
}

static const kl_hash *host_code_hash(KL_UNUSED struct kl_evm_host *host,
                                     const kl_evm_account *account)
{
    return &of_const(account)->now.code_hash;
}

static kl_status load_code(struct kl_exec *exec, kl_jaccount *account)
{
    struct kl_code *code = NULL;
    if (exec->codes)
        code = kl_code_cache_get(exec->codes, &account->now.code_hash);
    if (!code) {
        kl_span bytes;
        KL_TRY(kl_journal_code(exec->journal, account, &bytes));
        KL_TRY(kl_code_new(&code, bytes));
        if (exec->codes)
            kl_code_cache_put(exec->codes, &account->now.code_hash, code);
    }
    account->user = code;
    return KL_OK;
}

static kl_status host_code(struct kl_evm_host *host, kl_evm_account *account,
                           const struct kl_code **out)
{
    kl_jaccount *a = of(account);
    if (!a->user && kl_hash_eq(&a->now.code_hash, &kl_keccak_empty)) {
        *out = NULL;
        return KL_OK;
    }
    if (!a->user)
        KL_TRY(load_code(exec_of(host), a));
    *out = a->user;
    return KL_OK;
}

static bool host_has_storage(struct kl_evm_host *host, const kl_evm_account *account)
{
    return kl_journal_has_storage(exec_of(host)->journal, of_const(account));
}

static kl_status host_slot(struct kl_evm_host *host, kl_evm_account *account, const kl_u256 *key,
                           kl_evm_slot *out)
{
    kl_jslot *slot;
    bool cold;
    KL_TRY(kl_journal_slot(exec_of(host)->journal, of(account), key, &slot, &cold));
    *out = (kl_evm_slot){
        .handle = slot, .current = slot->current, .original = slot->original, .cold = cold};
    return KL_OK;
}

static void host_set_slot(struct kl_evm_host *host, kl_evm_account *account,
                          const kl_evm_slot *slot, const kl_u256 *value)
{
    kl_journal_set_slot(exec_of(host)->journal, of(account), slot->handle, value);
}

static kl_status host_transient(struct kl_evm_host *host, kl_evm_account *account,
                                const kl_u256 *key, kl_u256 *out)
{
    return kl_journal_transient(exec_of(host)->journal, &of(account)->address, key, out);
}

static kl_status host_set_transient(struct kl_evm_host *host, kl_evm_account *account,
                                    const kl_u256 *key, const kl_u256 *value)
{
    return kl_journal_set_transient(exec_of(host)->journal, &of(account)->address, key, value);
}

/* An account that is not empty cannot become so again while it lacks code of its own to run, so
 * only the touch of an empty one can matter. */
void kl_exec_credit(struct kl_exec *exec, kl_jaccount *account, kl_u256 amount)
{
    if (!account->exists || !kl_u256_is_zero(amount))
        kl_journal_set_balance(exec->journal, account, kl_u256_add(account->now.balance, amount));
    if (kl_account_is_empty(&account->now))
        kl_journal_touch(exec->journal, account);
}

static void host_transfer(struct kl_evm_host *host, kl_evm_account *from, kl_evm_account *to,
                          const kl_u256 *value)
{
    struct kl_exec *exec = exec_of(host);
    if (!kl_u256_is_zero(*value))
        kl_journal_set_balance(exec->journal, of(from), kl_u256_sub(of(from)->now.balance, *value));
    kl_exec_credit(exec, of(to), *value);
}

static void host_set_nonce(struct kl_evm_host *host, kl_evm_account *account, u64 nonce)
{
    kl_journal_set_nonce(exec_of(host)->journal, of(account), nonce);
}

static void host_create(struct kl_evm_host *host, kl_evm_account *account)
{
    kl_journal_create(exec_of(host)->journal, of(account));
}

static kl_status host_set_code(struct kl_evm_host *host, kl_evm_account *account, kl_span code)
{
    return kl_journal_set_code(exec_of(host)->journal, of(account), code, NULL);
}

/* The heir is credited before the destroyed account is emptied: an heir that is the account itself
 * burns its balance, unless the account lives on [EIP-6780]. */
static void host_destroy(struct kl_evm_host *host, kl_evm_account *account, kl_evm_account *heir,
                         bool *first)
{
    struct kl_exec *exec = exec_of(host);
    kl_jaccount *a = of(account);
    *first = !kl_journal_destroyed_in_tx(exec->journal, a);
    bool goes = exec->block.fork < KL_CANCUN || kl_journal_created_in_tx(exec->journal, a);
    if (goes || account != heir) {
        kl_exec_credit(exec, of(heir), a->now.balance);
        kl_journal_set_balance(exec->journal, a, KL_U256_ZERO);
    }
    if (goes)
        kl_journal_destroy(exec->journal, a);
}

static kl_status host_log(struct kl_evm_host *host, const kl_log_entry *entry)
{
    return kl_journal_log(exec_of(host)->journal, entry);
}

static kl_status host_block_hash(struct kl_evm_host *host, u64 number, kl_hash *out)
{
    struct kl_exec *exec = exec_of(host);
    u64 now = exec->block.number;
    if (number >= now || now - number > 256 || !exec->hashes) {
        *out = (kl_hash){0};
        return KL_OK;
    }
    return exec->hashes->get(exec->hashes, number, out);
}

static u32 host_snapshot(struct kl_evm_host *host)
{
    return kl_journal_snapshot(exec_of(host)->journal);
}

static void host_revert(struct kl_evm_host *host, u32 snapshot)
{
    kl_journal_revert(exec_of(host)->journal, snapshot);
}

static const struct kl_evm_host_ops host_ops = {
    .account = host_account,
    .balance = host_balance,
    .nonce = host_nonce,
    .exists = host_exists,
    .is_empty = host_is_empty,
    .code_hash = host_code_hash,
    .code = host_code,
    .has_storage = host_has_storage,
    .slot = host_slot,
    .set_slot = host_set_slot,
    .transient = host_transient,
    .set_transient = host_set_transient,
    .transfer = host_transfer,
    .set_nonce = host_set_nonce,
    .create = host_create,
    .set_code = host_set_code,
    .destroy = host_destroy,
    .log = host_log,
    .block_hash = host_block_hash,
    .snapshot = host_snapshot,
    .revert = host_revert,
};

void kl_exec_host_init(struct exec_host *host, struct kl_exec *exec)
{
    *host = (struct exec_host){.host = {.ops = &host_ops}, .exec = exec};
}
