/* Where the state database stands, in the database's words and in the ledger's: a database that
 * says otherwise is another ledger's, or damaged. */
#include "chain/bft_priv.h"

struct finding {
    struct kl_chain *chain;
    struct kl_arena *arena;
    kl_seglog_report *damage;
    struct kl_view *view;
    struct kl_tip *tip;
};

static kl_status read_record(struct finding *f, u64 version, kl_record *out)
{
    return kl_seglog_read(f->chain->ledger, version, f->arena, out, f->damage);
}

/* The root that the ledger has for the version, whose head block was made by version head.  A block
 * is its own head; a dev record binds the environment too. */
static kl_status root_in_ledger(struct finding *f, u64 head, kl_hash *out)
{
    kl_record record;
    kl_dev_outcome outcome;
    kl_devop op;
    *out = f->tip->header.state_root;
    KL_TRY(read_record(f, f->tip->version, &record));
    if (record.kind != KL_RECORD_DEV)
        return head == f->tip->version ? KL_OK : KL_CORRUPT;
    if (kl_record_dev(record.payload, &outcome, &op) != KL_RULE_NONE || !f->tip->dev)
        return KL_CORRUPT;
    kl_hash mark = kl_dev_mark(f->tip->version, &f->tip->dev->env, &op);
    *out = outcome.state_root;
    return kl_hash_eq(&mark, &outcome.mark) ? KL_OK : KL_CORRUPT;
}

/* The validators of the blocks that follow, as the ledger names them, when it still does. */
static kl_status check_epoch(struct finding *f, const struct kl_epoch *epoch)
{
    kl_record record;
    kl_block_record parts;
    kl_consensus_header h = f->chain->first_consensus;
    kl_hash hash;
    u64 version;
    if (epoch->number > 0) {
        KL_TRY(kl_index_get_height(f->view, epoch->first_height - 1, &hash, &version));
        if (version < kl_seglog_first(f->chain->ledger))
            return KL_OK;
        KL_TRY(read_record(f, version, &record));
        if (kl_record_block(record.kind, record.payload, &parts) != KL_RULE_NONE ||
            kl_consensus_header_decode(&h, parts.consensus) != KL_RULE_NONE)
            return KL_CORRUPT;
    }
    return kl_hash_eq(&h.next_set_hash, &epoch->set.hash) ? KL_OK : KL_CORRUPT;
}

/* The head's consensus header, and the epoch of the blocks that follow. */
static kl_status find_votes(struct finding *f, const kl_record *head)
{
    struct kl_tip *tip = f->tip;
    kl_block_record parts;
    tip->consensus = f->chain->first_consensus;
    if (head->kind != KL_RECORD_GENESIS &&
        (kl_record_block(head->kind, head->payload, &parts) != KL_RULE_NONE ||
         kl_consensus_header_decode(&tip->consensus, parts.consensus) != KL_RULE_NONE ||
         kl_bft_judge_hash(&tip->header, parts.consensus) != KL_RULE_NONE))
        return KL_CORRUPT;
    u64 number = kl_epoch_of(&f->chain->spec, tip->header.number + 1);
    KL_TRY(kl_epoch_load(&tip->epoch, f->chain, f->view, number, f->arena));
    return check_epoch(f, tip->epoch);
}

static kl_status find(struct finding *f)
{
    struct kl_tip *tip = f->tip;
    kl_index_head head;
    kl_record record;
    kl_hash want, root;
    kl_dev_env env;
    KL_TRY(kl_index_get_head(f->view, &head));
    if (f->chain->spec.dev) {
        KL_TRY(kl_index_get_dev(f->view, &env));
        KL_TRY(kl_tip_set_dev(tip, &env));
    }
    KL_TRY(read_record(f, head.version, &record));
    if (kl_record_header(record.kind, record.payload, &tip->header) != KL_RULE_NONE)
        return KL_CORRUPT;
    tip->hash = kl_header_hash(&tip->header);
    if (kl_chain_votes(f->chain))
        KL_TRY(find_votes(f, &record));
    KL_TRY(root_in_ledger(f, head.version, &want));
    KL_TRY(kl_trie_root(&root, NULL, kl_view_tries(f->view), f->arena));
    return kl_hash_eq(&tip->hash, &head.hash) && kl_hash_eq(&root, &want) ? KL_OK : KL_CORRUPT;
}

kl_status kl_chain_find_head(struct kl_chain *chain, u64 version, struct kl_arena *arena,
                             kl_seglog_report *damage, struct kl_tip **out)
{
    KL_CLEANUP(kl_tip_unrefp) struct kl_tip *tip = NULL;
    KL_TRY(kl_tip_new(&tip, NULL, KL_STEP_BLOCK));
    tip->version = version;
    struct finding f = {.chain = chain, .arena = arena, .damage = damage, .tip = tip};
    KL_TRY(kl_state_view(chain->state, NULL, &f.view));
    kl_status status = find(&f);
    kl_view_close(f.view);
    KL_TRY(status == KL_NOTFOUND ? KL_CORRUPT : status);
    *out = tip;
    tip = NULL;
    return KL_OK;
}
