/* Running without sending, over a chain. */
#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "rpc/chain_rig_priv.h"

/* With input: slot 0 = its first word; without: returns slot 0. */
#define CELL "3615600a575f355f55005b5f545f5260205ff3"
/* Returns the word that an instruction pushes. */
#define PUSHED(op)   op "5f5260205ff3"
#define WORD(byte)   "0x00000000000000000000000000000000000000000000000000000000000000" byte
#define RESULT(byte) "\"result\":\"" WORD(byte) "\""

#define CODE_C(code)                "{\"" RIG_C "\":{\"code\":\"0x" code "\"}}"
#define CALL_C_AT(block, overrides) "[{\"to\":\"" RIG_C "\"}," block "," overrides "]"
#define CALL_C(overrides)           CALL_C_AT("\"latest\"", overrides)

KL_TEST(eth_call_runs_and_changes_nothing)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    chain_rig_code(&rig, RIG_C, CELL);
    for (int i = 0; i < 2; i++)
        chain_rig_check(&rig, "eth_call", "[{\"to\":\"" RIG_C "\",\"input\":\"" WORD("07") "\"}]",
                        "\"result\":\"0x\"");
    chain_rig_check(&rig, "eth_call", "[{\"to\":\"" RIG_C "\"}]", RESULT("00"));
    /* a creation returns what it deploys */
    chain_rig_check(&rig, "eth_call", "[{\"data\":\"0x60aa5f5360015ff3\"}]", "\"result\":\"0xaa\"");
    chain_rig_check(&rig, "eth_call", "[{\"to\":\"" RIG_D "\",\"data\":\"0x0102\"}]",
                    "\"result\":\"0x\"");
    chain_rig_done(&rig);
}

KL_TEST(eth_call_sees_the_block_it_names)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    chain_rig_code(&rig, RIG_C, CELL);
    for (unsigned i = 1; i <= 3; i++)
        chain_rig_askf(&rig, "eth_sendTransaction",
                       "[{\"to\":\"" RIG_C "\",\"data\":\"0x%064x\",\"gas\":\"0x15f90\"}]", i);
    for (unsigned i = 0; i <= 3; i++) {
        char want[100];
        snprintf(want, sizeof want, "\"result\":\"0x%064x\"", i);
        chain_rig_askf(&rig, "eth_call", "[{\"to\":\"" RIG_C "\"},\"0x%x\"]", i);
        chain_rig_answered(&rig, want);
        chain_rig_askf(&rig, "eth_call",
                       "[{\"to\":\"" RIG_C "\"},\"0x%x\"," CODE_C(PUSHED("43")) "]", i);
        chain_rig_answered(&rig, want);
    }
    chain_rig_check(&rig, "eth_call", CALL_C_AT("\"pending\"", CODE_C(PUSHED("43"))), RESULT("04"));
    chain_rig_check(&rig, "eth_call", CALL_C_AT("\"pending\"", "{}"), RESULT("03"));
    chain_rig_check(&rig, "eth_call", CALL_C_AT("\"earliest\"", "{}"), RESULT("00"));
    chain_rig_check(&rig, "eth_call", CALL_C_AT("\"0x4\"", "{}"),
                    "\"error\":{\"code\":-32000,\"message\":\"header not found\"}");
    chain_rig_done(&rig);
}

