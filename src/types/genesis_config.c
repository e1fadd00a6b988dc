/* genesis_config: the rules of the chain.  Members that geth does not know are passed over, as geth
 * does; members that geth knows and Keel has no rules for are a fault, because passing them over
 * would follow another chain. */
#include "types/genesis_priv.h"

enum { MAX_BLOCK_BYTES = 2 << 20 };

/* Forks that a chain may leave out while it has later ones; the rest must all be there up to the
 * last, as in geth. */
static const bool optional[KL_FORK_COUNT] = {
    [KL_MUIR_GLACIER] = true, [KL_ARROW_GLACIER] = true, [KL_GRAY_GLACIER] = true,
    [KL_PARIS] = true,        [KL_BPO1] = true,          [KL_BPO2] = true,
    [KL_BPO3] = true,         [KL_BPO4] = true,          [KL_BPO5] = true,
};

/* Of config, besides the forks. */
struct extras {
    u64 spurious_155, dao; /* eip155Block, daoForkBlock */
    bool has_155, has_dao, ttd_passed, verkle;
    u64 amsterdam, verkle_time;
};

/* Blames the config's member called name, or the config where it has none. */
static kl_rule blame_member(struct kl_genesis_reader *r, kl_rule rule, kl_json_ref config,
                            const char *name)
{
    kl_json_ref ref = kl_genesis_member(r, config, name);
    kl_genesis_enter(r, kl_span_str(name));
    return kl_genesis_blame(r, rule, ref == KL_JSON_NONE ? config : ref);
}

static kl_rule read_forks(struct kl_genesis_reader *r, kl_json_ref config, kl_spec *spec)
{
    for (usize i = KL_FRONTIER + 1; i < KL_FORK_COUNT; i++) {
        const char *key = kl_fork_config_key((kl_fork)i);
        const kl_genesis_field field = {key, kl_genesis_u64, &spec->fork[i].at, false};
        KL_JUDGE(kl_genesis_fields(r, config, &field, 1));
        if (kl_genesis_member(r, config, key) != KL_JSON_NONE)
            spec->fork[i].by = i >= KL_SHANGHAI ? KL_AT_TIME : KL_AT_BLOCK;
    }
    return KL_RULE_NONE;
}

/* Every fork not before the one before it, and none missing in between. */
static kl_rule judge_order(struct kl_genesis_reader *r, kl_json_ref config, const kl_spec *spec)
{
    kl_activation last = spec->fork[KL_FRONTIER];
    for (usize i = KL_FRONTIER + 1; i < KL_FORK_COUNT; i++) {
        kl_activation next = spec->fork[i];
        if (next.by == KL_AT_NEVER) {
            if (!optional[i])
                last = next;
            continue;
        }
        bool missing = last.by == KL_AT_NEVER;
        bool early = last.by == next.by && next.at < last.at;
        if (missing || early)
            return blame_member(r, KL_RULE_GENESIS_FORK_ORDER, config,
                                kl_fork_config_key((kl_fork)i));
        last = next;
    }
    return KL_RULE_NONE;
}

/* eip155Block must go with eip158Block: both are Spurious Dragon here.  The DAO fork lies between
 * Homestead and EIP-150. */
static kl_rule judge_extras(struct kl_genesis_reader *r, kl_json_ref config, kl_spec *spec,
                            const struct extras *x)
{
    kl_activation spurious = spec->fork[KL_SPURIOUS], home = spec->fork[KL_HOMESTEAD],
                  tangerine = spec->fork[KL_TANGERINE];
    if (x->has_155 != (spurious.by == KL_AT_BLOCK) || x->spurious_155 != spurious.at)
        return blame_member(r, KL_RULE_GENESIS_FORK_ORDER, config, "eip155Block");
    if (x->has_dao && (home.by == KL_AT_NEVER || x->dao < home.at ||
                       (tangerine.by == KL_AT_BLOCK && x->dao > tangerine.at)))
        return blame_member(r, KL_RULE_GENESIS_FORK_ORDER, config, "daoForkBlock");
    spec->dao_fork = spec->dao_fork && x->has_dao;
    spec->dao_fork_block = x->dao;
    return KL_RULE_NONE;
}

/* Paris begins with the chain (terminal difficulty 0), at a height, or by difficulty. */
static kl_rule settle_paris(struct kl_genesis_reader *r, kl_json_ref config, kl_spec *spec)
{
    if (kl_u256_is_zero(spec->terminal_total_difficulty))
        spec->fork[KL_PARIS] = (kl_activation){KL_AT_BLOCK, 0};
    bool comes = spec->fork[KL_PARIS].by == KL_AT_BLOCK ||
                 !kl_u256_eq(spec->terminal_total_difficulty, KL_U256_MAX);
    if (spec->fork[KL_SHANGHAI].by == KL_AT_TIME && !comes)
        return blame_member(r, KL_RULE_GENESIS_MISSING, config, "terminalTotalDifficulty");
    return KL_RULE_NONE;
}

/* What geth would do otherwise than we can. */
static kl_rule judge_unsupported(struct kl_genesis_reader *r, kl_json_ref config,
                                 const kl_spec *spec, const struct extras *x)
{
    static const char *const forks[] = {"amsterdamTime", "verkleTime"};
    for (usize i = 0; i < KL_COUNT_OF(forks); i++)
        if (kl_genesis_member(r, config, forks[i]) != KL_JSON_NONE)
            return blame_member(r, KL_RULE_GENESIS_UNSUPPORTED, config, forks[i]);
    if (x->verkle)
        return blame_member(r, KL_RULE_GENESIS_UNSUPPORTED, config, "enableVerkleAtGenesis");
    bool stake_first = spec->fork[KL_PARIS].by == KL_AT_BLOCK && spec->fork[KL_PARIS].at == 0;
    if (!stake_first && kl_genesis_member(r, config, "clique") != KL_JSON_NONE)
        return blame_member(r, KL_RULE_GENESIS_UNSUPPORTED, config, "clique");
    return KL_RULE_NONE;
}

