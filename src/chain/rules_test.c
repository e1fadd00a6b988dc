#include "chain/rules.h"

#include "base/test.h"
#include "crypto/keccak.h"
#include "exec/fees.h"

#define BLOB 131072u

/* A block under fork, its parent, and a way to spoil one thing. */
struct pair {
    kl_spec spec;
    kl_header parent, header;
    kl_u256 total_difficulty;
};

static void relink(struct pair *p)
{
    p->header.parent_hash = kl_header_hash(&p->parent);
}

static struct pair good_pair(kl_fork fork)
{
    struct pair p = {.total_difficulty = kl_u256_of(fork < KL_PARIS ? 5000000 : 0)};
    kl_spec_init(&p.spec, fork);
    p.spec.engine = KL_ENGINE_EXTERNAL;
    p.parent = (kl_header){.ommers_hash = kl_keccak_empty_list,
                           .number = 41,
                           .timestamp = 1000,
                           .gas_limit = 30000000,
                           .gas_used = 15000000,
                           .tail = kl_header_tail(fork),
                           .difficulty = kl_u256_of(fork < KL_PARIS ? 2048000 : 0),
                           .base_fee = kl_u256_of(1000),
                           .blob_gas_used = 3 * BLOB,
                           .excess_blob_gas = 5 * BLOB};
    p.header = p.parent;
    p.header.number = 42;
    p.header.timestamp = 1010;
    p.header.blob_gas_used = 2 * BLOB;
    p.header.excess_blob_gas = kl_excess_blob_gas_after(&p.spec, &p.parent, 42, 1010);
    if (fork < KL_PARIS)
        p.header.difficulty = kl_u256_of(fork < KL_HOMESTEAD ? 2049000 : 2048000);
    relink(&p);
    return p;
}

static kl_rule judge(const struct pair *p)
{
    kl_parent parent = {.header = &p->parent,
                        .hash = kl_header_hash(&p->parent),
                        .total_difficulty = p->total_difficulty};
    return kl_judge_header(&p->spec, &p->header, &parent);
}

KL_TEST(rules_accept_a_good_header_under_every_fork)
{
    for (usize fork = 0; fork < KL_FORK_COUNT; fork++) {
        struct pair p = good_pair((kl_fork)fork);
        CHECK_RULE(judge(&p), KL_RULE_NONE);
    }
}

static void no_parent(struct pair *p)
{
    p->header.parent_hash.b[5] ^= 1;
}
static void same_number(struct pair *p)
{
    p->header.number = 41;
}
static void jump_number(struct pair *p)
{
    p->header.number = 43;
}
static void same_time(struct pair *p)
{
    p->header.timestamp = 1000;
}
static void older(struct pair *p)
{
    p->header.timestamp = 999;
}
static void limit_up(struct pair *p)
{
    p->header.gas_limit += 30000000 / 1024;
}
static void limit_down(struct pair *p)
{
    p->header.gas_limit -= 30000000 / 1024;
}
static void limit_tiny(struct pair *p)
{
    p->parent.gas_limit = 5000;
    p->header.gas_limit = 4999;
    p->parent.gas_used = p->header.gas_used = 2500;
    relink(p);
}
static void limit_huge(struct pair *p)
{
    p->parent.gas_limit = INT64_MAX;
    p->header.gas_limit = (u64)INT64_MAX + 1;
    relink(p);
}
static void uses_too_much(struct pair *p)
{
    p->header.gas_used = p->header.gas_limit + 1;
}
static void one_field_less(struct pair *p)
{
    p->header.tail--;
}
static void one_field_more(struct pair *p)
{
    p->header.tail++;
}
static void other_base_fee(struct pair *p)
{
    p->header.base_fee = kl_u256_of(1001);
}
static void other_difficulty(struct pair *p)
{
    p->header.difficulty = kl_u256_add(p->header.difficulty, KL_U256_ONE);
}
static void has_nonce(struct pair *p)
{
    p->header.nonce[7] = 1;
}
static void has_ommers(struct pair *p)
{
    p->header.ommers_hash.b[0] ^= 1;
}
static void half_a_blob(struct pair *p)
{
    p->header.blob_gas_used -= BLOB / 2;
}
static void ten_blobs(struct pair *p)
{
    p->header.blob_gas_used = 10 * BLOB;
}
static void other_excess(struct pair *p)
{
    p->header.excess_blob_gas += BLOB;
}
static void work_after_the_end(struct pair *p)
{
    p->spec.terminal_total_difficulty = p->total_difficulty;
}
static void stake_too_early(struct pair *p)
{
    p->spec.terminal_total_difficulty = kl_u256_of(5000001);
    p->header.difficulty = KL_U256_ZERO;
}

