/* The reading methods over a real chain: what they say must agree with what was done. */
#include <stdio.h>

#include "base/test.h"
#include "codec/hex.h"
#include "crypto/crypto.h"
#include "rpc/chain_rig_priv.h"

#define ZERO_HASH "0x0000000000000000000000000000000000000000000000000000000000000000"

/* LOG2(memory 0..32 = calldata word 0; topics 7 and calldata word 0), and stores it in slot 0. */
static const u8 logger[] = {0x5f, 0x35, 0x80, 0x5f, 0x52, 0x80, 0x5f, 0x55,
                            0x60, 0x07, 0x60, 0x20, 0x5f, 0xa2, 0x00};

static void hex_of(char out[67], const void *bytes, usize len)
{
    out[0] = '0';
    out[1] = 'x';
    kl_hex_digits(out + 2, kl_span_of(bytes, len));
    out[2 + 2 * len] = 0;
}

/* In a block of its own: PUSH1 len, DUP1, PUSH1 9, PUSH0, CODECOPY, PUSH0, RETURN, and the code. */
static kl_address deploy(struct chain_rig *rig)
{
    u8 init[9 + sizeof logger] = {0x60, sizeof logger, 0x80, 0x60, 9, 0x5f, 0x39, 0x5f, 0xf3};
    memcpy(init + 9, logger, sizeof logger);
    chain_rig_send(rig, 0, NULL, 0, KL_SPAN_OF(init));
    return kl_address_of_create(&rig->account[0], 0);
}

static kl_span word_of(u8 word[32], u8 v)
{
    memset(word, 0, 32);
    word[31] = v;
    return kl_span_of(word, 32);
}

static void check_text(kl_span got, const char *want)
{
    CHECK_SPAN(got, kl_span_str(want));
}

KL_TEST(blocks_are_read_by_number_hash_and_tag)
{
    struct chain_rig rig;
    char hash[67];
    (void)seed;
    chain_rig_init(&rig);
    rig.automine = false;
    chain_rig_send(&rig, 0, &rig.account[1], 5, KL_SPAN_NONE);
    chain_rig_send(&rig, 1, &rig.account[2], 6, KL_SPAN_NONE);
    chain_rig_mine(&rig);
    kl_span block = chain_rig_result(&rig, "eth_getBlockByNumber", "[\"latest\",false]");
    CHECK(chain_rig_number(&rig, block, "number") == 1);
    CHECK(chain_rig_number(&rig, block, "gasUsed") == 42000);
    CHECK(chain_rig_number(&rig, block, "timestamp") == 1000);
    check_text(chain_rig_member(&rig, block, "uncles"), "[]");
    check_text(chain_rig_member(&rig, block, "withdrawals"), "[]");
    check_text(chain_rig_member(&rig, block, "parentBeaconBlockRoot"), ZERO_HASH);
    CHECK(chain_rig_member(&rig, block, "requestsHash").len == 66);
    kl_span text = chain_rig_member(&rig, block, "hash");
    CHECK(text.len == 66);
    memcpy(hash, text.p, 66);
    hash[66] = 0;
    kl_hash want, got;
    CHECK_RULE(kl_hex_fixed(got.b, 32, text), KL_RULE_NONE);
    struct kl_tip *tip = kl_chain_published(rig.chain);
    want = tip->hash;
    kl_tip_unref(tip);
    CHECK(kl_hash_eq(&want, &got));

    block = chain_rig_result(&rig, "eth_getBlockByHash", "[\"%s\",true]", hash);
    kl_span list = chain_rig_member(&rig, block, "transactions");
    CHECK(list.len > 500 && list.p[0] == '[' && list.p[1] == '{');
    for (usize i = 0; i < 4; i++) {
        static const char *const tags[] = {"latest", "safe", "finalized", "0x1"};
        block = chain_rig_result(&rig, "eth_getBlockByNumber", "[\"%s\",false]", tags[i]);
        check_text(chain_rig_member(&rig, block, "hash"), hash);
    }
    block = chain_rig_result(&rig, "eth_getBlockByNumber", "[\"earliest\",false]");
    CHECK(chain_rig_number(&rig, block, "number") == 0);
    block = chain_rig_result(&rig, "eth_getBlockByNumber", "[\"pending\",false]");
    CHECK(chain_rig_number(&rig, block, "number") == 2);
    check_text(chain_rig_member(&rig, block, "hash"), "null");
    check_text(chain_rig_member(&rig, block, "parentHash"), hash);
    check_text(chain_rig_result(&rig, "eth_getBlockByNumber", "[\"0x7\",false]"), "null");
    check_text(chain_rig_result(&rig, "eth_getBlockByHash", "[\"" ZERO_HASH "\",false]"), "null");
    check_text(chain_rig_result(&rig, "eth_getBlockTransactionCountByNumber", "[\"0x1\"]"), "0x2");
    check_text(chain_rig_result(&rig, "eth_getBlockTransactionCountByHash", "[\"%s\"]", hash),
               "0x2");
    check_text(chain_rig_result(&rig, "eth_getBlockTransactionCountByNumber", "[\"0x9\"]"), "null");
    check_text(chain_rig_result(&rig, "eth_getUncleCountByBlockNumber", "[\"0x1\"]"), "0x0");
    check_text(chain_rig_result(&rig, "eth_getUncleByBlockNumberAndIndex", "[\"0x1\",\"0x0\"]"),
               "null");
    block = chain_rig_result(&rig, "eth_getHeaderByHash", "[\"%s\"]", hash);
    check_text(chain_rig_member(&rig, block, "hash"), hash);
    CHECK(chain_rig_member(&rig, block, "transactions").len == 0);
    chain_rig_done(&rig);
}

