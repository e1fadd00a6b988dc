/* The nouns as JSON, character by character: members, their absence, and how numbers are spelled.
 */
#include "base/test.h"
#include "rpc/put.h"

#define Z16          "00000000000000000000000000000000"
#define Z64          Z16 Z16
#define Z512         Z64 Z64 Z64 Z64 Z64 Z64 Z64 Z64
#define HASH(end)    "0x" Z16 "000000000000000000000000000000" end
#define ADDRESS(end) "0x00000000000000000000000000000000000000" end

static const kl_u256 r = {{0x111}}, s = {{0x22}};
static const kl_hash slots[2] = {{{[31] = 1}}, {{[31] = 2}}};
static const kl_access access = {{{[19] = 0xac}}, slots, 2};
static kl_authorization authorization = {
    .chain_id = {{5}}, .address = {{[19] = 0xad}}, .nonce = 6, .signature = {{{7}}, {{8}}, 1}};
static const u8 data[] = {0xca, 0xfe};

static kl_tx tx_of(u8 type)
{
    kl_tx tx = {
        .type = type,
        .has_to = true,
        .replay_safe = type != KL_TX_LEGACY,
        .chain_id = type ? 5 : 0,
        .nonce = 9,
        .gas_limit = 21000,
        .max_fee = {{100}},
        .max_priority_fee = {{type >= KL_TX_DYNAMIC_FEE ? 3u : 100u}},
        .value = {{0, 1}},
        .to = {{[19] = 0x70}},
        .data = KL_SPAN_OF(data),
        .signature = {r, s, 1},
        .hash = {{[31] = 0x44}},
        .sender = {{[19] = 0xf0}},
        .has_sender = true,
    };
    if (type >= KL_TX_ACCESS_LIST) {
        tx.access_list = &access;
        tx.access_count = 1;
    }
    if (type == KL_TX_BLOB) {
        tx.max_blob_fee = kl_u256_of(15);
        tx.blob_hashes = slots;
        tx.blob_count = 2;
    }
    if (type == KL_TX_SET_CODE) {
        tx.authorizations = &authorization;
        tx.authorization_count = 1;
    }
    return tx;
}

/* What was put is want. */
static void check_put(struct kl_buf *buf, const char *want)
{
    CHECK_SPAN(kl_buf_view(buf), kl_span_str(want));
    kl_buf_clear(buf);
}

static kl_block block_of(u8 tail)
{
    return (kl_block){
        .header = {.number = 16, .timestamp = 0x1000, .tail = tail, .base_fee = {{50}}},
        .hash = {{[31] = 0xb1}},
    };
}

#define NOWHERE \
    "{\"blockHash\":null,\"blockNumber\":null,\"blockTimestamp\":null,\"transactionIndex\":null,"
#define THERE                                                                                   \
    "{\"blockHash\":\"" HASH("b1") "\",\"blockNumber\":\"0x10\",\"blockTimestamp\":\"0x1000\"," \
                                   "\"transactionIndex\":\"0x3\","
#define BODY(type)                                                                               \
    "\"hash\":\"" HASH("44") "\",\"type\":\"" type                                               \
                             "\",\"from\":\"" ADDRESS("f0") "\",\"to\":\"" ADDRESS(              \
                                 "70") "\",\"nonce\":\"0x9\",\"value\":\"0x10000000000000000\"," \
                                       "\"input\":\"0xcafe\",\"gas\":\"0x5208\","
#define PRICE(v) "\"gasPrice\":\"" v "\","
#define CAPS     "\"maxFeePerGas\":\"0x64\",\"maxPriorityFeePerGas\":\"0x3\","
#define LIST                                                       \
    "\"chainId\":\"0x5\",\"accessList\":[{\"address\":\"" ADDRESS( \
        "ac") "\",\"storageKeys\":[\"" HASH("01") "\",\"" HASH("02") "\"]}],"
#define BLOBS "\"blobVersionedHashes\":[\"" HASH("01") "\",\"" HASH("02") "\"],"
#define AUTHORIZATIONS                                                    \
    "\"authorizationList\":[{\"chainId\":\"0x5\",\"address\":\"" ADDRESS( \
        "ad") "\",\"nonce\":\"0x6\",\"r\":\"0x7\",\"s\":\"0x8\",\"yParity\":\"0x1\"}],"
#define SIGNED    "\"v\":\"0x1\",\"r\":\"0x111\",\"s\":\"0x22\",\"yParity\":\"0x1\"}"
#define LEGACY(v) "\"v\":\"" v "\",\"r\":\"0x111\",\"s\":\"0x22\"}"

