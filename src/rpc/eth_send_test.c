/* Sending and signing, over a chain. */
#include <stdio.h>

#include "base/test.h"
#include "codec/hex.h"
#include "crypto/address.h"
#include "crypto/keccak.h"
#include "rpc/chain_rig_priv.h"

#define ERROR(why) "\"error\":{\"code\":-32000,\"message\":\"" why "\"}"

/* A signed transaction of account 0 that pays for itself; tests change it before signing. */
static kl_tx plain(void)
{
    return (kl_tx){
        .type = KL_TX_DYNAMIC_FEE,
        .replay_safe = true,
        .chain_id = 31337,
        .gas_limit = 21000,
        .max_fee = kl_u256_of(2000000000),
        .max_priority_fee = kl_u256_of(1000000000),
        .value = KL_U256_ONE,
        .has_to = true,
        .to = {.b = {[19] = 0xcc}},
    };
}

static void send_raw(struct chain_rig *rig, kl_span raw)
{
    static char params[4096];
    CHECK(2 * raw.len + 8 < sizeof params);
    memcpy(params, "[\"0x", 4);
    kl_hex_digits(params + 4, raw);
    memcpy(params + 4 + 2 * raw.len, "\"]", 3);
    chain_rig_ask(rig, "eth_sendRawTransaction", params);
}

static void sign_and_send(struct chain_rig *rig, kl_tx *tx)
{
    kl_secret32 key = {.b = {[31] = 1}};
    CHECK_OK(kl_tx_sign(tx, &key, &rig->arena));
    send_raw(rig, tx->raw);
}

/* The last answer is the hash of tx. */
static void accepted(struct chain_rig *rig, const kl_tx *tx)
{
    char want[100] = "\"result\":\"0x";
    usize len = strlen(want);
    kl_hex_digits(want + len, kl_hash_span(&tx->hash));
    memcpy(want + len + 64, "\"", 2);
    chain_rig_answered(rig, want);
}

KL_TEST(eth_send_raw_transaction_of_each_type)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    kl_access access = {.address = {.b = {[19] = 0xdd}}};
    kl_authorization authorization = {.address = {.b = {[19] = 0xdd}}};
    for (u8 type = KL_TX_LEGACY; type <= KL_TX_SET_CODE; type++) {
        kl_tx tx = plain();
        tx.type = type;
        tx.nonce = type > KL_TX_BLOB ? type - 1u : type;
        tx.gas_limit = 100000;
        if (type < KL_TX_DYNAMIC_FEE)
            tx.max_priority_fee = tx.max_fee;
        if (type >= KL_TX_ACCESS_LIST) {
            tx.access_list = &access;
            tx.access_count = 1;
        }
        if (type == KL_TX_SET_CODE) {
            tx.authorizations = &authorization;
            tx.authorization_count = 1;
        }
        sign_and_send(&rig, &tx);
        if (type == KL_TX_BLOB)
            chain_rig_answered(&rig, ERROR("blob transactions are not carried by this node"));
        else
            accepted(&rig, &tx);
    }
    chain_rig_check(&rig, "eth_getBalance", "[\"" RIG_C "\",\"latest\"]", "\"result\":\"0x4\"");
    chain_rig_done(&rig);
}

/* From before EIP-155: such transactions have made contracts stand at one address on all chains. */
KL_TEST(eth_send_raw_transaction_without_chain_id)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    kl_tx tx = plain();
    tx.type = KL_TX_LEGACY;
    tx.replay_safe = false;
    tx.chain_id = 0;
    tx.max_priority_fee = tx.max_fee;
    sign_and_send(&rig, &tx);
    accepted(&rig, &tx);
    chain_rig_done(&rig);
}