KL_TEST(eth_call_state_overrides)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    chain_rig_code(&rig, RIG_C, CELL);
    chain_rig_askf(&rig, "eth_sendTransaction",
                   "[{\"to\":\"" RIG_C "\",\"data\":\"" WORD("05") "\",\"gas\":\"0x15f90\"}]");
    chain_rig_check(&rig, "eth_call", CALL_C("{}"), RESULT("05"));
    chain_rig_check(&rig, "eth_call", CALL_C("null"), RESULT("05"));
    chain_rig_check(&rig, "eth_call", CALL_C("{\"" RIG_C "\":{\"stateDiff\":{\"0x0\":\"0x9\"}}}"),
                    RESULT("09"));
    chain_rig_check(&rig, "eth_call",
                    CALL_C("{\"" RIG_C "\":{\"stateDiff\":{\"" WORD("01") "\":\"0x9\"}}}"),
                    RESULT("05"));
    chain_rig_check(&rig, "eth_call",
                    CALL_C("{\"" RIG_C "\":{\"state\":{\"" WORD("01") "\":\"0x9\"}}}"),
                    RESULT("00"));
    chain_rig_check(&rig, "eth_call",
                    CALL_C("{\"" RIG_C "\":{\"state\":{\"" WORD("00") "\":\"0x8\"}}}"),
                    RESULT("08"));
    chain_rig_check(&rig, "eth_call",
                    CALL_C("{\"" RIG_C "\":{\"balance\":\"0x7\",\"code\":\"0x" PUSHED("47") "\"}}"),
                    RESULT("07")); /* SELFBALANCE */
    chain_rig_check(&rig, "eth_call",
                    "[{\"from\":\"" RIG_D "\",\"to\":\"" RIG_C "\",\"value\":\"0x6\"},\"latest\","
                    "{\"" RIG_D "\":{\"balance\":\"0x6\"},\"" RIG_C
                    "\":{\"code\":\"0x" PUSHED("34") "\"}}]",
                    RESULT("06")); /* CALLVALUE */
    /* where a creation goes tells the sender's nonce: ADDRESS, of 0x…dd's fifth creation */
    chain_rig_check(
        &rig, "eth_call",
        "[{\"from\":\"" RIG_D "\",\"data\":\"0x" PUSHED("30") "\"},\"latest\","
                                                              "{\"" RIG_D
                                                              "\":{\"nonce\":\"0x4\"}}]",
        "\"result\":\"0x0000000000000000000000004a7f8dc89f972aca9d95939669fa948620da64d7\"");
    chain_rig_check(&rig, "eth_call", CALL_C("{}"), RESULT("05"));
    chain_rig_done(&rig);
}

#define REFUSED(why) "\"error\":{\"code\":-32602,\"message\":\"invalid argument 2: " why "\"}"

KL_TEST(eth_call_refuses_bad_overrides)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    chain_rig_check(&rig, "eth_call", CALL_C("[]"), REFUSED("object expected"));
    chain_rig_check(&rig, "eth_call", CALL_C("{\"0x12\":{}}"),
                    REFUSED("hex string of odd or wrong length"));
    chain_rig_check(&rig, "eth_call", CALL_C("{\"" RIG_C "\":7}"), REFUSED("object expected"));
    chain_rig_check(&rig, "eth_call", CALL_C("{\"" RIG_C "\":{\"state\":{},\"stateDiff\":{}}}"),
                    REFUSED("account has both 'state' and 'stateDiff'"));
    chain_rig_check(&rig, "eth_call", CALL_C("{\"" RIG_C "\":{\"state\":[]}}"),
                    REFUSED("state: object expected"));
    chain_rig_check(&rig, "eth_call", CALL_C("{\"" RIG_C "\":{\"state\":{\"x\":\"0x1\"}}}"),
                    REFUSED("state: hex string without 0x prefix"));
    chain_rig_check(&rig, "eth_call", CALL_C("{\"" RIG_C "\":{\"nonce\":\"0x10000000000000000\"}}"),
                    REFUSED("nonce: hex number > 64 bits"));
    chain_rig_check(&rig, "eth_call",
                    CALL_C("{\"" RIG_C "\":{\"movePrecompileToAddress\":\"" RIG_D "\"}}"),
                    REFUSED("movePrecompileToAddress is not supported"));
    chain_rig_done(&rig);
}