KL_TEST(rules_name_what_is_wrong_with_a_header)
{
    static const struct {
        void (*spoil)(struct pair *p);
        kl_fork fork;
        kl_rule rule;
    } rows[] = {
        {no_parent, KL_OSAKA, KL_RULE_HEADER_PARENT},
        {same_number, KL_OSAKA, KL_RULE_HEADER_NUMBER},
        {jump_number, KL_FRONTIER, KL_RULE_HEADER_NUMBER},
        {same_time, KL_OSAKA, KL_RULE_HEADER_TIMESTAMP},
        {same_time, KL_FRONTIER, KL_RULE_HEADER_TIMESTAMP},
        {older, KL_OSAKA, KL_RULE_HEADER_TIMESTAMP},
        {limit_up, KL_OSAKA, KL_RULE_HEADER_GAS_LIMIT},
        {limit_down, KL_BERLIN, KL_RULE_HEADER_GAS_LIMIT},
        {limit_tiny, KL_OSAKA, KL_RULE_HEADER_GAS_LIMIT},
        {limit_huge, KL_BERLIN, KL_RULE_HEADER_GAS_LIMIT},
        {uses_too_much, KL_OSAKA, KL_RULE_HEADER_GAS_USED},
        {one_field_less, KL_LONDON, KL_RULE_HEADER_FIELDS},
        {one_field_less, KL_PRAGUE, KL_RULE_HEADER_FIELDS},
        {one_field_more, KL_BERLIN, KL_RULE_HEADER_FIELDS},
        {one_field_more, KL_CANCUN, KL_RULE_HEADER_FIELDS},
        {other_base_fee, KL_LONDON, KL_RULE_HEADER_BASE_FEE},
        {other_base_fee, KL_OSAKA, KL_RULE_HEADER_BASE_FEE},
        {other_difficulty, KL_FRONTIER, KL_RULE_HEADER_DIFFICULTY},
        {other_difficulty, KL_LONDON, KL_RULE_HEADER_DIFFICULTY},
        {other_difficulty, KL_PARIS, KL_RULE_HEADER_STAKE_DIFFICULTY},
        {has_nonce, KL_PARIS, KL_RULE_HEADER_STAKE_NONCE},
        {has_ommers, KL_OSAKA, KL_RULE_HEADER_STAKE_OMMERS},
        {half_a_blob, KL_CANCUN, KL_RULE_HEADER_BLOB_GAS},
        {ten_blobs, KL_OSAKA, KL_RULE_HEADER_BLOB_GAS},
        {other_excess, KL_CANCUN, KL_RULE_HEADER_EXCESS_BLOB_GAS},
        {other_excess, KL_OSAKA, KL_RULE_HEADER_EXCESS_BLOB_GAS},
        {work_after_the_end, KL_LONDON, KL_RULE_HEADER_STAKE_DIFFICULTY},
        {stake_too_early, KL_LONDON, KL_RULE_HEADER_STAKE_EARLY},
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        struct pair p = good_pair(rows[i].fork);
        rows[i].spoil(&p);
        CHECK_RULE(judge(&p), rows[i].rule);
    }
}