KL_TEST(eth_send_raw_transaction_refuses_bytes)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
#define RAW(hex, why) chain_rig_check(&rig, "eth_sendRawTransaction", "[\"0x" hex "\"]", ERROR(why))
    RAW("", "typed transaction too short");
    RAW("02", "typed transaction too short");
    RAW("03c0", "blob transactions are not carried by this node");
    RAW("05c0", "transaction type not supported");
    RAW("7fc0", "transaction type not supported");
    RAW("80", "transaction type not supported");
    RAW("c0", "rlp: list has the wrong number of items");
    RAW("02c0", "rlp: list has the wrong number of items");
    RAW("f8", "rlp: input ends inside an item");
    RAW("c000", "rlp: bytes after the end of the item");
#undef RAW
    chain_rig_check(
        &rig, "eth_sendRawTransaction", "[\"0x0\"]",
        "\"error\":{\"code\":-32602,\"message\":\"invalid argument 0: hex string of odd "
        "length\"}");
    chain_rig_done(&rig);
}

KL_TEST(eth_send_raw_transaction_refuses_senders)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    kl_tx tx = plain();
    tx.chain_id = 1;
    sign_and_send(&rig, &tx);
    chain_rig_answered(&rig, ERROR("invalid sender: invalid chain id for signer: have 1 want "
                                   "31337"));
    tx = plain();
    u8 raw[300];
    tx.signature = (kl_signature){.r = kl_u256_from_address(&rig.account[0])};
    kl_out out = kl_out_of(raw, sizeof raw); /* what impersonation makes, from outside */
    kl_tx_encode(&out, &tx);
    send_raw(&rig, kl_out_done(&out));
    chain_rig_answered(&rig, ERROR("invalid sender: invalid transaction v, r, s values"));
    chain_rig_done(&rig);
}

KL_TEST(eth_send_raw_transaction_says_what_is_wrong_in_numbers)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    kl_tx first = plain(), tx = plain();
    sign_and_send(&rig, &first);
    accepted(&rig, &first);
    sign_and_send(&rig, &tx);
    chain_rig_answered(&rig, ERROR("nonce too low: next nonce 1, tx nonce 0"));
    tx = plain();
    tx.nonce = 1;
    tx.max_fee = tx.max_priority_fee = KL_U256_ONE;
    sign_and_send(&rig, &tx);
    chain_rig_askf(&rig, "eth_gasPrice", "[]");
    sign_and_send(&rig, &tx);
    char want[300];
    snprintf(want, sizeof want,
             ERROR("max fee per gas less than block base fee: address %s, maxFeePerGas: 1, "
                   "baseFee: 765778125"),
             rig.text[0]);
    chain_rig_answered(&rig, want);
    static const struct {
        kl_rule rule;
        const char *want;
    } pool[] = {
        {KL_RULE_POOL_KNOWN, ERROR("already known")},
        {KL_RULE_POOL_REPLACE_UNDERPRICED, ERROR("replacement transaction underpriced")},
        {KL_RULE_POOL_FULL, ERROR("txpool is full")},
        {KL_RULE_POOL_UNDERPRICED, ERROR("transaction underpriced")},
        {KL_RULE_POOL_FUTURE, ERROR("future transaction tries to replace pending")},
        {KL_RULE_BLOCK_GAS, ERROR("exceeds block gas limit")},
        {KL_RULE_TX_NONCE_HIGH, ERROR("nonce too high: tx nonce 1, account nonce 1")},
        {KL_RULE_TX_INTRINSIC_GAS, ERROR("intrinsic gas too low: gas 21000, minimum needed 21000")},
        {KL_RULE_TX_FLOOR_GAS,
         ERROR("insufficient gas for floor data gas cost: gas 21000, minimum needed 21000")},
        {KL_RULE_TX_GAS_CAP, ERROR("transaction gas limit too high (cap: 16777216, tx: 21000)")},
        {KL_RULE_TX_FUNDS, ERROR("insufficient funds for gas * price + value")},
    };
    tx = plain();
    tx.nonce = 1;
    for (usize i = 0; i < KL_COUNT_OF(pool); i++) {
        rig.refusal = pool[i].rule;
        sign_and_send(&rig, &tx);
        if (pool[i].rule == KL_RULE_TX_NONCE_HIGH) /* the account has come up to it meanwhile */
            chain_rig_answered(&rig, ERROR("nonce too high"));
        else
            chain_rig_answered(&rig, pool[i].want);
    }
    tx.value = kl_u256_of(2000000000000000000);
    rig.refusal = KL_RULE_TX_FUNDS;
    sign_and_send(&rig, &tx);
    chain_rig_answered(&rig, ERROR("insufficient funds for gas * price + value: balance "
                                   "999960624999999999, tx cost 2000042000000000000, overshot "
                                   "1000081375000000001"));
    chain_rig_done(&rig);
}

