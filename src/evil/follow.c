/* The target's chain, executed here without a disk: what a leader needs whose blocks are good but
 * for what it puts into them on purpose.  Nothing is ever appended: tips stand on the genesis. */
#include "evil/evil_priv.h"

#include <stdlib.h>

#include "crypto/keccak.h"
#include "exec/exec.h"
#include "store/memkv.h"
#include "sys/scratch.h"

#define EVM_MEMORY     ((usize)1 << 30)
#define JOURNAL_MEMORY ((usize)256 << 20)

enum { TIPS = 128, SEGMENT = 64 << 20 };

struct evil_follow {
    struct kl_fs *fs;
    struct kl_kv *kv;
    struct kl_chain *chain;
    struct kl_exec *exec;
    struct kl_run *run;
    struct kl_tip *tips[TIPS]; /* the newest that were heard of, around */
    usize next;
    struct kl_tip *highest; /* one of them */
};

static void keep(struct evil_follow *f, struct kl_tip *tip)
{
    struct kl_tip **at = &f->tips[f->next++ % TIPS];
    kl_tip_unref(*at);
    *at = tip;
    if (!f->highest || tip->header.number > f->highest->header.number) {
        kl_tip_unref(f->highest);
        f->highest = kl_tip_ref(tip);
    }
}

static kl_status open_all(struct evil_follow *f, kl_span genesis)
{
    const kl_exec_config exec = {.evm_memory_limit = EVM_MEMORY,
                                 .journal_memory_limit = JOURNAL_MEMORY};
    kl_chain_report report;
    KL_TRY(kl_sys_scratch_open(&f->fs));
    KL_TRY(kl_memkv_open(&f->kv, KL_TABLE_COUNT));
    const kl_chain_config config = {
        .fs = f->fs, .kv = f->kv, .genesis = genesis, .segment_bytes = SEGMENT};
    KL_TRY(kl_chain_open(&f->chain, &config, NULL, &report));
    if (kl_chain_spec(f->chain)->engine != KL_ENGINE_SIMPLEX)
        return KL_UNSUPPORTED;
    KL_TRY(kl_exec_new(&f->exec, &exec));
    KL_TRY(kl_run_new(&f->run, f->exec));
    keep(f, kl_chain_head(f->chain));
    return KL_OK;
}

kl_status evil_follow_open(struct evil_follow **out, kl_span genesis)
{
    struct evil_follow *f = calloc(1, sizeof *f);
    if (!f)
        return KL_NOMEM;
    kl_status status = open_all(f, genesis);
    if (status != KL_OK) {
        evil_follow_close(f);
        return status;
    }
    *out = f;
    return KL_OK;
}

void evil_follow_close(struct evil_follow *f)
{
    if (!f)
        return;
    for (usize i = 0; i < TIPS; i++)
        kl_tip_unref(f->tips[i]);
    kl_tip_unref(f->highest);
    kl_run_free(f->run);
    kl_exec_free(f->exec);
    if (f->chain)
        kl_chain_close(f->chain);
    if (f->kv)
        kl_kv_close(f->kv);
    kl_sys_scratch_close(f->fs);
    free(f);
}

struct kl_tip *evil_follow_tip(const struct evil_follow *f, const kl_hash *hash)
{
    for (usize i = 0; i < TIPS; i++)
        if (f->tips[i] && kl_hash_eq(&f->tips[i]->hash, hash))
            return f->tips[i];
    return NULL;
}

u64 evil_follow_height(const struct evil_follow *f)
{
    return f->highest->header.number;
}

kl_vote_domain evil_follow_domain(const struct evil_follow *f)
{
    return kl_chain_vote_domain(f->chain);
}

bool evil_follow_take(struct evil_follow *f, kl_span body)
{
    kl_body parts;
    kl_rule broken;
    struct kl_tip *tip;
    if (kl_body_decode(&parts, body) != KL_RULE_NONE)
        return false;
    if (evil_follow_tip(f, &parts.hash))
        return true;
    struct kl_tip *parent = evil_follow_tip(f, &parts.header.parent_hash);
    if (!parent || kl_chain_judge(f->chain, f->run, parent, body, &tip, &broken) != KL_OK ||
        broken != KL_RULE_NONE)
        return false;
    keep(f, tip);
    return true;
}

struct kl_tip *evil_follow_build(struct evil_follow *f, struct kl_tip *parent,
                                 const kl_bft_plan *bft, struct kl_tx_source *source)
{
    const kl_build_plan plan = {.gas_limit = parent->header.gas_limit,
                                .coinbase = {{0x66}},
                                .tx_max = UINT64_MAX,
                                .bft = bft};
    struct kl_tip *tip;
    if (kl_chain_build(f->chain, f->run, parent, &plan, source, &tip) != KL_OK)
        return NULL;
    keep(f, tip);
    return tip;
}

u64 evil_follow_nonce(struct evil_follow *f, const struct kl_tip *tip, const kl_address *address)
{
    struct kl_view *view;
    kl_account account = {0};
    bool exists;
    kl_hash hash = kl_keccak256(KL_SPAN_OF(address->b));
    if (kl_chain_view(f->chain, tip, &view) != KL_OK)
        return 0;
    if (kl_view_account(view, &hash, &account, &exists) != KL_OK)
        account.nonce = 0;
    kl_view_close(view);
    return account.nonce;
}