KL_TEST(eth_call_block_overrides)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
#define ASK(op, block) CALL_C(CODE_C(PUSHED(op)) "," block)
    chain_rig_check(&rig, "eth_call", ASK("43", "{\"number\":\"0x11\"}"), RESULT("11"));
    chain_rig_check(&rig, "eth_call", ASK("42", "{\"time\":\"0x12\"}"), RESULT("12"));
    chain_rig_check(&rig, "eth_call", ASK("45", "{\"gasLimit\":\"0x13\"}"), RESULT("13"));
    chain_rig_check(&rig, "eth_call", ASK("41", "{\"feeRecipient\":\"" RIG_C "\"}"), RESULT("cc"));
    chain_rig_check(&rig, "eth_call", ASK("41", "{\"coinbase\":\"" RIG_C "\"}"), RESULT("cc"));
    chain_rig_check(&rig, "eth_call", ASK("44", "{\"prevRandao\":\"0x14\"}"), RESULT("14"));
    chain_rig_check(&rig, "eth_call", ASK("4a", "{\"blobBaseFee\":\"0x15\"}"), RESULT("15"));
    chain_rig_check(&rig, "eth_call", ASK("4a", "{}"), RESULT("01"));
    chain_rig_check(&rig, "eth_call", ASK("48", "{\"baseFeePerGas\":\"0x16\"}"), RESULT("00"));
    chain_rig_askf(
        &rig, "eth_call",
        "[{\"from\":\"%s\",\"to\":\"" RIG_C
        "\",\"gasPrice\":\"0x20\"},\"latest\"," CODE_C(PUSHED("48")) ",{\"baseFee\":\"0x16\"}]",
        rig.text[0]);
    chain_rig_answered(&rig, RESULT("16"));
    /* hashes of blocks that are not there */
    chain_rig_check(&rig, "eth_call", ASK("60ff40", "{\"number\":\"0x100\"}"), RESULT("00"));
#undef ASK
    chain_rig_done(&rig);
}

#define ERROR(why) "\"error\":{\"code\":-32000,\"message\":\"" why "\"}"

KL_TEST(eth_call_says_why_it_failed)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    chain_rig_check(&rig, "eth_call", CALL_C(CODE_C("5f5ffd")),
                    "\"error\":{\"code\":3,\"message\":\"execution reverted\",\"data\":\"0x\"}");
    /* mstore the head of Error("no"), in four pieces */
    chain_rig_check(
        &rig, "eth_call",
        CALL_C(CODE_C("6308c379a060e01b5f52602060045260026024526"
                      "16e6f60f01b60445260645ffd")),
        "\"error\":{\"code\":3,\"message\":\"execution reverted: no\",\"data\":\"0x08c379a0"
        "0000000000000000000000000000000000000000000000000000000000000020"
        "0000000000000000000000000000000000000000000000000000000000000002"
        "6e6f000000000000000000000000000000000000000000000000000000000000\"}");
    chain_rig_check(&rig, "eth_call", CALL_C(CODE_C("fe")), ERROR("invalid opcode"));
    chain_rig_check(&rig, "eth_call", CALL_C(CODE_C("5f56")), ERROR("invalid jump destination"));
    chain_rig_check(&rig, "eth_call", CALL_C(CODE_C("50")), ERROR("stack underflow"));
    chain_rig_check(&rig, "eth_call", CALL_C(CODE_C("5b5f56")), ERROR("out of gas"));
    chain_rig_check(&rig, "eth_call", "[{\"to\":\"" RIG_C "\",\"gas\":\"0x5207\"}]",
                    ERROR("err: intrinsic gas too low: have 20999, want 21000 (supplied gas "
                          "20999)"));
    chain_rig_check(&rig, "eth_call",
                    "[{\"from\":\"" RIG_D "\",\"to\":\"" RIG_C "\",\"value\":\"0x1\"}]",
                    ERROR("err: insufficient funds for gas * price + value: address "
                          "0x00000000000000000000000000000000000000dd have 0 want 1 (supplied gas "
                          "50000000)"));
    chain_rig_check(&rig, "eth_call",
                    "[{\"from\":\"" RIG_D "\",\"to\":\"" RIG_C "\",\"gasPrice\":\"0x1\"}]",
                    ERROR("err: max fee per gas less than block base fee: address "
                          "0x00000000000000000000000000000000000000dd, maxFeePerGas: 1, baseFee: "
                          "1000000000 (supplied gas 50000000)"));
    chain_rig_check(&rig, "eth_call", "[{\"to\":\"" RIG_C "\",\"maxPriorityFeePerGas\":\"0x1\"}]",
                    ERROR("err: max priority fee per gas higher than max fee per gas: address "
                          "0x0000000000000000000000000000000000000000, maxPriorityFeePerGas: 1, "
                          "maxFeePerGas: 0 (supplied gas 50000000)"));
    chain_rig_check(&rig, "eth_call", "[{\"to\":\"" RIG_C "\",\"chainId\":\"0x1\"}]",
                    ERROR("chainId does not match node's (have=1, want=31337)"));
    chain_rig_done(&rig);
}