KL_TEST(transactions_are_read_by_hash_and_place)
{
    struct chain_rig rig;
    char hash[67], from[67];
    (void)seed;
    chain_rig_init(&rig);
    rig.automine = false;
    kl_hash first = chain_rig_send(&rig, 0, &rig.account[1], 5, KL_SPAN_NONE);
    kl_hash second = chain_rig_send(&rig, 0, NULL, 0, KL_SPAN_NONE);
    usize raw_len = rig.pool[0].raw.len;
    chain_rig_mine(&rig);
    hex_of(hash, first.b, 32);
    hex_of(from, rig.account[0].b, 20);
    kl_span tx = chain_rig_result(&rig, "eth_getTransactionByHash", "[\"%s\"]", hash);
    check_text(chain_rig_member(&rig, tx, "hash"), hash);
    check_text(chain_rig_member(&rig, tx, "from"), from);
    CHECK(chain_rig_number(&rig, tx, "type") == 2);
    CHECK(chain_rig_number(&rig, tx, "value") == 5);
    CHECK(chain_rig_number(&rig, tx, "chainId") == 31337);
    CHECK(chain_rig_number(&rig, tx, "maxFeePerGas") == 5000000000);
    /* the base fee of an empty parent falls by an eighth */
    CHECK(chain_rig_number(&rig, tx, "gasPrice") == 875000000 + 1000000000);
    CHECK(chain_rig_number(&rig, tx, "blockNumber") == 1);
    CHECK(chain_rig_number(&rig, tx, "v") == chain_rig_number(&rig, tx, "yParity"));
    check_text(chain_rig_member(&rig, tx, "accessList"), "[]");
    tx = chain_rig_result(&rig, "eth_getTransactionByBlockNumberAndIndex", "[\"0x1\",\"0x0\"]");
    check_text(chain_rig_member(&rig, tx, "hash"), hash);
    tx = chain_rig_result(&rig, "eth_getTransactionByBlockNumberAndIndex", "[\"0x1\",\"0x1\"]");
    check_text(chain_rig_member(&rig, tx, "to"), "null");
    check_text(
        chain_rig_result(&rig, "eth_getTransactionByBlockNumberAndIndex", "[\"0x1\",\"0x2\"]"),
        "null");
    check_text(chain_rig_result(&rig, "eth_getTransactionByHash", "[\"" ZERO_HASH "\"]"), "null");
    tx = chain_rig_result(&rig, "eth_getRawTransactionByHash", "[\"%s\"]", hash);
    CHECK(tx.len == 2 + 2 * raw_len);

    kl_span receipt = chain_rig_result(&rig, "eth_getTransactionReceipt", "[\"%s\"]", hash);
    CHECK(chain_rig_number(&rig, receipt, "status") == 1);
    CHECK(chain_rig_number(&rig, receipt, "gasUsed") == 21000);
    CHECK(chain_rig_number(&rig, receipt, "effectiveGasPrice") == 1875000000);
    check_text(chain_rig_member(&rig, receipt, "contractAddress"), "null");
    hex_of(hash, second.b, 32);
    receipt = chain_rig_result(&rig, "eth_getTransactionReceipt", "[\"%s\"]", hash);
    kl_address contract = kl_address_of_create(&rig.account[0], 1);
    hex_of(from, contract.b, 20);
    check_text(chain_rig_member(&rig, receipt, "contractAddress"), from);
    CHECK(chain_rig_number(&rig, receipt, "cumulativeGasUsed") ==
          21000 + chain_rig_number(&rig, receipt, "gasUsed"));
    check_text(chain_rig_result(&rig, "eth_getTransactionReceipt", "[\"" ZERO_HASH "\"]"), "null");
    chain_rig_done(&rig);
}