KL_TEST(eth_send_transaction_fills_what_is_missing)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    chain_rig_ask(&rig, "eth_sendTransaction", "[{\"to\":\"" RIG_C "\",\"value\":\"0x5\"}]");
    chain_rig_ask(&rig, "eth_getTransactionByBlockNumberAndIndex", "[\"0x1\",\"0x0\"]");
    kl_span answer = kl_buf_view(&rig.out);
    char text[4096];
    CHECK(answer.len < sizeof text);
    snprintf(text, sizeof text, "%.*s", (int)answer.len, (const char *)answer.p);
    static const char *const members[] = {
        "\"type\":\"0x2\"",
        "\"nonce\":\"0x0\"",
        "\"gas\":\"0x5208\"",
        "\"maxPriorityFeePerGas\":\"0x3b9aca00\"",
        "\"maxFeePerGas\":\"0xa3e9ab80\"", /* 2 * 875,000,000 + 1 gwei */
        "\"value\":\"0x5\"",
        "\"chainId\":\"0x7a69\"",
    };
    for (usize i = 0; i < KL_COUNT_OF(members); i++)
        if (!strstr(text, members[i]))
            kl_test_fail(__FILE__, __LINE__, "no %s in %s", members[i], text);
    chain_rig_done(&rig);
}

static void sent_type(struct chain_rig *rig, const char *params, const char *type)
{
    char text[4096], want[32];
    kl_span answer = chain_rig_ask(rig, "eth_sendTransaction", params);
    CHECK(answer.len > 12);
    snprintf(text, sizeof text, "[%.*s]", (int)(answer.len - 9), (const char *)answer.p + 9);
    answer = chain_rig_ask(rig, "eth_getTransactionByHash", text);
    snprintf(text, sizeof text, "%.*s", (int)KL_MIN(answer.len, sizeof text - 1),
             (const char *)answer.p);
    snprintf(want, sizeof want, "\"type\":\"%s\"", type);
    if (!strstr(text, want))
        kl_test_fail(__FILE__, __LINE__, "no %s in %s", want, text);
}

KL_TEST(eth_send_transaction_chooses_the_type)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    sent_type(&rig, "[{\"to\":\"" RIG_C "\",\"gasPrice\":\"0x77359400\"}]", "0x0");
    sent_type(&rig,
              "[{\"to\":\"" RIG_C
              "\",\"gasPrice\":\"0x77359400\",\"accessList\":[{\"address\":\"" RIG_C
              "\",\"storageKeys\":[]}]}]",
              "0x1");
    sent_type(&rig, "[{\"to\":\"" RIG_C "\",\"accessList\":[]}]", "0x2");
    sent_type(&rig, "[{\"to\":\"" RIG_C "\",\"maxFeePerGas\":\"0x77359400\"}]", "0x2");
    sent_type(&rig,
              "[{\"to\":\"" RIG_C
              "\",\"authorizationList\":[{\"chainId\":\"0x0\",\"address\":\"" RIG_C
              "\",\"nonce\":\"0x0\",\"yParity\":\"0x0\",\"r\":\"0x1\",\"s\":\"0x1\"}]}]",
              "0x4");
    chain_rig_done(&rig);
}