KL_TEST(eth_call_stops_when_its_time_is_up)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    chain_rig_check(&rig, "eth_call", CALL_C("{}"), "\"result\":\"0x\"");
    kl_rpc_worker_expire(&rig.worker, rig.worker.number + 1);
    chain_rig_check(&rig, "eth_call", CALL_C("{}"), ERROR("execution aborted (timeout = 5s)"));
    chain_rig_check(&rig, "eth_call", CALL_C("{}"), "\"result\":\"0x\"");
    chain_rig_done(&rig);
}

/* The number in "\"result\":\"0x…\"". */
static u64 quantity(kl_span answer)
{
    static const char head[] = "\"result\":\"0x";
    char text[32] = {0};
    CHECK_SPAN(kl_span_sub(answer, 0, sizeof head - 1), KL_SPAN_TEXT(head));
    CHECK(answer.len > sizeof head && answer.len - sizeof head < sizeof text);
    memcpy(text, answer.p + sizeof head - 1, answer.len - sizeof head);
    return strtoull(text, NULL, 16);
}

KL_TEST(eth_estimate_gas_of_transfers)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    chain_rig_check(&rig, "eth_estimateGas", "[{\"to\":\"" RIG_C "\"}]", "\"result\":\"0x5208\"");
    CHECK_U64(quantity(chain_rig_ask(&rig, "eth_estimateGas",
                                     "[{\"to\":\"" RIG_C "\",\"accessList\":[{\"address\":\"" RIG_D
                                     "\",\"storageKeys\":[]}]}]")),
              23737); /* 21,000 + 2,400, and 1.5 % that the search leaves */
    chain_rig_check(&rig, "eth_estimateGas",
                    "[{\"from\":\"" RIG_D "\",\"to\":\"" RIG_C "\",\"value\":\"0x1\"}]",
                    ERROR("failed with 16777216 gas: insufficient funds for gas * price + value: "
                          "address 0x00000000000000000000000000000000000000dd have 0 want 1"));
    chain_rig_check(&rig, "eth_estimateGas",
                    "[{\"from\":\"" RIG_D "\",\"to\":\"" RIG_C "\",\"value\":\"0x1\"},\"latest\","
                    "{\"" RIG_D "\":{\"balance\":\"0x1\"}}]",
                    "\"result\":\"0x5208\"");
    chain_rig_done(&rig);
}

/* The estimate is enough, and a fiftieth less is not. */
static void check_tight(struct chain_rig *rig, const char *call)
{
    u64 gas = quantity(chain_rig_askf(rig, "eth_estimateGas", "[{%s}]", call));
    chain_rig_askf(rig, "eth_call", "[{%s,\"gas\":\"0x%llx\"}]", call, (unsigned long long)gas);
    chain_rig_answered(rig, "\"result\":\"0x\"");
    kl_span less = chain_rig_askf(rig, "eth_call", "[{%s,\"gas\":\"0x%llx\"}]", call,
                                  (unsigned long long)(gas - gas / 50));
    CHECK(less.p[1] == 'e');
}