KL_TEST(a_transaction_of_the_pool_is_in_no_block)
{
    struct chain_rig rig;
    char hash[67], from[67];
    (void)seed;
    chain_rig_init(&rig);
    rig.automine = false;
    kl_hash sent = chain_rig_send(&rig, 0, &rig.account[1], 5, KL_SPAN_NONE);
    hex_of(hash, sent.b, 32);
    hex_of(from, rig.account[0].b, 20);
    kl_span got = chain_rig_result(&rig, "eth_getTransactionByHash", "[\"%s\"]", hash);
    check_text(chain_rig_member(&rig, got, "blockHash"), "null");
    check_text(chain_rig_member(&rig, got, "transactionIndex"), "null");
    CHECK(chain_rig_number(&rig, got, "gasPrice") == 5000000000);
    check_text(chain_rig_result(&rig, "eth_getTransactionReceipt", "[\"%s\"]", hash), "null");
    check_text(chain_rig_result(&rig, "eth_getTransactionCount", "[\"%s\",\"latest\"]", from),
               "0x0");
    check_text(chain_rig_result(&rig, "eth_getTransactionCount", "[\"%s\",\"pending\"]", from),
               "0x1");
    check_text(chain_rig_result(&rig, "eth_getBlockTransactionCountByNumber", "[\"pending\"]"),
               "0x1");
    check_text(chain_rig_result(&rig, "txpool_status", "[]"),
               "{\"pending\":\"0x1\",\"queued\":\"0x0\"}");
    got = chain_rig_result(&rig, "txpool_contentFrom", "[\"%s\"]", from);
    got = chain_rig_member(&rig, chain_rig_member(&rig, got, "pending"), "0");
    check_text(chain_rig_member(&rig, got, "hash"), hash);
    got = chain_rig_result(&rig, "txpool_inspect", "[]");
    CHECK(got.len > 100);
    chain_rig_done(&rig);
}

