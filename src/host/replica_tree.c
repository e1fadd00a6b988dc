/* Tips of blocks that were executed and are above the head, by hash; the head itself is the
 * chain's.  A block has one tip, whoever asked for it, so that what is built on it stays valid when
 * it is appended.  All of this is the execution lane's. */
#include <stdlib.h>

#include "chain/record.h"
#include "codec/rlp.h"
#include "crypto/keccak.h"
#include "host/replica_priv.h"

struct node {
    kl_hash hash;
    struct kl_tip *tip;
};

struct kl_tip *replica_tip(struct kl_replica *r, const kl_hash *hash)
{
    const struct node *node = kl_map_get(&r->tips, hash);
    if (node)
        return node->tip;
    struct kl_tip *head = kl_chain_head(r->chain);
    bool is_head = kl_hash_eq(&head->hash, hash);
    kl_tip_unref(head); /* the chain keeps its own */
    return is_head ? head : NULL;
}

kl_status replica_tip_add(struct kl_replica *r, struct kl_tip *tip)
{
    struct node *node = malloc(sizeof *node);
    if (!node)
        return KL_NOMEM;
    *node = (struct node){.hash = tip->hash, .tip = tip};
    kl_status status = kl_map_put(&r->tips, node);
    if (status != KL_OK) {
        free(node);
        return status;
    }
    kl_tip_ref(tip);
    return KL_OK;
}

static void drop(struct kl_replica *r, struct node *node)
{
    (void)kl_map_take(&r->tips, &node->hash);
    kl_tip_unref(node->tip);
    free(node);
}

/* One node at or below the height, or NULL: a map must not change during a walk. */
static struct node *below(const struct kl_replica *r, u64 height)
{
    usize cursor = 0;
    struct node *node;
    while ((node = kl_map_next(&r->tips, &cursor)) != NULL)
        if (node->tip->header.number <= height)
            return node;
    return NULL;
}

void replica_tips_prune(struct kl_replica *r, u64 height)
{
    for (struct node *node; (node = below(r, height)) != NULL;)
        drop(r, node);
}

void replica_tips_done(struct kl_replica *r)
{
    replica_tips_prune(r, UINT64_MAX);
    kl_map_done(&r->tips);
}

/* --- what a block holds --- */

static int tx_cmp(const void *a, const void *b)
{
    return memcmp(((const replica_tx *)a)->hash.b, ((const replica_tx *)b)->hash.b,
                  sizeof(kl_hash));
}

struct replica_txs *replica_txs_ref(struct replica_txs *txs)
{
    if (txs)
        kl_refs_add(&txs->refs);
    return txs;
}

void replica_txs_unref(struct replica_txs *txs)
{
    if (txs && kl_refs_drop(&txs->refs))
        free(txs);
}

bool replica_txs_have(const struct replica_txs *txs, const kl_hash *hash)
{
    replica_tx wanted = {.hash = *hash};
    return txs->count && bsearch(&wanted, txs->list, txs->count, sizeof wanted, tx_cmp);
}

kl_status replica_txs_of(struct kl_replica *r, const struct kl_tip *tip, struct replica_txs **out)
{
    kl_block_record record;
    kl_block block;
    kl_rule broken = kl_record_block(KL_RECORD_VOTED, kl_buf_view(&tip->record), &record);
    kl_arena_mark mark = kl_arena_here(&r->run_arena);
    KL_ASSERT(broken == KL_RULE_NONE); /* we have made it */
    kl_status status =
        kl_record_open(&record, kl_chain_spec(r->chain), &r->run_arena, &block, NULL, &broken);
    KL_ASSERT(status != KL_OK || broken == KL_RULE_NONE);
    struct replica_txs *txs =
        status == KL_OK ? malloc(sizeof *txs + block.tx_count * sizeof txs->list[0]) : NULL;
    if (txs) {
        kl_refs_init(&txs->refs);
        txs->count = block.tx_count;
        for (usize i = 0; i < block.tx_count; i++)
            txs->list[i] = (replica_tx){block.txs[i].hash, block.txs[i].sender};
        if (txs->count)
            qsort(txs->list, txs->count, sizeof txs->list[0], tx_cmp);
        *out = txs;
    }
    kl_arena_rewind(&r->run_arena, mark);
    return status == KL_OK && !txs ? KL_NOMEM : status;
}