KL_TEST(rules_let_some_chains_repeat_a_timestamp)
{
    struct pair p = good_pair(KL_OSAKA);
    p.spec.repeat_timestamp = true;
    p.header.timestamp = 1000;
    CHECK_RULE(judge(&p), KL_RULE_NONE);
    p.header.timestamp = 999;
    CHECK_RULE(judge(&p), KL_RULE_HEADER_TIMESTAMP);
}

KL_TEST(rules_double_the_gas_limit_at_london)
{
    struct pair p = good_pair(KL_BERLIN);
    p.spec.fork[KL_LONDON] = (kl_activation){KL_AT_BLOCK, 42};
    p.header.tail = 1;
    p.header.base_fee = kl_u256_of(1000000000);
    p.header.gas_limit = 60000000 + 60000000 / 1024 - 1;
    CHECK_RULE(judge(&p), KL_RULE_NONE);
    p.header.gas_limit++;
    CHECK_RULE(judge(&p), KL_RULE_HEADER_GAS_LIMIT);
    p.header.gas_limit = 30000000;
    CHECK_RULE(judge(&p), KL_RULE_HEADER_GAS_LIMIT);
}

KL_TEST(rules_want_the_dao_extra_data_for_ten_blocks)
{
    struct pair p = good_pair(KL_HOMESTEAD);
    p.spec.dao_fork = true;
    for (u64 fork_block = 30; fork_block < 45; fork_block++) {
        p.spec.dao_fork_block = fork_block;
        bool wanted = fork_block <= 42 && 42 < fork_block + 10;
        p.header.extra_len = 0;
        CHECK_RULE(judge(&p), wanted ? KL_RULE_HEADER_DAO_EXTRA : KL_RULE_NONE);
        p.header.extra_len = 13;
        memcpy(p.header.extra_data, "dao-hard-fork", 13);
        CHECK_RULE(judge(&p), KL_RULE_NONE);
    }
}

/* A line of ancestors, parent first, each with the ommers given to it. */
struct line {
    kl_spec spec;
    kl_header headers[10];
    kl_ancestor ancestors[10];
    kl_block block;
    struct kl_arena arena;
};

static void make_line(struct line *l)
{
    *l = (struct line){0};
    kl_spec_init(&l->spec, KL_BERLIN);
    l->spec.engine = KL_ENGINE_EXTERNAL;
    kl_arena_init(&l->arena, 1 << 20);
    struct pair first = good_pair(KL_BERLIN);
    l->headers[9] = first.parent;
    for (usize i = 9; i-- > 0;) {
        l->headers[i] = l->headers[i + 1];
        l->headers[i].parent_hash = kl_header_hash(&l->headers[i + 1]);
        l->headers[i].number++;
        l->headers[i].timestamp += 10; /* the difficulty stays */
    }
    for (usize i = 0; i < 10; i++)
        l->ancestors[i] =
            (kl_ancestor){.header = &l->headers[i], .hash = kl_header_hash(&l->headers[i])};
    l->block.header = l->headers[0];
    l->block.header.parent_hash = l->ancestors[0].hash;
    l->block.header.transactions_root = kl_keccak_empty_rlp;
    l->block.hash = kl_header_hash(&l->block.header);
}

/* A sibling of the ancestor `age` blocks above the block (1: its parent's sibling). */
static kl_header ommer_of(const struct line *l, usize age)
{
    kl_header ommer = l->headers[age - 1];
    ommer.coinbase.b[0] = (u8)age;
    return ommer;
}

static kl_rule judge_ommers(struct line *l, const kl_header *ommers, usize count)
{
    kl_rule broken;
    l->block.ommers = ommers;
    l->block.ommer_count = count;
    l->block.header.ommers_hash = kl_ommers_hash(ommers, count);
    CHECK_OK(kl_judge_body(&l->spec, &l->block, l->ancestors, 10, &l->arena, &broken));
    return broken;
}

KL_TEST(rules_take_ommers_up_to_six_blocks_back)
{
    struct line l;
    make_line(&l);
    for (usize age = 1; age <= 8; age++) {
        kl_header ommer = ommer_of(&l, age);
        CHECK_RULE(judge_ommers(&l, &ommer, 1), age <= 6 ? KL_RULE_NONE : KL_RULE_OMMER_PARENT);
    }
    kl_arena_done(&l.arena);
}

