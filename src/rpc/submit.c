#include "rpc/submit.h"

#include "crypto/keccak.h"
#include "rpc/next_header.h"
#include "rpc/rule_text.h"

static struct kl_chain *chain_of(struct kl_rpc_call *call)
{
    return call->backend->ops->chain(call->backend);
}

/* The header of the block tx is for, and the fork that holds in it. */
static kl_fork next_block(struct kl_rpc_call *call, kl_header *out)
{
    struct kl_tip *tip = kl_chain_published(chain_of(call));
    kl_rpc_next_header(call, tip, out);
    kl_tip_unref(tip);
    return kl_spec_fork(kl_chain_spec(chain_of(call)), out->number, out->timestamp);
}

static bool fail_sender(struct kl_rpc_call *call, const kl_tx *tx, kl_rule rule)
{
    char text[KL_RULE_TEXT_MAX];
    kl_tx_facts facts = {.tx = tx, .chain_id = kl_chain_spec(chain_of(call))->chain_id};
    kl_rule_text_pool(text, &facts, rule);
    return kl_rpc_fail(call, KL_RPC_INPUT, "invalid sender: %s", text);
}

/* The first byte of a list is no type [EIP-2718]. */
static bool is_typed(kl_span raw)
{
    return raw.len == 0 || raw.p[0] < 0x80;
}

bool kl_rpc_decode_tx(struct kl_rpc_call *call, kl_span raw, kl_tx *out)
{
    kl_header next;
    kl_fork fork = next_block(call, &next);
    kl_rule broken;
    kl_tx tx;
    if (is_typed(raw) && raw.len <= 1)
        return kl_rpc_fail(call, KL_RPC_INPUT, "typed transaction too short");
    if (raw.p[0] == KL_TX_BLOB && fork >= KL_CANCUN) /* with its blobs it has a form of its own */
        return kl_rpc_fail_rule(call, KL_RULE_POOL_BLOB);
    if (!kl_rpc_ok(call, kl_tx_decode(&tx, raw, fork, call->arena, &broken)))
        return false;
    if (broken != KL_RULE_NONE)
        return kl_rpc_fail_rule(call, broken);
    if (tx.replay_safe && tx.chain_id != kl_chain_spec(chain_of(call))->chain_id)
        return fail_sender(call, &tx, KL_RULE_TX_CHAIN_ID);
    broken = kl_tx_recover(&tx, fork);
    if (broken != KL_RULE_NONE)
        return fail_sender(call, &tx, broken);
    *out = tx;
    return true;
}

static bool account_facts(struct kl_rpc_call *call, const kl_address *address, kl_tx_facts *facts)
{
    struct kl_reader *reader = kl_rpc_reader(call);
    kl_hash hash = kl_keccak256(kl_address_span(address));
    kl_account account;
    bool exists;
    if (!reader ||
        !kl_rpc_ok(call, kl_view_account(kl_reader_view(reader), &hash, &account, &exists)))
        return false;
    facts->nonce = account.nonce;
    facts->balance = account.balance;
    return true;
}

static bool refuse(struct kl_rpc_call *call, const kl_tx *tx, const kl_header *next, kl_fork fork,
                   kl_rule rule)
{
    char text[KL_RULE_TEXT_MAX];
    kl_tx_facts facts = {.tx = tx,
                         .fork = fork,
                         .chain_id = kl_chain_spec(chain_of(call))->chain_id,
                         .base_fee = next->base_fee};
    if (!account_facts(call, &tx->sender, &facts))
        return false;
    kl_rule_text_pool(text, &facts, rule);
    return kl_rpc_fail(call, KL_RPC_INPUT, "%s", text);
}

bool kl_rpc_submit(struct kl_rpc_call *call, const kl_tx *tx, const kl_rpc_submission *how,
                   kl_rule *broken)
{
    const struct kl_rpc_backend_ops *ops = call->backend->ops;
    kl_header next;
    kl_fork fork = next_block(call, &next);
    kl_status status = KL_OK;
    *broken = KL_RULE_NONE;
    if (ops->automine(call->backend) && kl_u256_lt(tx->max_fee, next.base_fee))
        *broken = KL_RULE_TX_FEE_LOW;
    else
        status = ops->submit(call->backend, tx, how, broken);
    if (status == KL_CANCELED)
        return kl_rpc_fail(call, KL_RPC_UNAVAILABLE, "the node is shutting down");
    if (!kl_rpc_ok(call, status))
        return false;
    return *broken == KL_RULE_NONE || refuse(call, tx, &next, fork, *broken);
}