KL_TEST(eth_send_transaction_refuses)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    chain_rig_check(&rig, "eth_sendTransaction", "[{\"from\":\"" RIG_C "\",\"to\":\"" RIG_D "\"}]",
                    ERROR("unknown account"));
    chain_rig_check(&rig, "eth_sendTransaction", "[{\"value\":\"0x1\"}]",
                    ERROR("contract creation without any data provided"));
    chain_rig_check(&rig, "eth_sendTransaction", "[{\"to\":\"" RIG_C "\",\"chainId\":\"0x1\"}]",
                    ERROR("chainId does not match node's (have=1, want=31337)"));
    chain_rig_check(&rig, "eth_sendTransaction",
                    "[{\"to\":\"" RIG_C "\",\"maxFeePerGas\":\"0x1\",\"maxPriorityFeePerGas\":"
                    "\"0x2\"}]",
                    ERROR("maxFeePerGas (1) < maxPriorityFeePerGas (2)"));
    chain_rig_check(&rig, "eth_sendTransaction",
                    "[{\"to\":\"" RIG_C "\",\"blobVersionedHashes\":[]}]",
                    ERROR("blob transactions are not carried by this node"));
    chain_rig_check(&rig, "eth_sendTransaction",
                    "[{\"data\":\"0x00\",\"gas\":\"0x186a0\",\"authorizationList\":[]}]",
                    ERROR("EIP-7702 transaction cannot be used to create contract"));
    chain_rig_code(&rig, RIG_C, "5f5ffd");
    chain_rig_check(&rig, "eth_sendTransaction", "[{\"to\":\"" RIG_C "\"}]",
                    "\"error\":{\"code\":3,\"message\":\"execution reverted\",\"data\":\"0x\"}");
    chain_rig_check(&rig, "eth_blockNumber", "[]", "\"result\":\"0x0\"");
    chain_rig_done(&rig);
}

/* Others may take the nonce that was found to be next: then the next one is taken. */
KL_TEST(eth_send_transaction_finds_another_nonce)
{
    struct chain_rig rig;
    static const kl_rule taken[] = {KL_RULE_TX_NONCE_LOW, KL_RULE_POOL_KNOWN,
                                    KL_RULE_POOL_REPLACE_UNDERPRICED};
    chain_rig_init(&rig);
    for (usize i = 0; i < KL_COUNT_OF(taken); i++) {
        rig.refusal = taken[i];
        CHECK(chain_rig_ask(&rig, "eth_sendTransaction", "[{\"to\":\"" RIG_C "\"}]").p[1] == 'r');
        CHECK(rig.submission.only_new && !rig.submission.wait_ns);
    }
    rig.refusal = KL_RULE_POOL_KNOWN;
    chain_rig_check(&rig, "eth_sendTransaction", "[{\"to\":\"" RIG_C "\",\"nonce\":\"0x3\"}]",
                    ERROR("already known"));
    CHECK(!rig.submission.only_new);
    chain_rig_check(&rig, "eth_getTransactionCount",
                    "[\"0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
                    "\",\"latest\"]",
                    "\"result\":\"0x3\"");
    chain_rig_done(&rig);
}

KL_TEST(eth_send_transaction_counts_what_waits)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    rig.automine = false;
    for (int i = 0; i < 3; i++)
        CHECK(chain_rig_ask(&rig, "eth_sendTransaction", "[{\"to\":\"" RIG_C "\"}]").p[1] == 'r');
    CHECK(rig.pool_count == 3 && rig.pool[2].nonce == 2);
    /* without automine there may be a block some day that asks for less */
    CHECK(chain_rig_ask(&rig, "eth_sendTransaction",
                        "[{\"to\":\"" RIG_C "\",\"gas\":\"0x5208\",\"gasPrice\":\"0x1\"}]")
              .p[1] == 'r');
    chain_rig_done(&rig);
}

