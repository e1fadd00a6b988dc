#include "rpc/tx_args.h"

#include "rpc/param_rig_priv.h"

#define A "0x0000000000000000000000000000000000000001"
#define H "0x0000000000000000000000000000000000000000000000000000000000000002"

static bool read(struct param_rig *rig, const char *params, kl_tx_args *out)
{
    param_rig_open(rig, params);
    return kl_arg_tx(&rig->call, kl_arg_at(&rig->call, 0), out);
}

KL_TEST(tx_args_of_every_kind)
{
    struct param_rig rig;
    kl_tx_args tx;
    CHECK(read(&rig,
               "[{\"from\":\"" A "\",\"to\":\"" A "\",\"gas\":\"0x5208\",\"nonce\":\"0x7\","
               "\"chainId\":\"0x1\",\"value\":\"0x10000000000000000\",\"maxFeePerGas\":\"0x3\","
               "\"maxPriorityFeePerGas\":\"0x2\",\"maxFeePerBlobGas\":\"0x4\",\"type\":\"0x2\","
               "\"accessList\":[{\"address\":\"" A "\",\"storageKeys\":[\"" H "\",\"" H "\"]},"
               "{\"address\":\"" A "\"}],\"blobVersionedHashes\":[\"" H "\"],"
               "\"authorizationList\":[{\"chainId\":\"0x1\",\"address\":\"" A "\","
               "\"nonce\":\"0x5\",\"yParity\":\"0x1\",\"r\":\"0x8\",\"s\":\"0x9\"}]}]",
               &tx));
    CHECK(tx.has_from && tx.has_to && tx.has_gas && tx.has_nonce && tx.has_chain_id &&
          tx.has_value);
    CHECK(tx.has_max_fee && tx.has_max_priority_fee && tx.has_max_blob_fee && !tx.has_gas_price);
    CHECK(tx.has_access_list && tx.has_blob_hashes && tx.has_authorizations && !tx.has_data);
    CHECK(tx.from.b[19] == 1 && tx.gas == 21000 && tx.nonce == 7 && tx.value.w[1] == 1);
    CHECK(tx.access_count == 2 && tx.access_list[0].slot_count == 2 &&
          tx.access_list[0].slots[1].b[31] == 2 && tx.access_list[1].slot_count == 0);
    CHECK(tx.blob_count == 1 && tx.authorization_count == 1);
    CHECK(tx.authorizations[0].nonce == 5 && tx.authorizations[0].signature.y_parity == 1 &&
          tx.authorizations[0].signature.s.w[0] == 9);
    param_rig_close(&rig);

    CHECK(read(&rig, "[{}]", &tx));
    CHECK(!tx.has_from && !tx.has_data && tx.data.len == 0);
    param_rig_close(&rig);
    CHECK(read(&rig, "[{\"to\":null,\"gasPrice\":\"0x1\",\"accessList\":[]}]", &tx));
    CHECK(!tx.has_to && tx.has_gas_price && tx.has_access_list && tx.access_count == 0);
    param_rig_close(&rig);
}

KL_TEST(tx_args_data_and_input)
{
    static const char *const good[] = {
        "[{\"data\":\"0x0102\"}]",
        "[{\"input\":\"0x0102\"}]",
        "[{\"data\":\"0x0102\",\"input\":\"0x0102\"}]",
        "[{\"data\":null,\"input\":\"0x0102\"}]",
    };
    struct param_rig rig;
    kl_tx_args tx;
    for (usize i = 0; i < KL_COUNT_OF(good); i++) {
        CHECK(read(&rig, good[i], &tx));
        CHECK(tx.has_data);
        CHECK_HEX(tx.data, "0102");
        param_rig_close(&rig);
    }
    CHECK(!read(&rig, "[{\"data\":\"0x01\",\"input\":\"0x02\"}]", &tx));
    param_rig_failed(&rig,
                     "both \"data\" and \"input\" are set and not equal. Please use \"input\" to "
                     "pass transaction call data");
}

KL_TEST(tx_args_that_are_wrong)
{
    static const struct {
        const char *params, *message;
    } rows[] = {
        {"[]", "missing value for required argument 0"},
        {"[7]", "invalid argument 0: object expected"},
        {"[{\"from\":\"0x1\"}]", "invalid argument 0: from: hex string of odd length"},
        {"[{\"gas\":21000}]", "invalid argument 0: gas: hex string expected"},
        {"[{\"value\":\"1\"}]", "invalid argument 0: value: hex string without 0x prefix"},
        {"[{\"data\":\"0x0\"}]", "invalid argument 0: data: hex string of odd length"},
        {"[{\"input\":\"0x0\"}]", "invalid argument 0: input: hex string of odd length"},
        {"[{\"gasPrice\":\"0x1\",\"maxFeePerGas\":\"0x1\"}]",
         "both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified"},
        {"[{\"gasPrice\":\"0x1\",\"maxPriorityFeePerGas\":\"0x1\"}]",
         "both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified"},
        {"[{\"accessList\":{}}]", "invalid argument 0: accessList: array expected"},
        {"[{\"accessList\":[7]}]", "invalid argument 0: accessList: object expected"},
        {"[{\"accessList\":[null]}]", "invalid argument 0: accessList: object expected"},
        {"[{\"accessList\":[{}]}]", "invalid argument 0: address: missing"},
        {"[{\"accessList\":[{\"address\":\"" A "\",\"storageKeys\":[\"0x1\"]}]}]",
         "invalid argument 0: storageKeys: hex string of odd length"},
        {"[{\"blobVersionedHashes\":[1]}]",
         "invalid argument 0: blobVersionedHashes: hex string expected"},
        {"[{\"authorizationList\":[{}]}]", "invalid argument 0: chainId: missing"},
        {"[{\"authorizationList\":1}]", "invalid argument 0: authorizationList: array expected"},
        {"[{\"authorizationList\":[{\"chainId\":\"0x1\",\"address\":\"" A "\",\"nonce\":\"0x5\","
         "\"yParity\":\"0x100\",\"r\":\"0x8\",\"s\":\"0x9\"}]}]",
         "invalid argument 0: yParity: hex number > 8 bits"},
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        struct param_rig rig;
        kl_tx_args tx;
        CHECK(!read(&rig, rows[i].params, &tx));
        param_rig_failed(&rig, rows[i].message);
    }
}