KL_TEST(state_is_read_at_every_block)
{
    struct chain_rig rig;
    char at[67], rich[67];
    u8 word[32];
    (void)seed;
    chain_rig_init(&rig);
    kl_address contract = deploy(&rig); /* block 1 */
    hex_of(at, contract.b, 20);
    hex_of(rich, rig.account[1].b, 20);
    for (u8 i = 1; i <= 3; i++) { /* blocks 2 to 4 */
        chain_rig_send(&rig, 1, &contract, 0, word_of(word, i));
    }
    for (unsigned i = 1; i <= 3; i++) {
        kl_span got =
            chain_rig_result(&rig, "eth_getStorageAt", "[\"%s\",\"0x0\",\"0x%x\"]", at, i + 1);
        CHECK(got.len == 66 && got.p[65] == '0' + i);
        got = chain_rig_result(&rig, "eth_getTransactionCount", "[\"%s\",\"0x%x\"]", rich, i + 1);
        CHECK(got.len == 3 && got.p[2] == '0' + i);
    }
    check_text(chain_rig_result(&rig, "eth_getCode", "[\"%s\",\"0x0\"]", at), "0x");
    CHECK(chain_rig_result(&rig, "eth_getCode", "[\"%s\"]", at).len == 2 + 2 * sizeof logger);
    check_text(chain_rig_result(&rig, "eth_getBalance", "[\"%s\",\"0x0\"]", rich),
               "0xde0b6b3a7640000");
    check_text(chain_rig_result(&rig, "eth_getBalance",
                                "[\"0x00000000000000000000000000000000000000ff\",\"latest\"]"),
               "0x0");
    kl_span error = chain_rig_error(&rig, "eth_getBalance", "[\"%s\",\"0x64\"]", rich);
    check_text(chain_rig_member(&rig, error, "message"), "header not found");
    error =
        chain_rig_error(&rig, "eth_getBalance", "[\"%s\",{\"blockHash\":\"" ZERO_HASH "\"}]", rich);
    check_text(chain_rig_member(&rig, error, "message"), "header for hash not found");
    chain_rig_done(&rig);
}

/* The nodes of a proof's member. */
static usize nodes_of(struct chain_rig *rig, kl_span list, kl_span nodes[64])
{
    struct kl_json json;
    kl_rule broken;
    usize at, count = 0;
    CHECK_OK(kl_json_parse(&json, list, 1000, &rig->arena, &broken, &at));
    for (kl_json_ref e = kl_json_first(&json, 0); e != KL_JSON_NONE;
         e = kl_json_after(&json, 0, e)) {
        kl_span text = kl_json_raw(&json, e);
        usize len = (text.len - 2) / 2;
        u8 *bytes = kl_arena_take(&rig->arena, len, 1);
        CHECK(bytes && count < 64);
        CHECK_RULE(kl_hex_fixed(bytes, len, text), KL_RULE_NONE);
        nodes[count++] = kl_span_of(bytes, len);
    }
    return count;
}

KL_TEST(proofs_hold_under_the_headers_root)
{
    struct chain_rig rig;
    char at[67];
    u8 word[32];
    (void)seed;
    chain_rig_init(&rig);
    kl_address contract = deploy(&rig);
    hex_of(at, contract.b, 20);
    for (u8 i = 1; i <= 3; i++) {
        chain_rig_send(&rig, 1, &contract, 0, word_of(word, i));
    }
    for (unsigned number = 1; number <= 4; number++) {
        kl_span block = chain_rig_result(&rig, "eth_getBlockByNumber", "[\"0x%x\",false]", number);
        kl_hash root, storage_root;
        CHECK_RULE(kl_hex_fixed(root.b, 32, chain_rig_member(&rig, block, "stateRoot")),
                   KL_RULE_NONE);
        kl_span proof = chain_rig_result(&rig, "eth_getProof",
                                         "[\"%s\",[\"0x0\",\"0x5\"],\"0x%x\"]", at, number);
        kl_span nodes[64], value;
        usize count = nodes_of(&rig, chain_rig_member(&rig, proof, "accountProof"), nodes);
        kl_hash key = kl_keccak256(kl_address_span(&contract));
        CHECK_RULE(kl_trie_check(&value, &root, kl_hash_span(&key), nodes, count), KL_RULE_NONE);
        kl_account account;
        CHECK_RULE(kl_account_decode(&account, value), KL_RULE_NONE);
        CHECK_RULE(kl_hex_fixed(storage_root.b, 32, chain_rig_member(&rig, proof, "storageHash")),
                   KL_RULE_NONE);
        CHECK(kl_hash_eq(&account.storage_root, &storage_root));
        CHECK(account.nonce == 1);
        CHECK(chain_rig_number(&rig, proof, "nonce") == 1);
    }
    kl_span absent = chain_rig_result(
        &rig, "eth_getProof", "[\"0x00000000000000000000000000000000000000ff\",[],\"latest\"]");
    check_text(chain_rig_member(&rig, absent, "balance"), "0x0");
    check_text(chain_rig_member(&rig, absent, "storageProof"), "[]");
    chain_rig_done(&rig);
}

