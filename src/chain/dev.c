/* Dev operations as steps: a change of the state with a root of its own, or of the dev environment,
 * or both; and a record that says which. */
#include "chain/chain_priv.h"
#include "state/commit.h"

static kl_status change_account(struct kl_journal *journal, const kl_devop *op)
{
    kl_jaccount *account;
    kl_jslot *slot;
    bool cold;
    KL_TRY(kl_journal_account(journal, &op->address, &account));
    kl_journal_touch(journal, account);
    switch (op->kind) {
    case KL_DEVOP_SET_BALANCE:
        kl_journal_set_balance(journal, account, op->value);
        return KL_OK;
    case KL_DEVOP_SET_NONCE:
        kl_journal_set_nonce(journal, account, op->number);
        return KL_OK;
    case KL_DEVOP_SET_CODE:
        return kl_journal_set_code(journal, account, op->code, NULL);
    case KL_DEVOP_SET_STORAGE:
        KL_TRY(kl_journal_slot(journal, account, &op->key, &slot, &cold));
        kl_journal_set_slot(journal, account, slot, &op->value);
        return KL_OK;
    case KL_DEVOP_IMPERSONATE:
    case KL_DEVOP_IMPERSONATE_ALL:
    case KL_DEVOP_SHIFT_TIME:
    case KL_DEVOP_NEXT_TIMESTAMP:
    case KL_DEVOP_NEXT_BASE_FEE:
    case KL_DEVOP_NEXT_RANDAO:
    case KL_DEVOP_GAS_LIMIT:
    case KL_DEVOP_COINBASE:
    case KL_DEVOP_SNAPSHOT:
    case KL_DEVOP_REVERT:
    case KL_DEVOP_COUNT:
        break;
    }
    KL_UNREACHABLE();
}

static bool is_state_change(kl_devop_kind kind)
{
    return kind == KL_DEVOP_SET_BALANCE || kind == KL_DEVOP_SET_NONCE ||
           kind == KL_DEVOP_SET_CODE || kind == KL_DEVOP_SET_STORAGE;
}

/* Runs a change of the state through the journal; an account left empty is removed [EIP-161]. */
static kl_status change_state(struct kl_chain *chain, struct kl_run *run, struct kl_view *view,
                              const kl_devop *op, struct kl_delta_builder *builder, kl_hash *root)
{
    struct kl_journal *journal = kl_exec_journal(kl_run_exec(run));
    struct kl_view_reader reader;
    kl_view_reader_init(&reader, view);
    kl_journal_begin_block(journal, &reader.reader);
    kl_journal_begin_tx(journal);
    if (is_state_change(op->kind))
        KL_TRY(change_account(journal, op));
    KL_TRY(kl_journal_end_tx(journal, true));
    return kl_state_commit(journal, view, builder, chain->keep_preimages, root, &chain->arena,
                           chain->workers);
}

static kl_status make(struct kl_chain *chain, struct kl_run *run, struct kl_tip *tip,
                      struct kl_view *view, const kl_dev_env *env, const kl_devop *op,
                      struct kl_delta_builder *builder)
{
    kl_hash root;
    KL_TRY(change_state(chain, run, view, op, builder, &root));
    if (!is_state_change(op->kind)) {
        KL_TRY(kl_tip_set_dev(tip, env));
        KL_TRY(kl_index_dev(builder, env));
    }
    const kl_dev_outcome outcome = {tip->header.number, root, kl_dev_mark(tip->version, env, op)};
    kl_record_put_dev(&tip->record, &outcome, op);
    return tip->record.failed ? KL_LIMIT : KL_OK;
}

static kl_status step(struct kl_chain *chain, struct kl_run *run, struct kl_tip *parent,
                      const kl_dev_env *env, const kl_devop *op, struct kl_tip **out)
{
    KL_CLEANUP(kl_tip_unrefp) struct kl_tip *tip = NULL;
    struct kl_view *view;
    struct kl_delta_builder *builder;
    KL_TRY(kl_tip_new(&tip, parent, KL_STEP_DEV));
    KL_TRY(kl_chain_view(chain, parent, &view));
    kl_status status = kl_delta_begin(&builder, parent->delta, tip->version);
    if (status == KL_OK) {
        status = make(chain, run, tip, view, env, op, builder);
        if (status == KL_OK)
            status = kl_delta_seal(builder, &tip->delta);
        else
            kl_delta_drop(builder);
    }
    kl_view_close(view);
    KL_TRY(status);
    *out = tip;
    tip = NULL;
    return KL_OK;
}

/* No block could follow code that every block must call and that fails. */
static kl_rule judge_code(const struct kl_chain *chain, const struct kl_tip *parent,
                          const kl_devop *op)
{
    const kl_header *h = &parent->header;
    bool called = op->kind == KL_DEVOP_SET_CODE && kl_exec_is_needed(&op->address) &&
                  kl_spec_fork(&chain->spec, h->number, h->timestamp) >= KL_PRAGUE;
    return called ? KL_RULE_DEV_SYSTEM_CODE : KL_RULE_NONE;
}

kl_status kl_chain_dev(struct kl_chain *chain, struct kl_run *run, struct kl_tip *parent,
                       const kl_devop *wanted, struct kl_tip **out, kl_rule *broken)
{
    const kl_devop stripped = kl_devop_strip(wanted), *op = &stripped;
    *broken = chain->spec.dev ? judge_code(chain, parent, op) : KL_RULE_DEV_FORBIDDEN;
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    kl_arena_reset(&chain->arena, KL_STEP_KEEP);
    if (op->kind == KL_DEVOP_REVERT)
        return kl_step_revert(chain, parent, op, out, broken);
    kl_dev_env env = parent->dev->env;
    if (!is_state_change(op->kind))
        *broken = kl_dev_apply(&env, op, parent->version);
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    return step(chain, run, parent, &env, op, out);
}
