/* host: the world as the EVM sees it.
 *
 * An account is a handle that the host gives out and that stays good for the whole run.  Every
 * operation that may have to read from below returns a status; a failing one ends the run with that
 * status.  All changes are undone by revert to an older snapshot. */
#ifndef KL_EVM_HOST_H
#define KL_EVM_HOST_H

#include "base/status.h"
#include "base/u256.h"
#include "types/receipt.h"

struct kl_code;
typedef struct kl_evm_account kl_evm_account; /* the host's own type */

/* A storage slot: what SSTORE's price depends on [EIP-2200]. */
typedef struct kl_evm_slot {
    void *handle;
    kl_u256 current, original;
    bool cold; /* was, before this look [EIP-2929] */
} kl_evm_slot;

struct kl_evm_host;

struct kl_evm_host_ops {
    /* The account at address, existing or not.  *cold (may be NULL: then warmth is left alone) says
     * whether this is its first touch in the transaction. */
    kl_status (*account)(struct kl_evm_host *host, const kl_address *address, kl_evm_account **out,
                         bool *cold);
    kl_u256 (*balance)(struct kl_evm_host *host, const kl_evm_account *account);
    u64 (*nonce)(struct kl_evm_host *host, const kl_evm_account *account);
    bool (*exists)(struct kl_evm_host *host, const kl_evm_account *account);
    bool (*is_empty)(struct kl_evm_host *host, const kl_evm_account *account); /* [EIP-161] */
    const kl_hash *(*code_hash)(struct kl_evm_host *host, const kl_evm_account *account);
    /* Its analysed code, NULL for none; the host keeps it alive for the whole transaction. */
    kl_status (*code)(struct kl_evm_host *host, kl_evm_account *account,
                      const struct kl_code **out);
    bool (*has_storage)(struct kl_evm_host *host, const kl_evm_account *account);

    kl_status (*slot)(struct kl_evm_host *host, kl_evm_account *account, const kl_u256 *key,
                      kl_evm_slot *out);
    void (*set_slot)(struct kl_evm_host *host, kl_evm_account *account, const kl_evm_slot *slot,
                     const kl_u256 *value);
    kl_status (*transient)(struct kl_evm_host *host, kl_evm_account *account, const kl_u256 *key,
                           kl_u256 *out);
    kl_status (*set_transient)(struct kl_evm_host *host, kl_evm_account *account,
                               const kl_u256 *key, const kl_u256 *value);

    /* from has it; either may be the other.  Touches `to` [EIP-161]. */
    void (*transfer)(struct kl_evm_host *host, kl_evm_account *from, kl_evm_account *to,
                     const kl_u256 *value);
    void (*set_nonce)(struct kl_evm_host *host, kl_evm_account *account, u64 nonce);
    void (*create)(struct kl_evm_host *host, kl_evm_account *account);
    kl_status (*set_code)(struct kl_evm_host *host, kl_evm_account *account, kl_span code);
    /* SELFDESTRUCT by the rules of the block's fork [EIP-6780]; moves the balance.  *first is true
     * when it was not yet destroyed in this transaction (refunds before London). */
    void (*destroy)(struct kl_evm_host *host, kl_evm_account *account, kl_evm_account *heir,
                    bool *first);
    kl_status (*log)(struct kl_evm_host *host, const kl_log_entry *entry);
    /* The hash of one of the last 256 blocks; zero outside. */
    kl_status (*block_hash)(struct kl_evm_host *host, u64 number, kl_hash *out);

    u32 (*snapshot)(struct kl_evm_host *host);
    void (*revert)(struct kl_evm_host *host, u32 snapshot);
};

struct kl_evm_host {
    const struct kl_evm_host_ops *ops;
};

#endif
