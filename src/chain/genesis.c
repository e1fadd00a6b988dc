/* The genesis block: what the file allocates is the state, the roots follow from it [YP appendix
 * I], and fields of later forks take the values that mainnet's rules give a first block. */
#include "chain/bft_priv.h"
#include "chain/rules.h"
#include "crypto/digest.h"
#include "crypto/keccak.h"
#include "state/commit.h"

static kl_status allocate(struct kl_journal *journal, const kl_alloc *alloc)
{
    kl_jaccount *account;
    bool cold;
    KL_TRY(kl_journal_account(journal, &alloc->address, &account));
    kl_journal_create(journal, account);
    kl_journal_set_balance(journal, account, alloc->balance);
    kl_journal_set_nonce(journal, account, alloc->nonce);
    if (alloc->code.len)
        KL_TRY(kl_journal_set_code(journal, account, alloc->code, NULL));
    for (usize i = 0; i < alloc->slot_count; i++) {
        kl_jslot *slot;
        kl_u256 key = kl_u256_from_hash(&alloc->keys[i]);
        KL_TRY(kl_journal_slot(journal, account, &key, &slot, &cold));
        kl_journal_set_slot(journal, account, slot, &alloc->values[i]);
    }
    return KL_OK;
}

static kl_status fill_state(struct kl_journal *journal, struct kl_state_reader *reader,
                            const kl_genesis *genesis)
{
    kl_journal_begin_block(journal, reader);
    kl_journal_begin_tx(journal);
    for (usize i = 0; i < genesis->alloc_count; i++)
        KL_TRY(allocate(journal, &genesis->alloc[i]));
    return kl_journal_end_tx(journal, false);
}

static kl_status fill_roots(kl_header *header, struct kl_arena *scratch)
{
    header->ommers_hash = kl_keccak_empty_list;
    KL_TRY(kl_transactions_root(&header->transactions_root, NULL, 0, scratch));
    KL_TRY(kl_receipts_root(&header->receipts_root, NULL, 0, scratch));
    KL_TRY(kl_withdrawals_root(&header->withdrawals_root, NULL, 0, scratch));
    kl_sha256(header->requests_hash.b, KL_SPAN_NONE); /* no requests [EIP-7685] */
    return KL_OK;
}

/* The state of the genesis into builder, its root into header. */
static kl_status fill(struct kl_chain *chain, const kl_genesis *genesis, struct kl_view *view,
                      struct kl_delta_builder *builder, kl_header *header)
{
    struct kl_view_reader reader;
    struct kl_journal *journal;
    const kl_journal_config config = {.memory_limit = KL_STEP_ARENA};
    KL_TRY(kl_journal_new(&journal, &config));
    kl_view_reader_init(&reader, view);
    kl_status status = fill_state(journal, &reader.reader, genesis);
    if (status == KL_OK)
        status = kl_state_commit(journal, view, builder, chain->keep_preimages, &header->state_root,
                                 &chain->arena, chain->workers);
    kl_journal_free(journal);
    return status == KL_OK ? fill_roots(header, &chain->arena) : status;
}

kl_status kl_genesis_tip(struct kl_chain *chain, const kl_genesis *genesis, kl_span text,
                         struct kl_tip **out)
{
    KL_CLEANUP(kl_tip_unrefp) struct kl_tip *tip = NULL;
    struct kl_view *view;
    struct kl_delta_builder *builder;
    kl_block block = {.header = genesis->header};
    bool votes = kl_chain_votes(chain);
    if (votes) {
        kl_hash extra = kl_consensus_header_hash(&chain->first_consensus);
        memcpy(block.header.extra_data, extra.b, sizeof extra.b);
        block.header.extra_len = sizeof extra.b;
    }
    KL_TRY(kl_tip_new(&tip, NULL, KL_STEP_GENESIS));
    KL_TRY(kl_state_view(chain->state, NULL, &view));
    kl_status status = kl_delta_begin(&builder, NULL, 0);
    if (status == KL_OK) {
        status = fill(chain, genesis, view, builder, &block.header);
        block.hash = kl_header_hash(&block.header);
        if (status == KL_OK)
            status = kl_index_block(builder, &block, NULL, 0);
        if (status == KL_OK && votes)
            status = kl_index_epoch(builder, 0, &chain->first_epoch->set);
        if (status == KL_OK)
            status = kl_delta_seal(builder, &tip->delta);
        else
            kl_delta_drop(builder);
    }
    kl_view_close(view);
    KL_TRY(status);
    tip->header = block.header;
    tip->hash = block.hash;
    if (votes) {
        tip->epoch = kl_epoch_ref(chain->first_epoch);
        tip->consensus = chain->first_consensus;
    }
    if (chain->spec.dev) {
        kl_dev_env env;
        kl_dev_env_init(&env);
        KL_TRY(kl_tip_set_dev(tip, &env));
    }
    kl_record_put_genesis(&tip->record, &tip->header, text);
    if (tip->record.failed)
        return KL_NOMEM;
    *out = tip;
    tip = NULL;
    return KL_OK;
}