/* The root over a list's items: what stands in a block for a typed transaction is a string of its
 * envelope, for everything else the item itself. */
static kl_status list_root(kl_rlp items, kl_hash *out, struct kl_arena *arena, bool *is_list)
{
    usize count;
    *is_list = kl_rlp_count(&items, &count) == KL_RULE_NONE;
    kl_span *values = *is_list ? KL_TAKE(arena, kl_span, count) : NULL;
    if (!*is_list || (!values && count))
        return *is_list ? KL_NOMEM : KL_OK;
    for (usize i = 0; i < count; i++) {
        kl_rlp item = items;
        bool nested;
        if (kl_rlp_item(&items, &values[i], &nested) != KL_RULE_NONE ||
            (!nested && kl_rlp_bytes(&item, &values[i]) != KL_RULE_NONE) || !values[i].len) {
            *is_list = false;
            return KL_OK;
        }
    }
    return kl_trie_list_root(out, values, count, arena);
}

kl_status replica_is_of_header(struct kl_replica *r, const kl_body *parts, bool *is)
{
    const kl_header *header = &parts->header;
    kl_rlp items, txs, withdrawals;
    kl_span skipped, ommers;
    bool nested, good;
    kl_hash root;
    *is = false;
    if (kl_rlp_open(&items, parts->block) != KL_RULE_NONE ||
        kl_rlp_item(&items, &skipped, &nested) != KL_RULE_NONE ||
        kl_rlp_list(&items, &txs) != KL_RULE_NONE ||
        kl_rlp_item(&items, &ommers, &nested) != KL_RULE_NONE)
        return KL_OK;
    kl_hash ommers_hash = kl_keccak256(ommers);
    KL_TRY(list_root(txs, &root, &r->run_arena, &good));
    if (!good || !kl_hash_eq(&root, &header->transactions_root) ||
        !kl_hash_eq(&ommers_hash, &header->ommers_hash))
        return KL_OK;
    bool has = kl_rlp_list(&items, &withdrawals) == KL_RULE_NONE;
    if (has != (header->tail >= 2) || !kl_rlp_end(&items))
        return KL_OK;
    if (has) {
        KL_TRY(list_root(withdrawals, &root, &r->run_arena, &good));
        if (!good || !kl_hash_eq(&root, &header->withdrawals_root))
            return KL_OK;
    }
    *is = true;
    return KL_OK;
}

/* --- senders --- */

static int fact_cmp(const void *a, const void *b)
{
    return memcmp(((const replica_fact *)a)->sender.b, ((const replica_fact *)b)->sender.b,
                  sizeof(kl_address));
}

static usize distinct(replica_fact *facts, usize count)
{
    usize kept = 0;
    if (count)
        qsort(facts, count, sizeof *facts, fact_cmp);
    for (usize i = 0; i < count; i++)
        if (!kept || fact_cmp(&facts[kept - 1], &facts[i]) != 0)
            facts[kept++] = facts[i];
    return kept;
}

kl_status replica_facts_at(struct kl_replica *r, struct kl_tip *head,
                           struct replica_txs *const *txs, usize count, replica_fact **out,
                           usize *out_count)
{
    usize all = 0;
    for (usize i = 0; i < count; i++)
        all += txs[i] ? txs[i]->count : 0;
    replica_fact *facts = malloc((all + 1) * sizeof *facts);
    if (!facts)
        return KL_NOMEM;
    all = 0;
    for (usize i = 0; i < count; i++)
        for (usize k = 0; txs[i] && k < txs[i]->count; k++)
            facts[all++] = (replica_fact){.sender = txs[i]->list[k].sender};
    all = distinct(facts, all);
    struct kl_view *view = NULL;
    kl_status status = kl_chain_view(r->chain, head, &view);
    for (usize i = 0; i < all && status == KL_OK; i++) {
        kl_hash hash = kl_keccak256(kl_address_span(&facts[i].sender));
        kl_account account;
        bool exists;
        status = kl_view_account(view, &hash, &account, &exists);
        if (status == KL_OK)
            facts[i].facts = (kl_pool_facts){account.nonce, account.balance};
    }
    kl_view_close(view);
    if (status != KL_OK) {
        free(facts);
        return status;
    }
    *out = facts;
    *out_count = all;
    return KL_OK;
}