KL_TEST(transactions_of_every_type_as_json)
{
    static const struct {
        u8 type;
        bool mined;
        const char *want;
    } rows[] = {
        {0, false, NOWHERE BODY("0x0") PRICE("0x64") LEGACY("0x1c")},
        {0, true, THERE BODY("0x0") PRICE("0x64") LEGACY("0x1c")},
        {1, true, THERE BODY("0x1") PRICE("0x64") LIST SIGNED},
        {2, false, NOWHERE BODY("0x2") PRICE("0x64") CAPS LIST SIGNED},
        {2, true, THERE BODY("0x2") PRICE("0x35") CAPS LIST SIGNED},
        {3, true,
         THERE BODY("0x3") PRICE("0x35") CAPS "\"maxFeePerBlobGas\":\"0xf\"," LIST BLOBS SIGNED},
        {4, true, THERE BODY("0x4") PRICE("0x35") CAPS LIST AUTHORIZATIONS SIGNED},
    };
    struct kl_buf buf;
    kl_block block = block_of(1);
    kl_buf_init(&buf, SIZE_MAX);
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        struct kl_json_out out = kl_json_out_to(&buf);
        kl_tx tx = tx_of(rows[i].type);
        kl_put_tx(&out, &tx, &(kl_put_place){.block = rows[i].mined ? &block : NULL, .index = 3});
        check_put(&buf, rows[i].want);
    }
    kl_buf_done(&buf);
}

/* The chain id is in v, and a member of its own [EIP-155]; a creation has no one to go to. */
KL_TEST(a_legacy_creation_with_a_chain_id_as_json)
{
    struct kl_buf buf;
    kl_block before = block_of(0); /* London */
    kl_tx tx = tx_of(KL_TX_LEGACY);
    tx.replay_safe = true;
    tx.chain_id = 31337;
    tx.has_to = false;
    kl_buf_init(&buf, SIZE_MAX);
    struct kl_json_out out = kl_json_out_to(&buf);
    kl_put_tx(&out, &tx, &(kl_put_place){.block = &before, .index = 3});
    check_put(&buf, THERE "\"hash\":\"" HASH("44") "\",\"type\":\"0x0\",\"from\":\"" ADDRESS(
                        "f0") "\",\"to\":null,\"nonce\":\"0x9\",\"value\":\"0x10000000000000000\","
                              "\"input\":\"0xcafe\",\"gas\":\"0x5208\"," PRICE(
                                  "0x64") "\"chainId\":\"0x7a69\"," LEGACY("0xf4f6"));
    kl_buf_done(&buf);
}

#define PARTIES \
    "\"from\":\"" ADDRESS("f0") "\",\"to\":\"" ADDRESS("70") "\",\"contractAddress\":null,"
#define MINED                                                                                \
    "\"blockHash\":\"" HASH("b1") "\",\"blockNumber\":\"0x10\",\"transactionHash\":\"" HASH( \
        "44") "\",\"transactionIndex\":\"0x0\""
#define GAS(price) \
    "\"gasUsed\":\"0x5208\",\"cumulativeGasUsed\":\"0x520a\",\"effectiveGasPrice\":\"" price "\","
#define LOGS                                                            \
    "\"logs\":[{\"address\":\"" ADDRESS("e0") "\",\"topics\":[\"" HASH( \
        "01") "\"],\"data\":\"0xcafe\"," MINED                          \
              ",\"blockTimestamp\":\"0x1000\",\"logIndex\":\"0x7\",\"removed\":false}],"
#define BLOOM "\"logsBloom\":\"0x" Z512 "\","

/* Before Byzantium a receipt has a root, from then on a status; of a blob transaction it tells what
 * the blobs cost. */
KL_TEST(receipts_as_json)
{
    static const struct {
        u8 type;
        bool root, success;
        const char *want;
    } rows[] = {
        {0, true, false,
         "{" MINED ",\"type\":\"0x0\"," PARTIES GAS("0x64") LOGS BLOOM
         "\"root\":\"" HASH("aa") "\"}"},
        {2, false, true,
         "{" MINED ",\"type\":\"0x2\"," PARTIES GAS("0x35") LOGS BLOOM "\"status\":\"0x1\"}"},
        {3, false, false,
         "{" MINED ",\"type\":\"0x3\"," PARTIES GAS(
             "0x35") "\"blobGasUsed\":\"0x40000\",\"blobGasPrice\":\"0x1\"," LOGS BLOOM
                     "\"status\":\"0x0\"}"},
    };
    static const kl_log_entry log = {.address = {{[19] = 0xe0}},
                                     .topics = {{{[31] = 1}}},
                                     .topic_count = 1,
                                     .data = {data, sizeof data}};
    struct kl_buf buf;
    kl_spec spec;
    kl_spec_init(&spec, KL_OSAKA);
    kl_buf_init(&buf, SIZE_MAX);
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        struct kl_json_out out = kl_json_out_to(&buf);
        kl_tx tx = tx_of(rows[i].type);
        const kl_receipt receipt = {.type = rows[i].type,
                                    .success = rows[i].success,
                                    .has_state_root = rows[i].root,
                                    .state_root = {{[31] = 0xaa}},
                                    .cumulative_gas_used = 21002,
                                    .gas_used = 21000,
                                    .logs = &log,
                                    .log_count = 1};
        kl_stored_block stored = {.block = block_of(rows[i].root ? 0 : 6), .receipts = &receipt};
        stored.block.txs = &tx;
        stored.block.tx_count = 1;
        kl_put_receipt(&out, &spec, &stored, 0, 7);
        check_put(&buf, rows[i].want);
    }
    kl_buf_done(&buf);
}

