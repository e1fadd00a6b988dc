/* The validator contract on a chain: what its list becomes, block by block and epoch by epoch, and
 * that whoever follows the ledger comes to the same sets. */
#include "base/test.h"
#include "chain/authority_priv.h"
#include "chain/bft_world_priv.h"
#include "crypto/bls_sign.h"
#include "crypto/crypto.h"

enum { MINE = 6, AT_FIRST = 4, EPOCH_BLOCKS = 4, ADD = 0 };

struct story {
    struct kl_tx_source source; /* stands first: it is found by it */
    struct bft_world w;
    kl_secret32 operator_secret[MINE];
    u64 nonce[MINE];
    kl_policy_entry entries[MINE];
    u8 proofs[MINE][2][KL_VOTE_PROOF_MAX];
    const kl_tx *txs[8];
    usize count, taken;
    struct kl_buf alloc;
};

static struct story story;

static const kl_tx *next(struct kl_tx_source *source, KL_UNUSED u64 gas_left)
{
    struct story *s = (struct story *)source;
    return s->taken < s->count ? s->txs[s->taken++] : NULL;
}

static void done(KL_UNUSED struct kl_tx_source *source, KL_UNUSED const kl_tx *tx,
                 const kl_tx_result *result, kl_rule broken)
{
    CHECK_RULE(broken, KL_RULE_NONE);
    CHECK_U64(result->halt, KL_HALT_NONE);
}

/* Operators who can send transactions, and the contract with the first of them in its list. */
static void make_people(struct story *s)
{
    struct bft_world *w = &s->w;
    kl_pubkey pubkey;
    for (u32 i = 0; i < MINE; i++) {
        s->operator_secret[i] = (kl_secret32){.b = {[29] = 3, [31] = (u8)(i + 1)}};
        CHECK(kl_secp256k1_pubkey(&pubkey, &s->operator_secret[i]));
        w->validator[i].operator= kl_address_of_pubkey(&pubkey);
        bft_world_proofs(w, i, s->proofs[i][0], s->proofs[i][1]);
        s->entries[i] = (kl_policy_entry){
            .validator = w->validator[i],
            .key_proof = kl_span_of(s->proofs[i][0], w->scheme->proof_len),
            .randao_proof = kl_span_of(s->proofs[i][1], kl_randao_proof_len(w->scheme))};
    }
}

