/* Transactions traced where they stand, over a chain. */
#include "base/test.h"
#include "rpc/chain_rig_priv.h"

/* Account 0 delivers what account 1 has signed: its delegation to 0x…cc.  Account 1 is there, which
 * gives gas back. */
#define DELEGATION                                                                                 \
    "0x04f8c9827a6980808477359400830186a09400000000000000000000000000000000000000dd8080c0f85ef85c" \
    "827a699400000000000000000000000000000000000000cc8080a0380a60d2b9ba35515a93d739188cd4633ad056" \
    "a38ff6189f3d4a6e5eb132909ba029aabb9a48ac6ac871e7e0874fa96f9d71be8ef5b2336e898017552da2adfea6" \
    "01a0b7f126dd0a83835ec4b5cb9e9717650e8bd549990d9b3878b04b565dc2a89096a03b07878eb706484a0f331d" \
    "7cebf86fe5911b649101b6a08c3814810a88c601e1"
#define HASH "0x897527e8022b78a9caca42784bd3c3d085551020fa924a770f5354dad995239a"

KL_TEST(debug_trace_transaction_delegates_as_the_block_did)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    chain_rig_check(&rig, "eth_sendRawTransaction", "[\"" DELEGATION "\"]",
                    "\"result\":\"" HASH "\"");
    chain_rig_check(&rig, "debug_traceTransaction", "[\"" HASH "\",{\"tracer\":\"callTracer\"}]",
                    "\"result\":{\"from\":\"0x7e5f4552091a69125d5dfcb7b8c2659029395bdf\",\"gas\":"
                    "\"0x186a0\",\"gasUsed\":\"0x8fc0\",\"to\":"
                    "\"0x00000000000000000000000000000000000000dd\",\"input\":\"0x\",\"value\":"
                    "\"0x0\",\"type\":\"CALL\"}");
    chain_rig_done(&rig);
}
