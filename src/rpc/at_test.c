/* Every way to name a block, and the state behind each name. */
#include <stdio.h>

#include "base/test.h"
#include "rpc/chain_rig_priv.h"

#define NOBODY     "0x00000000000000000000000000000000000000ee"
#define WORD(text) "0x000000000000000000000000000000000000000000000000000000000000" text
#define ERROR(why) "\"error\":{\"code\":-32000,\"message\":\"" why "\"}"

/* NOBODY has 1 wei after block 1, 3 after block 2, 6 after block 3. */
static void three_gifts(struct chain_rig *rig)
{
    const kl_address nobody = {{[19] = 0xee}};
    for (u64 i = 1; i <= 3; i++)
        chain_rig_send(rig, 0, &nobody, i, KL_SPAN_NONE);
}

struct hash_text {
    char b[67];
};

static struct hash_text hash_of(struct chain_rig *rig, unsigned number)
{
    struct hash_text out;
    kl_span block = chain_rig_result(rig, "eth_getBlockByNumber", "[\"0x%x\",false]", number);
    kl_span hash = chain_rig_member(rig, block, "hash");
    CHECK(hash.len == 66);
    (void)snprintf(out.b, sizeof out.b, "%.*s", (int)hash.len, (const char *)hash.p);
    return out;
}

static void check_balance(struct chain_rig *rig, const char *block, const char *want)
{
    chain_rig_askf(rig, "eth_getBalance", "[\"" NOBODY "\"%s%s]", *block ? "," : "", block);
    chain_rig_answered(rig, want);
}

KL_TEST(a_state_has_many_names)
{
    struct chain_rig rig;
    char text[160];
    chain_rig_init(&rig);
    three_gifts(&rig);
    struct hash_text one = hash_of(&rig, 1);
    static const struct {
        const char *block, *want;
    } rows[] = {
        {"", "\"result\":\"0x6\""},
        {"null", "\"result\":\"0x6\""},
        {"\"latest\"", "\"result\":\"0x6\""},
        {"\"safe\"", "\"result\":\"0x6\""},
        {"\"finalized\"", "\"result\":\"0x6\""},
        {"\"pending\"", "\"result\":\"0x6\""},
        {"\"earliest\"", "\"result\":\"0x0\""},
        {"\"0x2\"", "\"result\":\"0x3\""},
        {"{\"blockNumber\":\"0x2\"}", "\"result\":\"0x3\""},
        {"\"0x4\"", ERROR("header not found")},
        {"\"" WORD("1234") "\"", ERROR("header for hash not found")},
        {"{\"blockHash\":\"" WORD("1234") "\"}", ERROR("header for hash not found")},
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++)
        check_balance(&rig, rows[i].block, rows[i].want);
    (void)snprintf(text, sizeof text, "\"%s\"", one.b);
    check_balance(&rig, text, "\"result\":\"0x1\"");
    (void)snprintf(text, sizeof text, "{\"blockHash\":\"%s\"}", one.b);
    check_balance(&rig, text, "\"result\":\"0x1\"");
    (void)snprintf(text, sizeof text, "{\"blockHash\":\"%s\",\"requireCanonical\":true}", one.b);
    check_balance(&rig, text, "\"result\":\"0x1\"");
    chain_rig_done(&rig);
}

/* A block that was taken back has no name any more, even where another has its number. */
KL_TEST(a_block_that_was_taken_back_is_not_found)
{
    struct chain_rig rig;
    char text[80];
    chain_rig_init(&rig);
    chain_rig_result(&rig, "evm_snapshot", "[]");
    three_gifts(&rig);
    struct hash_text two = hash_of(&rig, 2);
    chain_rig_result(&rig, "evm_revert", "[\"0x1\"]");
    (void)snprintf(text, sizeof text, "\"%s\"", two.b);
    check_balance(&rig, text, ERROR("header for hash not found"));
    rig.time = 5000;
    three_gifts(&rig);
    check_balance(&rig, text, ERROR("header for hash not found"));
    check_balance(&rig, "\"0x2\"", "\"result\":\"0x3\"");
    chain_rig_askf(&rig, "eth_getBlockByHash", "[\"%s\",false]", two.b);
    chain_rig_answered(&rig, "\"result\":null");
    chain_rig_done(&rig);
}

/* What a dev operation sets holds at the newest block, and not at the ones before it. */
KL_TEST(a_dev_operation_is_part_of_its_blocks_state)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    three_gifts(&rig);
    chain_rig_result(&rig, "anvil_setBalance", "[\"" NOBODY "\",\"0x100\"]");
    check_balance(&rig, "\"latest\"", "\"result\":\"0x100\"");
    check_balance(&rig, "\"0x3\"", "\"result\":\"0x100\"");
    check_balance(&rig, "\"0x2\"", "\"result\":\"0x3\"");
    chain_rig_mine(&rig);
    check_balance(&rig, "\"0x3\"", "\"result\":\"0x100\"");
    chain_rig_done(&rig);
}

KL_TEST(slots_have_many_spellings)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    chain_rig_code(&rig, RIG_C, "00");
    chain_rig_result(&rig, "anvil_setStorageAt", "[\"" RIG_C "\",\"0x1\",\"" WORD("00ff") "\"]");
    static const char *const spellings[] = {"0x1", "0x01", "1",
                                            "0x"
                                            "0000000001",
                                            WORD("0001")};
    for (usize i = 0; i < KL_COUNT_OF(spellings); i++) {
        chain_rig_askf(&rig, "eth_getStorageAt", "[\"" RIG_C "\",\"%s\",\"latest\"]", spellings[i]);
        chain_rig_answered(&rig, "\"result\":\"" WORD("00ff") "\"");
    }
    chain_rig_check(&rig, "eth_getStorageAt", "[\"" RIG_C "\",\"0x\"]",
                    "\"result\":\"" WORD("0000") "\"");
    /* a proof gives a key back as it was given: a number, or a word */
    kl_span proof = chain_rig_result(&rig, "eth_getProof", "[\"" RIG_C "\",[\"0x01\"],\"latest\"]");
    kl_span list = chain_rig_member(&rig, proof, "storageProof");
    kl_span slot = kl_span_sub(list, 1, list.len - 2);
    CHECK_SPAN(chain_rig_member(&rig, slot, "key"), KL_SPAN_TEXT("0x1"));
    CHECK_SPAN(chain_rig_member(&rig, slot, "value"), KL_SPAN_TEXT("0xff"));
    CHECK(chain_rig_count(&rig, chain_rig_member(&rig, slot, "proof")) == 1);
    proof = chain_rig_result(&rig, "eth_getProof", "[\"" RIG_C "\",[\"" WORD("0001") "\"]]");
    list = chain_rig_member(&rig, proof, "storageProof");
    slot = kl_span_sub(list, 1, list.len - 2);
    CHECK_SPAN(chain_rig_member(&rig, slot, "key"), KL_SPAN_TEXT(WORD("0001")));
    chain_rig_done(&rig);
}