#define TOPIC(digit) \
    "\"0x000000000000000000000000000000000000000000000000000000000000000" digit "\""

KL_TEST(logs_are_found_by_place_and_range)
{
    struct chain_rig rig;
    char at[67], hash[67];
    u8 word[32];
    (void)seed;
    chain_rig_init(&rig);
    kl_address contract = deploy(&rig);
    hex_of(at, contract.b, 20);
    rig.automine = false;
    for (u8 i = 1; i <= 3; i++) { /* blocks 2 to 4: two logs each */
        chain_rig_send(&rig, 1, &contract, 0, word_of(word, i));
        chain_rig_send(&rig, 2, &contract, 0, word_of(word, 9));
        chain_rig_mine(&rig);
    }
    CHECK(chain_rig_count(
              &rig, chain_rig_result(&rig, "eth_getLogs", "[{\"fromBlock\":\"earliest\"}]")) == 6);
    CHECK(chain_rig_count(&rig, chain_rig_result(&rig, "eth_getLogs", "[{}]")) == 2);
    CHECK(chain_rig_count(
              &rig,
              chain_rig_result(&rig, "eth_getLogs",
                               "[{\"fromBlock\":\"0x2\",\"toBlock\":\"0x3\",\"address\":\"%s\"}]",
                               at)) == 4);
    CHECK(chain_rig_count(&rig, chain_rig_result(&rig, "eth_getLogs",
                                                 "[{\"fromBlock\":\"0x0\",\"topics\":[" TOPIC(
                                                     "7") "," TOPIC("2") "]}]")) == 1);
    CHECK(chain_rig_count(&rig, chain_rig_result(&rig, "eth_getLogs",
                                                 "[{\"fromBlock\":\"0x0\",\"topics\":[null,[" TOPIC(
                                                     "2") "," TOPIC("9") "]]}]")) == 4);
    CHECK(chain_rig_count(&rig, chain_rig_result(
                                    &rig, "eth_getLogs",
                                    "[{\"fromBlock\":\"0x0\",\"topics\":[" TOPIC("2") "]}]")) == 0);
    CHECK(chain_rig_count(
              &rig, chain_rig_result(&rig, "eth_getLogs",
                                     "[{\"fromBlock\":\"0x0\",\"address\":["
                                     "\"0x00000000000000000000000000000000000000ff\",\"%s\"]}]",
                                     at)) == 6);
    kl_span log = chain_rig_result(
        &rig, "eth_getLogs",
        "[{\"fromBlock\":\"0x3\",\"toBlock\":\"0x3\",\"topics\":[null," TOPIC("9") "]}]");
    CHECK(chain_rig_count(&rig, log) == 1);
    log = kl_span_sub(log, 1, log.len - 2);
    CHECK(chain_rig_number(&rig, log, "logIndex") == 1);
    CHECK(chain_rig_number(&rig, log, "transactionIndex") == 1);
    CHECK(chain_rig_number(&rig, log, "blockNumber") == 3);
    check_text(chain_rig_member(&rig, log, "removed"), "false");
    kl_span text = chain_rig_member(&rig, log, "blockHash");
    memcpy(hash, text.p, 66);
    hash[66] = 0;
    CHECK(chain_rig_count(
              &rig, chain_rig_result(&rig, "eth_getLogs", "[{\"blockHash\":\"%s\"}]", hash)) == 2);
    kl_span error =
        chain_rig_error(&rig, "eth_getLogs", "[{\"blockHash\":\"%s\",\"toBlock\":\"0x1\"}]", hash);
    CHECK(chain_rig_member(&rig, error, "message").len > 0);
    error = chain_rig_error(&rig, "eth_getLogs", "[{\"blockHash\":\"" ZERO_HASH "\"}]");
    check_text(chain_rig_member(&rig, error, "message"), "unknown block");
    error = chain_rig_error(&rig, "eth_getLogs", "[{\"fromBlock\":\"0x3\",\"toBlock\":\"0x2\"}]");
    check_text(chain_rig_member(&rig, error, "message"), "invalid block range params");
    rig.config.limits.log_max = 5;
    error = chain_rig_error(&rig, "eth_getLogs", "[{\"fromBlock\":\"0x0\"}]");
    check_text(chain_rig_member(&rig, error, "message"), "query returned more than 5 results");
    kl_span receipts = chain_rig_result(&rig, "eth_getBlockReceipts", "[\"0x3\"]");
    CHECK(chain_rig_count(&rig, receipts) == 2);
    chain_rig_done(&rig);
}

