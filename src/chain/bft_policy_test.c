/* The validator contract in the life of a chain: what it is told, what becomes of what it says, and
 * that nothing it does makes a block bad. */
#include "base/test.h"
#include "chain/bft_world_priv.h"
#include "chain/reader.h"
#include "crypto/keccak.h"

/* Code that stores the words it is called with in slots 0 to 5, how often in slot 6, who called in
 * slot 7; called with a selector alone, it returns answer. */
static kl_span contract(struct bft_world *w, kl_span answer)
{
    u8 *code = KL_TAKE(&w->arena, u8, 128 + answer.len);
    CHECK(code);
    kl_out out = kl_out_of(code, 128 + answer.len);
    static const u8 tail[] = {0x60, 6, 0x54, 0x60, 1, 0x01, 0x60, 6, 0x55, 0x33, 0x60, 7, 0x55, 0};
    enum { TOLD = 8 + 6 * 6, ASKED = TOLD + sizeof tail, ANSWER = ASKED + 14 };
    const u8 head[] = {0x36, 0x60, 4, 0x14, 0x61, 0, ASKED, 0x57};
    kl_out_bytes(&out, head, sizeof head);
    for (u8 i = 0; i < 6; i++) {
        const u8 store[] = {0x60, (u8)(4 + 32 * i), 0x35, 0x60, i, 0x55};
        kl_out_bytes(&out, store, sizeof store);
    }
    kl_out_bytes(&out, tail, sizeof tail);
    const u8 high = (u8)(answer.len >> 8), low = (u8)answer.len;
    const u8 give[] = {0x5b, 0x61, high, low,  0x61, 0,    ANSWER,
                       0x5f, 0x39, 0x61, high, low,  0x5f, 0xf3};
    kl_out_bytes(&out, give, sizeof give);
    kl_out_span(&out, answer);
    CHECK(!out.full);
    return kl_out_done(&out);
}

/* The first count validators, as the contract's list. */
static kl_span answer_of(struct bft_world *w, u32 count)
{
    static u8 proofs[BFT_WORLD_MAX][KL_VOTE_PROOF_MAX], randao[BFT_WORLD_MAX][KL_RANDAO_PROOF_LEN];
    kl_policy_entry entries[BFT_WORLD_MAX];
    for (u32 i = 0; i < count; i++) {
        bft_world_proofs(w, i, proofs[i], randao[i]);
        entries[i] = (kl_policy_entry){
            .validator = w->validator[i],
            .key_proof = kl_span_of(proofs[i], w->scheme->proof_len),
            .randao_proof = kl_span_of(randao[i], kl_randao_proof_len(w->scheme)),
        };
    }
    u8 *room = KL_TAKE(&w->arena, u8, KL_POLICY_ANSWER_MAX);
    CHECK(room);
    kl_out out = kl_out_of(room, KL_POLICY_ANSWER_MAX);
    kl_policy_put_answer(&out, entries, count, w->scheme);
    CHECK(!out.full);
    return kl_out_done(&out);
}

static kl_u256 slot_of(struct bft_world *w, const struct kl_tip *tip, u64 slot)
{
    struct kl_view *view;
    kl_u256 value;
    kl_hash account = kl_keccak256(kl_address_span(&bft_world_policy));
    kl_hash key = kl_u256_to_hash(kl_u256_of(slot));
    key = kl_keccak256(kl_hash_span(&key));
    CHECK_OK(kl_chain_view(w->chain, tip, &view));
    CHECK_OK(kl_view_slot(view, &account, &key, &value));
    kl_view_close(view);
    return value;
}

static void check_told(struct bft_world *w, const struct kl_tip *parent, const struct kl_tip *tip)
{
    const kl_consensus_header *h = &tip->consensus;
    const struct kl_epoch *epoch = parent->epoch;
    u32 leader = kl_valset_leader(&epoch->set, h->epoch, h->view);
    kl_u256 want[8] = {
        kl_u256_of(h->epoch),          kl_u256_of(h->view), kl_u256_of(h->parent_view),
        kl_u256_of(h->time_ms),        kl_u256_of(0),       kl_u256_from_hash(&epoch->set.hash),
        kl_u256_of(tip->header.number)};
    u8 word[32] = {0};
    memcpy(word + 12, epoch->validators[leader].operator.b, 20);
    want[4] = kl_u256_from_be(word);
    memset(word + 12, 0xff, 20);
    word[31] = 0xfe;
    want[7] = kl_u256_from_be(word);
    for (u64 slot = 0; slot < KL_COUNT_OF(want); slot++)
        CHECK(kl_u256_eq(slot_of(w, tip, slot), want[slot]));
}

/* One validator more is wanted, who is there from the second epoch on; then, to the end, the set
 * stays. */
KL_TEST(bft_policy_changes_the_set)
{
    for (usize i = 0; i < 3; i++) {
        struct bft_world w;
        kl_verify_result result;
        bft_world_init(&w, bft_world_schemes[i], 4, 2);
        w.policy_code = contract(&w, answer_of(&w, 5));
        bft_world_begin(&w);
        for (u64 number = 1; number <= 7; number++) {
            struct kl_tip *head = kl_chain_head(w.chain), *judged;
            struct kl_tip *tip = bft_world_build(&w, head, number % 2, 100);
            CHECK_RULE(bft_world_judge(&w, head, bft_world_body(&w, tip), &judged), KL_RULE_NONE);
            CHECK(kl_span_eq(kl_buf_view(&judged->record), kl_buf_view(&tip->record)));
            CHECK(head->epoch->set.count == (number <= 2 ? 4 : 5) && !tip->policy_failed);
            check_told(&w, head, judged);
            kl_tip_unref(judged);
            bft_world_take(&w, tip, true);
            kl_tip_unref(head);
            if (number % 3 == 0)
                bft_world_reopen(&w, number % 2);
        }
        bft_world_verify(&w, &result);
        CHECK(result.good && result.blocks == 7);
        bft_world_done(&w);
    }
}

KL_TEST(bft_policy_that_fails_changes_nothing)
{
    static const u8 invalid[] = {0xfe}, endless[] = {0x5b, 0x5f, 0x56};
    const kl_span bad[] = {KL_SPAN_OF(invalid), KL_SPAN_OF(endless), KL_SPAN_TEXT("\x5f\x5f\xfd")};
    for (usize i = 0; i < KL_COUNT_OF(bad) + 2; i++) {
        struct bft_world w;
        kl_verify_result result;
        bft_world_init(&w, KL_SCHEME_KEYED_HASH, 4, 2);
        if (i < KL_COUNT_OF(bad))
            w.policy_code = bad[i];
        else /* garbage, or nothing */
            w.policy_code =
                contract(&w, i == KL_COUNT_OF(bad) ? KL_SPAN_TEXT("abc") : KL_SPAN_NONE);
        bft_world_begin(&w);
        for (u64 number = 1; number <= 5; number++) {
            struct kl_tip *head = kl_chain_head(w.chain), *judged;
            struct kl_tip *tip = bft_world_build(&w, head, 1, 100);
            CHECK_RULE(bft_world_judge(&w, head, bft_world_body(&w, tip), &judged), KL_RULE_NONE);
            CHECK(tip->policy_failed == (number % 2 == 0));
            CHECK(judged->policy_failed == tip->policy_failed);
            CHECK(kl_hash_eq(&tip->epoch->set.hash, &head->epoch->set.hash));
            kl_tip_unref(judged);
            bft_world_take(&w, tip, true);
            kl_tip_unref(head);
        }
        bft_world_verify(&w, &result);
        CHECK(result.good && result.blocks == 5);
        bft_world_done(&w);
    }
}