#define HEAD(hash, nonce, miner)                                                            \
    "{\"number\":\"0x10\",\"hash\":" hash ",\"parentHash\":\"" HASH(                        \
        "00") "\",\"nonce\":" nonce                                                         \
              ",\"mixHash\":\"" HASH("00") "\",\"sha3Uncles\":\"" HASH(                     \
                  "00") "\"," BLOOM                                                         \
                        "\"stateRoot\":\"" HASH(                                            \
                            "00") "\",\"miner\":" miner                                     \
                                  ",\"difficulty\":\"0x0\",\"extraData\":\"0x\","           \
                                  "\"gasLimit\":\"0x0\",\"gasUsed\":\"0x0\",\"timestamp\":" \
                                  "\"0x1000\",\"transactionsRoot\":\"" HASH(                \
                                      "00") "\",\"receiptsRoot\":\"" HASH("00") "\""
#define DECIDED     HEAD("\"" HASH("b1") "\"", "\"0x0000000000000000\"", "\"" ADDRESS("00") "\"")
#define BASE_FEE    ",\"baseFeePerGas\":\"0x32\""
#define WITHDRAWALS ",\"withdrawalsRoot\":\"" HASH("00") "\""
#define BLOB_GAS                                                                            \
    ",\"blobGasUsed\":\"0x0\",\"excessBlobGas\":\"0x0\",\"parentBeaconBlockRoot\":\"" HASH( \
        "00") "\""
#define REQUESTS ",\"requestsHash\":\"" HASH("00") "\""

/* Each fork's members are there from it on. */
KL_TEST(headers_of_every_fork_as_json)
{
    static const struct {
        u8 tail;
        const char *want;
    } rows[] = {
        {0, DECIDED "}"},
        {1, DECIDED BASE_FEE "}"},
        {2, DECIDED BASE_FEE WITHDRAWALS "}"},
        {5, DECIDED BASE_FEE WITHDRAWALS BLOB_GAS "}"},
        {6, DECIDED BASE_FEE WITHDRAWALS BLOB_GAS REQUESTS "}"},
    };
    struct kl_buf buf;
    kl_buf_init(&buf, SIZE_MAX);
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        struct kl_json_out out = kl_json_out_to(&buf);
        kl_block block = block_of(rows[i].tail);
        kl_put_header(&out, &block.header, &block.hash);
        check_put(&buf, rows[i].want);
    }
    kl_buf_done(&buf);
}

KL_TEST(blocks_as_json)
{
    static const kl_withdrawal withdrawal = {
        .index = 1, .validator_index = 2, .address = {{[19] = 3}}, .amount = 4};
    struct kl_buf buf;
    kl_tx tx = tx_of(KL_TX_LEGACY);
    kl_block block = block_of(2);
    block.txs = &tx;
    block.tx_count = 1;
    block.rlp_len = 999;
    kl_buf_init(&buf, SIZE_MAX);
    struct kl_json_out out = kl_json_out_to(&buf);
    kl_put_block(&out, &block, false, false);
    check_put(&buf, DECIDED BASE_FEE WITHDRAWALS
              ",\"size\":\"0x3e7\",\"transactions\":[\"" HASH("44") "\"],\"uncles\":[]}");
    block.has_withdrawals = true;
    block.withdrawals = &withdrawal;
    block.withdrawal_count = 1;
    out = kl_json_out_to(&buf);
    kl_put_block(&out, &block, true, true);
    check_put(&buf, HEAD("null", "null", "null") BASE_FEE WITHDRAWALS
              ",\"size\":\"0x3e7\",\"transactions\":[" NOWHERE BODY("0x0") PRICE("0x64")
                  LEGACY("0x1c") "],\"uncles\":[],\"withdrawals\":[{\"index\":\"0x1\","
                                 "\"validatorIndex\":\"0x2\",\"address\":\"" ADDRESS(
                                     "03") "\",\"amount\":\"0x4\"}]}");
    kl_buf_done(&buf);
}