KL_TEST(filters_tell_each_change_once)
{
    struct chain_rig rig;
    char at[67], blocks[40], logs[40], pending[40];
    u8 word[32];
    (void)seed;
    chain_rig_init(&rig);
    kl_address contract = deploy(&rig);
    hex_of(at, contract.b, 20);
    kl_span id = chain_rig_result(&rig, "eth_newBlockFilter", "[]");
    (void)snprintf(blocks, sizeof blocks, "%.*s", (int)id.len, (const char *)id.p);
    id = chain_rig_result(&rig, "eth_newFilter", "[{\"address\":\"%s\"}]", at);
    (void)snprintf(logs, sizeof logs, "%.*s", (int)id.len, (const char *)id.p);
    id = chain_rig_result(&rig, "eth_newPendingTransactionFilter", "[]");
    (void)snprintf(pending, sizeof pending, "%.*s", (int)id.len, (const char *)id.p);
    check_text(chain_rig_result(&rig, "eth_getFilterChanges", "[\"%s\"]", blocks), "[]");
    for (usize i = 0; i < 2; i++) {
        chain_rig_send(&rig, 1, &contract, 0, word_of(word, 3));
    }
    CHECK(chain_rig_count(&rig,
                          chain_rig_result(&rig, "eth_getFilterChanges", "[\"%s\"]", blocks)) == 2);
    CHECK(chain_rig_count(&rig,
                          chain_rig_result(&rig, "eth_getFilterChanges", "[\"%s\"]", blocks)) == 0);
    CHECK(chain_rig_count(&rig, chain_rig_result(&rig, "eth_getFilterChanges", "[\"%s\"]", logs)) ==
          2);
    CHECK(chain_rig_count(&rig, chain_rig_result(&rig, "eth_getFilterChanges", "[\"%s\"]", logs)) ==
          0);
    /* more blocks than the feed keeps, then one with a log */
    chain_rig_result(&rig, "anvil_mine", "[300]");
    chain_rig_send(&rig, 1, &contract, 0, word_of(word, 3));
    CHECK(chain_rig_count(
              &rig, chain_rig_result(&rig, "eth_getFilterChanges", "[\"%s\"]", blocks)) == 301);
    CHECK(chain_rig_count(&rig, chain_rig_result(&rig, "eth_getFilterChanges", "[\"%s\"]", logs)) ==
          1);
    CHECK(chain_rig_count(&rig, chain_rig_result(&rig, "eth_getFilterLogs", "[\"%s\"]", logs)) ==
          1);
    rig.automine = false;
    chain_rig_send(&rig, 1, &contract, 0, word_of(word, 3));
    CHECK(chain_rig_count(
              &rig, chain_rig_result(&rig, "eth_getFilterChanges", "[\"%s\"]", pending)) == 4);
    check_text(chain_rig_result(&rig, "eth_uninstallFilter", "[\"%s\"]", logs), "true");
    check_text(chain_rig_result(&rig, "eth_uninstallFilter", "[\"%s\"]", logs), "false");
    kl_span error = chain_rig_error(&rig, "eth_getFilterChanges", "[\"%s\"]", logs);
    check_text(chain_rig_member(&rig, error, "message"), "filter not found");
    rig.config.limits.filter_max = 2;
    error = chain_rig_error(&rig, "eth_newBlockFilter", "[]");
    check_text(chain_rig_member(&rig, error, "message"), "too many filters");
    chain_rig_done(&rig);
}