static kl_rule read_blobs(struct kl_genesis_reader *r, kl_json_ref entry, kl_blob_schedule *out)
{
    u64 target = 0, max = 0, fraction = 0;
    const kl_genesis_field fields[] = {
        {"target", kl_genesis_u64, &target, true},
        {"max", kl_genesis_u64, &max, true},
        {"baseFeeUpdateFraction", kl_genesis_u64, &fraction, true},
    };
    KL_JUDGE(kl_genesis_object(r, entry));
    KL_JUDGE(kl_genesis_fields(r, entry, fields, KL_COUNT_OF(fields)));
    if (max == 0 || max > UINT16_MAX || target > max || fraction == 0)
        return kl_genesis_blame(r, KL_RULE_GENESIS_RANGE, entry);
    *out = (kl_blob_schedule){(u32)target, (u32)max, fraction};
    return KL_RULE_NONE;
}

/* Entries are called like the forks' keys without "Time".  A schedule that is there must name every
 * fork of its chain but the BPO ones, as in geth; a chain without one has mainnet's. */
static kl_rule read_schedule(struct kl_genesis_reader *r, kl_json_ref config, kl_spec *spec)
{
    kl_json_ref schedule = kl_genesis_member(r, config, "blobSchedule");
    if (schedule == KL_JSON_NONE)
        return KL_RULE_NONE;
    memset(spec->blobs, 0, sizeof spec->blobs);
    kl_genesis_enter(r, KL_SPAN_TEXT("blobSchedule"));
    KL_JUDGE(kl_genesis_object(r, schedule));
    for (usize i = KL_CANCUN; i < KL_FORK_COUNT; i++) {
        char name[16] = {0};
        const char *key = kl_fork_config_key((kl_fork)i);
        usize len = strlen(key) - strlen("Time");
        KL_ASSERT(len < sizeof name);
        memcpy(name, key, len);
        kl_json_ref entry = kl_genesis_member(r, schedule, name);
        kl_genesis_enter(r, kl_span_of(key, len));
        if (entry != KL_JSON_NONE)
            KL_JUDGE(read_blobs(r, entry, &spec->blobs[i]));
        else if (spec->fork[i].by != KL_AT_NEVER && !optional[i])
            return kl_genesis_blame(r, KL_RULE_GENESIS_MISSING, schedule);
        kl_genesis_leave(r);
    }
    kl_genesis_leave(r);
    return KL_RULE_NONE;
}

static kl_rule read_keel(struct kl_genesis_reader *r, kl_json_ref keel, void *out)
{
    return kl_genesis_keel(r, keel, out);
}

static kl_rule read_config_fields(struct kl_genesis_reader *r, kl_json_ref config,
                                  kl_genesis *genesis, struct extras *x)
{
    kl_spec *spec = &genesis->spec;
    const kl_genesis_field fields[] = {
        {"chainId", kl_genesis_at_least_one, &spec->chain_id, true},
        {"eip155Block", kl_genesis_u64, &x->spurious_155, false},
        {"daoForkBlock", kl_genesis_u64, &x->dao, false},
        {"daoForkSupport", kl_genesis_bool, &spec->dao_fork, false},
        {"terminalTotalDifficulty", kl_genesis_u256, &spec->terminal_total_difficulty, false},
        {"terminalTotalDifficultyPassed", kl_genesis_bool, &x->ttd_passed, false},
        {"enableVerkleAtGenesis", kl_genesis_bool, &x->verkle, false},
        {"depositContractAddress", kl_genesis_address, &spec->deposit_contract, false},
        {"keel", read_keel, genesis, false},
    };
    KL_JUDGE(kl_genesis_object(r, config));
    KL_JUDGE(kl_genesis_fields(r, config, fields, KL_COUNT_OF(fields)));
    x->has_155 = kl_genesis_member(r, config, "eip155Block") != KL_JSON_NONE;
    x->has_dao = kl_genesis_member(r, config, "daoForkBlock") != KL_JSON_NONE;
    return KL_RULE_NONE;
}

kl_rule kl_genesis_config(struct kl_genesis_reader *r, kl_json_ref config, kl_genesis *out)
{
    struct extras x = {0};
    kl_spec *spec = &out->spec;
    kl_spec_init(spec, KL_FRONTIER);
    spec->max_block_bytes = MAX_BLOCK_BYTES;
    KL_JUDGE(read_config_fields(r, config, out, &x));
    KL_JUDGE(read_forks(r, config, spec));
    KL_JUDGE(judge_extras(r, config, spec, &x));
    KL_JUDGE(settle_paris(r, config, spec));
    KL_JUDGE(judge_order(r, config, spec));
    KL_JUDGE(judge_unsupported(r, config, spec, &x));
    /* geth: a Constantinople without a Petersburg of its own is Petersburg at once. */
    if (spec->fork[KL_PETERSBURG].by == KL_AT_NEVER)
        spec->fork[KL_PETERSBURG] = spec->fork[KL_CONSTANTINOPLE];
    return read_schedule(r, config, spec);
}