KL_TEST(eth_send_transaction_of_impersonated_accounts)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    chain_rig_code(&rig, RIG_C, "00");
    chain_rig_ask(&rig, "anvil_setBalance", "[\"" RIG_C "\",\"0xde0b6b3a7640000\"]");
    const char *send = "[{\"from\":\"" RIG_C "\",\"to\":\"" RIG_D "\",\"value\":\"0x7\"}]";
    chain_rig_check(&rig, "eth_sendTransaction", send, ERROR("unknown account"));
    chain_rig_ask(&rig, "anvil_impersonateAccount", "[\"" RIG_C "\"]");
    for (int i = 0; i < 2; i++)
        CHECK(chain_rig_ask(&rig, "eth_sendTransaction", send).p[1] == 'r');
    chain_rig_check(&rig, "eth_getBalance", "[\"" RIG_D "\"]", "\"result\":\"0xe\"");
    chain_rig_ask(&rig, "anvil_stopImpersonatingAccount", "[\"" RIG_C "\"]");
    chain_rig_check(&rig, "eth_sendTransaction", send, ERROR("unknown account"));
    chain_rig_done(&rig);
}

KL_TEST(eth_send_raw_transaction_sync_gives_the_receipt)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    char raw[1000];
    for (u64 i = 0; i < 2; i++) {
        kl_secret32 key = {.b = {[31] = 1}};
        kl_tx tx = plain();
        tx.nonce = i;
        rig.automine = i == 0;
        CHECK_OK(kl_tx_sign(&tx, &key, &rig.arena));
        memcpy(raw, "[\"0x", 4);
        kl_hex_digits(raw + 4, tx.raw);
        snprintf(raw + 4 + 2 * tx.raw.len, 20, "\",%s]", i ? "1" : "\"0x7530\"");
        kl_span answer = chain_rig_ask(&rig, "eth_sendRawTransactionSync", raw);
        if (i == 0) {
            kl_span head = KL_SPAN_TEXT("\"result\":{");
            CHECK_SPAN(kl_span_sub(answer, 0, head.len), head);
            CHECK_U64(rig.submission.wait_ns, 5000000000);
            continue;
        }
        CHECK_U64(rig.submission.wait_ns, 1000000);
        CHECK_U64(rig.core.block_waits, 0);
        char want[300] =
            "\"error\":{\"code\":4,\"message\":\"the transaction was added to the pool but "
            "is in no block yet\",\"data\":\"0x";
        usize len = strlen(want);
        kl_hex_digits(want + len, kl_hash_span(&tx.hash));
        memcpy(want + len + 64, "\"}", 3);
        chain_rig_answered(&rig, want);
    }
    chain_rig_done(&rig);
}

KL_TEST(eth_sign_transaction_gives_what_can_be_sent)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    char raw[1000];
    kl_span answer =
        chain_rig_askf(&rig, "eth_signTransaction",
                       "[{\"from\":\"%s\",\"to\":\"" RIG_C "\",\"value\":\"0x9\"}]", rig.text[1]);
    snprintf(raw, sizeof raw, "[%.*s]", (int)answer.len - 9, (const char *)answer.p + 9);
    chain_rig_check(&rig, "eth_blockNumber", "[]", "\"result\":\"0x0\"");
    CHECK(chain_rig_ask(&rig, "eth_sendRawTransaction", raw).p[1] == 'r');
    chain_rig_check(&rig, "eth_getBalance", "[\"" RIG_C "\"]", "\"result\":\"0x9\"");
    chain_rig_askf(&rig, "eth_getTransactionCount", "[\"%s\"]", rig.text[1]);
    chain_rig_answered(&rig, "\"result\":\"0x1\"");
    chain_rig_ask(&rig, "anvil_impersonateAccount", "[\"" RIG_C "\"]");
    chain_rig_check(&rig, "eth_signTransaction", "[{\"from\":\"" RIG_C "\",\"to\":\"" RIG_D "\"}]",
                    ERROR("an impersonated account has no key to sign with"));
    chain_rig_done(&rig);
}