KL_TEST(filters_do_not_tell_of_what_was_taken_back)
{
    struct chain_rig rig;
    char blocks[40];
    (void)seed;
    chain_rig_init(&rig);
    kl_span id = chain_rig_result(&rig, "eth_newBlockFilter", "[]");
    (void)snprintf(blocks, sizeof blocks, "%.*s", (int)id.len, (const char *)id.p);
    check_text(chain_rig_result(&rig, "evm_snapshot", "[]"), "0x1");
    chain_rig_result(&rig, "anvil_mine", "[3]");
    check_text(chain_rig_result(&rig, "evm_revert", "[\"0x1\"]"), "true");
    check_text(chain_rig_result(&rig, "eth_blockNumber", "[]"), "0x0");
    CHECK(chain_rig_count(&rig,
                          chain_rig_result(&rig, "eth_getFilterChanges", "[\"%s\"]", blocks)) == 0);
    chain_rig_result(&rig, "anvil_mine", "[2]");
    CHECK(chain_rig_count(&rig,
                          chain_rig_result(&rig, "eth_getFilterChanges", "[\"%s\"]", blocks)) == 2);
    chain_rig_done(&rig);
}

KL_TEST(filters_that_nobody_polls_are_dropped)
{
    struct chain_rig rig;
    (void)seed;
    chain_rig_init(&rig);
    rig.config.limits.filter_max = 1;
    chain_rig_result(&rig, "eth_newBlockFilter", "[]");
    chain_rig_error(&rig, "eth_newBlockFilter", "[]");
    rig.config.limits.filter_timeout_ns = 0;
    chain_rig_result(&rig, "eth_newBlockFilter", "[]");
    chain_rig_done(&rig);
}

/* A place in the pending block is a place among the pool's transactions. */
KL_TEST(transactions_of_the_pending_block)
{
    struct chain_rig rig;
    (void)seed;
    chain_rig_init(&rig);
    rig.automine = false;
    chain_rig_send(&rig, 0, &rig.account[1], 5, KL_SPAN_NONE);
    chain_rig_mine(&rig);
    chain_rig_send(&rig, 0, &rig.account[1], 6, KL_SPAN_NONE);
    kl_span tx =
        chain_rig_result(&rig, "eth_getTransactionByBlockNumberAndIndex", "[\"latest\",\"0x0\"]");
    CHECK(chain_rig_number(&rig, tx, "value") == 5);
    tx = chain_rig_result(&rig, "eth_getTransactionByBlockNumberAndIndex", "[\"pending\",\"0x0\"]");
    CHECK(chain_rig_number(&rig, tx, "value") == 6);
    check_text(chain_rig_member(&rig, tx, "blockNumber"), "null");
    check_text(
        chain_rig_result(&rig, "eth_getTransactionByBlockNumberAndIndex", "[\"pending\",\"0x1\"]"),
        "null");
    chain_rig_done(&rig);
}