KL_TEST(eth_estimate_gas_is_enough_and_tight)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    /* slot 0 = input; and from 0x…dd a call of it with all gas there is, which must succeed */
    chain_rig_code(&rig, RIG_C, "5f355f5500");
    chain_rig_code(&rig, RIG_D, "365f5f375f5f365f5f60cc5af1601157fe5b00");
    check_tight(&rig, "\"to\":\"" RIG_C "\",\"data\":\"" WORD("01") "\"");
    check_tight(&rig, "\"to\":\"" RIG_D "\",\"data\":\"" WORD("01") "\"");
    /* clearing refunds at the end what must be there before */
    chain_rig_askf(&rig, "eth_sendTransaction",
                   "[{\"to\":\"" RIG_C "\",\"data\":\"" WORD("05") "\",\"gas\":\"0x15f90\"}]");
    check_tight(&rig, "\"to\":\"" RIG_C "\",\"data\":\"" WORD("00") "\"");
    check_tight(&rig, "\"to\":\"" RIG_D "\",\"data\":\"" WORD("00") "\"");
    chain_rig_done(&rig);
}

KL_TEST(eth_estimate_gas_of_what_cannot_succeed)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    chain_rig_code(&rig, RIG_C, "5f5ffd");
    chain_rig_check(&rig, "eth_estimateGas", "[{\"to\":\"" RIG_C "\"}]",
                    "\"error\":{\"code\":3,\"message\":\"execution reverted\",\"data\":\"0x\"}");
    chain_rig_code(&rig, RIG_C, "fe");
    chain_rig_check(&rig, "eth_estimateGas", "[{\"to\":\"" RIG_C "\"}]", ERROR("invalid opcode"));
    chain_rig_code(&rig, RIG_C, "5b5f56");
    chain_rig_check(&rig, "eth_estimateGas", "[{\"to\":\"" RIG_C "\"}]",
                    ERROR("gas required exceeds allowance (16777216)"));
    chain_rig_check(&rig, "eth_estimateGas", "[{\"to\":\"" RIG_C "\",\"gas\":\"0x7530\"}]",
                    ERROR("gas required exceeds allowance (30000)"));
    /* 1 ether buys 10^18 / 2^45 gas */
    chain_rig_askf(&rig, "eth_estimateGas",
                   "[{\"from\":\"%s\",\"to\":\"" RIG_C "\",\"maxFeePerGas\":\"0x200000000000\"}]",
                   rig.text[1]);
    chain_rig_answered(&rig, ERROR("gas required exceeds allowance (28421)"));
    chain_rig_askf(&rig, "eth_estimateGas",
                   "[{\"from\":\"%s\",\"to\":\"" RIG_C "\",\"maxFeePerGas\":\"0x200000000000\","
                   "\"value\":\"0xde0b6b3a7640000\"}]",
                   rig.text[1]);
    chain_rig_answered(&rig, ERROR("insufficient funds for transfer"));
    chain_rig_done(&rig);
}

KL_TEST(eth_create_access_list_finds_what_is_touched)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    /* slot 1 = slot 0 + balance of 0x…dd + size of a precompile's code; then calls 0x…ee */
    chain_rig_code(&rig, RIG_C, "5f5460dd310160043b016001555f5f5f5f5f60ee5af100");
    chain_rig_ask(&rig, "eth_createAccessList", "[{\"to\":\"" RIG_C "\"}]");
    chain_rig_answered(
        &rig, "\"result\":{\"accessList\":[{\"address\":\"" RIG_C
              "\",\"storageKeys\":[\"" WORD("00") "\",\"" WORD(
                  "01") "\"]},{\"address\":\"" RIG_D "\",\"storageKeys\":[]},{\"address\":"
                        "\"0x00000000000000000000000000000000000000ee\",\"storageKeys\":[]}],"
                        "\"gasUsed\":\"0x7f14\"}");
    chain_rig_check(&rig, "eth_createAccessList", "[{\"to\":\"" RIG_D "\"}]",
                    "\"result\":{\"accessList\":[],\"gasUsed\":\"0x5208\"}");
    chain_rig_code(&rig, RIG_C, "5f545f5ffd");
    chain_rig_check(&rig, "eth_createAccessList", "[{\"to\":\"" RIG_C "\"}]",
                    "\"result\":{\"accessList\":[{\"address\":\"" RIG_C
                    "\",\"storageKeys\":[\"" WORD("00") "\"]}],\"error\":\"execution reverted\","
                                                        "\"gasUsed\":\"0x633e\"}");
    chain_rig_done(&rig);
}