static void put_alloc(struct story *s)
{
    const kl_authority_genesis genesis = {s->w.scheme, KL_AUTHORITY_EJECT, s->entries, AT_FIRST};
    kl_alloc account;
    kl_rule broken;
    char text[43];
    CHECK_OK(kl_authority_account(&account, &genesis, &s->w.arena, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    kl_buf_init(&s->alloc, 1 << 20);
    kl_authority_put_alloc(&s->alloc, &account);
    for (u32 i = 0; i < MINE; i++) {
        kl_address_text(text, &s->w.validator[i].operator);
        kl_buf_print(&s->alloc, ",\"%s\":{\"balance\":\"0xde0b6b3a7640000\"}", text);
    }
    CHECK(!s->alloc.failed);
    s->w.policy_alloc = kl_buf_view(&s->alloc);
}

static void begin(struct story *s, u8 scheme)
{
    memset(s, 0, sizeof *s);
    s->source = (struct kl_tx_source){.next = next, .done = done};
    bft_world_init(&s->w, scheme, AT_FIRST, EPOCH_BLOCKS);
    make_people(s);
    put_alloc(s);
    s->w.source = &s->source;
    bft_world_begin(&s->w);
}

/* A transaction of an operator to the contract, for the next block. */
static void say(struct story *s, u32 who, kl_span input)
{
    struct bft_world *w = &s->w;
    kl_tx made = {.type = KL_TX_DYNAMIC_FEE,
                  .replay_safe = true,
                  .chain_id = kl_chain_spec(w->chain)->chain_id,
                  .nonce = s->nonce[who]++,
                  .gas_limit = 3000000,
                  .max_fee = kl_u256_of(5000000000),
                  .max_priority_fee = kl_u256_of(1000000000),
                  .has_to = true,
                  .to = bft_world_policy,
                  .data = input};
    kl_tx *tx = KL_ZERO(&w->arena, kl_tx, 1);
    kl_rule broken;
    CHECK(tx && s->count < KL_COUNT_OF(s->txs));
    CHECK_OK(kl_tx_sign(&made, &s->operator_secret[who], &w->arena));
    CHECK_OK(kl_tx_decode(tx, made.raw, KL_FORK_NEWEST, &w->arena, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    CHECK_RULE(kl_tx_recover(tx, KL_FORK_NEWEST), KL_RULE_NONE);
    s->txs[s->count++] = tx;
}

/* Builds the next block, judges its body as everybody else would, and takes it. */
static void block(struct story *s)
{
    struct bft_world *w = &s->w;
    struct kl_tip *head = kl_chain_head(w->chain), *judged;
    struct kl_tip *tip = bft_world_build(w, head, 0, 300);
    CHECK_U64(s->taken, s->count);
    CHECK_RULE(bft_world_judge(w, head, bft_world_body(w, tip), &judged), KL_RULE_NONE);
    CHECK(kl_hash_eq(&judged->epoch->set.hash, &tip->epoch->set.hash));
    CHECK(!tip->policy_failed && !judged->policy_failed);
    kl_tip_unref(tip);
    kl_tip_unref(head);
    bft_world_take(w, judged, true);
    s->count = s->taken = 0;
}

static void blocks(struct story *s, unsigned count)
{
    while (count--)
        block(s);
}

/* The validators of the epoch that the next block belongs to, by their numbers: "0135". */
static void check_set(struct story *s, const char *want)
{
    struct kl_tip *head = kl_chain_head(s->w.chain);
    const kl_valset *set = &head->epoch->set;
    CHECK_U64(set->count, strlen(want));
    for (u32 i = 0; i < set->count; i++) {
        const kl_validator *v = &s->w.validator[want[i] - '0'];
        CHECK(kl_address_eq(&set->validators[i].operator, & v->operator));
        CHECK(memcmp(set->validators[i].key, v->key, sizeof v->key) == 0);
    }
    kl_tip_unref(head);
}

static kl_span input_of(struct story *s, const char *function, usize count, const u64 *words)
{
    u8 *room = KL_TAKE(&s->w.arena, u8, 4 + count * KL_ABI_WORD);
    CHECK(room);
    kl_out out = kl_out_of(room, 4 + count * KL_ABI_WORD);
    kl_authority_put_function(&out, function);
    for (usize i = 0; i < count; i++)
        kl_abi_put_u64(&out, words[i]);
    return kl_out_done(&out);
}

static kl_span propose(struct story *s, unsigned kind, u32 target, u64 weight)
{
    u8 *room = KL_TAKE(&s->w.arena, u8, 4 + 3 * KL_ABI_WORD);
    CHECK(room);
    kl_out out = kl_out_of(room, 4 + 3 * KL_ABI_WORD);
    kl_authority_put_function(&out, "propose(uint8,address,uint64)");
    kl_abi_put_u64(&out, kind);
    kl_abi_put_address(&out, &s->w.validator[target].operator);
    kl_abi_put_u64(&out, weight);
    return kl_out_done(&out);
}

static kl_span ready(struct story *s, u32 who)
{
    u8 *room = KL_TAKE(&s->w.arena, u8, 1024);
    CHECK(room);
    kl_out out = kl_out_of(room, 1024);
    kl_authority_put_ready(&out, &s->entries[who], s->w.scheme);
    CHECK(!out.full);
    return kl_out_done(&out);
}

/* Two notarize votes of a validator of an epoch, for different blocks in one view. */
static kl_span report(struct story *s, u32 who, u64 epoch, const kl_valset *set, u32 place)
{
    const kl_vote_domain domain = kl_chain_vote_domain(s->w.chain);
    kl_vote_subject a = {KL_VOTE_NOTARIZE, {.epoch = epoch, .view = 2, .parent_view = 1}}, b = a;
    kl_evidence evidence;
    u8 *room = KL_TAKE(&s->w.arena, u8, KL_AUTHORITY_REPORT_MAX);
    CHECK(room);
    b.proposal.block_hash.b[0] = 1;
    CHECK(kl_vote_sign(&evidence.first, &a, place, s->w.scheme, &s->w.vote_secret[who], &domain));
    CHECK(kl_vote_sign(&evidence.second, &b, place, s->w.scheme, &s->w.vote_secret[who], &domain));
    CHECK_RULE(kl_evidence_check(&evidence, set, &domain), KL_RULE_NONE);
    kl_out out = kl_out_of(room, KL_AUTHORITY_REPORT_MAX);
    kl_authority_put_report(&out, &evidence, set);
    CHECK(!out.full);
    return kl_out_done(&out);
}

/* Epoch 0: person 5 is voted in and comes.  Epoch 1: person 2 equivocates and is reported.  Epoch
 * 2: what person 1 signed in epoch 1 comes to light. */
static void live(struct story *s)
{
    const u64 agree[] = {0, 1};
    check_set(s, "0123");
    say(s, 0, propose(s, ADD, 5, 1));
    block(s);
    say(s, 1, input_of(s, "vote(uint256,bool)", 2, agree));
    say(s, 2, input_of(s, "vote(uint256,bool)", 2, agree));
    say(s, 5, ready(s, 5));
    block(s);
    check_set(s, "0123"); /* an epoch ends first */
    blocks(s, EPOCH_BLOCKS - 2);
    check_set(s, "01235");
    struct kl_tip *head = kl_chain_head(s->w.chain);
    struct kl_epoch *one = kl_epoch_ref(head->epoch);
    kl_tip_unref(head);
    say(s, 3, report(s, 2, 1, &one->set, 2));
    block(s);
    check_set(s, "01235");
    blocks(s, EPOCH_BLOCKS - 1);
    check_set(s, "0135");
    say(s, 5, report(s, 1, 1, &one->set, 1));
    block(s);
    kl_epoch_unref(one);
}

KL_TEST(authority_story)
{
    for (usize i = 0; i < 2; i++) { /* scheme 2 needs Prague's built-in contracts */
        kl_verify_result result;
        begin(&story, bft_world_schemes[i]);
        live(&story);
        check_set(&story, "0135");
        bft_world_reopen(&story.w, true);
        check_set(&story, "0135");
        blocks(&story, EPOCH_BLOCKS - 1);
        check_set(&story, "035");
        blocks(&story, EPOCH_BLOCKS);
        check_set(&story, "035");
        bft_world_verify(&story.w, &result);
        CHECK(result.good && result.head.number == 16);
        bft_world_done(&story.w);
        kl_buf_done(&story.alloc);
    }
}