KL_TEST(eth_fill_transaction_signs_nothing)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    kl_tx tx = plain();
    tx.max_fee = kl_u256_of(2750000000);
    u8 raw[300];
    kl_out out = kl_out_of(raw, sizeof raw);
    kl_tx_encode(&out, &tx);
    char want[1000] = "\"result\":{\"raw\":\"0x";
    usize len = strlen(want);
    kl_hex_digits(want + len, kl_out_done(&out));
    snprintf(want + len + 2 * out.len, sizeof want - len - 2 * out.len, "\",\"tx\":{");
    kl_span answer =
        chain_rig_ask(&rig, "eth_fillTransaction", "[{\"to\":\"" RIG_C "\",\"value\":\"0x1\"}]");
    CHECK_SPAN(kl_span_sub(answer, 0, strlen(want)), kl_span_str(want));
    chain_rig_done(&rig);
}

/* Key 1 signs as any other wallet does. */
KL_TEST(eth_sign_and_personal_sign)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    const char *want = "\"result\":"
                       "\"0xe5ddc160e4c8f92de507c7db9b982d4f9b7197bfa421864aeadc586bc96b09ae0ba0c5b"
                       "131650ae4994cff1839341d00f3735ef5abc62ac8fe2cf50f65208e2a1b\"";
    chain_rig_askf(&rig, "eth_sign", "[\"%s\",\"0x68656c6c6f\"]", rig.text[0]);
    chain_rig_answered(&rig, want);
    chain_rig_askf(&rig, "personal_sign", "[\"0x68656c6c6f\",\"%s\",\"\"]", rig.text[0]);
    chain_rig_answered(&rig, want);
    chain_rig_check(&rig, "eth_sign", "[\"" RIG_C "\",\"0x68656c6c6f\"]", ERROR("unknown account"));
    chain_rig_done(&rig);
}

#define TYPED                                                                                 \
    "{\"types\":{\"P\":[{\"name\":\"v\",\"type\":\"uint8\"}]},\"domain\":{},\"primaryType\":" \
    "\"P\",\"message\":{\"v\":255}}"
#define TYPED_TEXT                                                                        \
    "\"{\\\"types\\\":{\\\"P\\\":[{\\\"name\\\":\\\"v\\\",\\\"type\\\":\\\"uint8\\\"}]}," \
    "\\\"domain\\\":{},\\\"primaryType\\\":\\\"P\\\",\\\"message\\\":{\\\"v\\\":255}}\""

KL_TEST(eth_sign_typed_data_as_value_and_as_text)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    const char *want = "\"result\":"
                       "\"0x358f80cfb40e95da5893aea2efa9f1296ae5eb25f98853e407c5f6750d2250693bd6e79"
                       "56ed0da9a438c8daee1588bc0f6c405b028d3f4acea5ad904d4f4dffc1b\"";
    chain_rig_askf(&rig, "eth_signTypedData_v4", "[\"%s\"," TYPED "]", rig.text[0]);
    chain_rig_answered(&rig, want);
    chain_rig_askf(&rig, "eth_signTypedData", "[\"%s\"," TYPED_TEXT "]", rig.text[0]);
    chain_rig_answered(&rig, want);
    chain_rig_askf(&rig, "eth_signTypedData_v4", "[\"%s\",{}]", rig.text[0]);
    chain_rig_answered(&rig,
                       "\"error\":{\"code\":-32602,\"message\":\"invalid argument 1: types is "
                       "missing or no object\"}");
    chain_rig_askf(&rig, "eth_signTypedData_v4", "[\"%s\",\"{\"]", rig.text[0]);
    chain_rig_answered(&rig, "\"error\":{\"code\":-32602,\"message\":\"invalid argument 1: json: "
                             "not well-formed\"}");
    chain_rig_done(&rig);
}