KL_TEST(rules_name_what_is_wrong_with_ommers)
{
    struct line l;
    make_line(&l);
    kl_header two[3] = {ommer_of(&l, 1), ommer_of(&l, 2), ommer_of(&l, 3)};
    CHECK_RULE(judge_ommers(&l, two, 2), KL_RULE_NONE);
    CHECK_RULE(judge_ommers(&l, two, 3), KL_RULE_OMMER_COUNT);
    two[1] = two[0];
    CHECK_RULE(judge_ommers(&l, two, 2), KL_RULE_OMMER_TWICE);
    kl_header ancestor = l.headers[1];
    CHECK_RULE(judge_ommers(&l, &ancestor, 1), KL_RULE_OMMER_ANCESTOR);
    kl_header child = l.block.header; /* the block's own sibling */
    child.coinbase.b[0] = 7;
    CHECK_RULE(judge_ommers(&l, &child, 1), KL_RULE_OMMER_PARENT);
    kl_header wrong = ommer_of(&l, 2);
    wrong.gas_used = wrong.gas_limit + 1;
    CHECK_RULE(judge_ommers(&l, &wrong, 1), KL_RULE_HEADER_GAS_USED);
    kl_header used = ommer_of(&l, 3);
    l.ancestors[1].ommers = &used;
    l.ancestors[1].ommer_count = 1;
    CHECK_RULE(judge_ommers(&l, &used, 1), KL_RULE_OMMER_TWICE);
    kl_arena_done(&l.arena);
}

KL_TEST(rules_name_what_is_wrong_with_a_body)
{
    struct kl_arena arena;
    kl_arena_init(&arena, 1 << 20);
    struct pair p = good_pair(KL_OSAKA);
    kl_withdrawal withdrawal = {.index = 1, .amount = 7};
    kl_block block = {.header = p.header, .has_withdrawals = true, .rlp_len = 1000};
    kl_rule broken;
    block.header.blob_gas_used = 0;
    block.header.transactions_root = kl_keccak_empty_rlp;
    block.header.withdrawals_root = kl_keccak_empty_rlp;
    CHECK_OK(kl_judge_body(&p.spec, &block, NULL, 0, &arena, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);

    block.rlp_len = p.spec.max_block_bytes + 1;
    CHECK_OK(kl_judge_body(&p.spec, &block, NULL, 0, &arena, &broken));
    CHECK_RULE(broken, KL_RULE_BODY_SIZE);
    block.rlp_len--;

    block.withdrawals = &withdrawal;
    block.withdrawal_count = 1;
    CHECK_OK(kl_judge_body(&p.spec, &block, NULL, 0, &arena, &broken));
    CHECK_RULE(broken, KL_RULE_BODY_WITHDRAWALS_ROOT);
    block.withdrawal_count = 0;

    block.has_withdrawals = false;
    CHECK_OK(kl_judge_body(&p.spec, &block, NULL, 0, &arena, &broken));
    CHECK_RULE(broken, KL_RULE_BODY_WITHDRAWALS);
    block.has_withdrawals = true;

    block.header.blob_gas_used = BLOB;
    CHECK_OK(kl_judge_body(&p.spec, &block, NULL, 0, &arena, &broken));
    CHECK_RULE(broken, KL_RULE_BODY_BLOB_GAS);
    block.header.blob_gas_used = 0;

    block.header.transactions_root.b[0] ^= 1;
    CHECK_OK(kl_judge_body(&p.spec, &block, NULL, 0, &arena, &broken));
    CHECK_RULE(broken, KL_RULE_BODY_TRANSACTIONS_ROOT);

    block.header.ommers_hash.b[0] ^= 1;
    CHECK_OK(kl_judge_body(&p.spec, &block, NULL, 0, &arena, &broken));
    CHECK_RULE(broken, KL_RULE_BODY_OMMERS_HASH);
    kl_arena_done(&arena);
}
