/* keel_getFinalityProof: what it answers is judged by who wants to believe it. */
#include <stdio.h>

#include "base/test.h"
#include "codec/hex.h"
#include "crypto/keccak.h"
#include "light/bundle.h"
#include "rpc/chain_rig_priv.h"

static struct kl_light light;

static kl_light_result judge(struct chain_rig *rig, kl_span bundle, u64 from_epoch)
{
    struct kl_json json;
    kl_light_bundle read;
    kl_light_fault fault;
    kl_light_result result = {0};
    usize at;
    const kl_vote_domain domain = kl_chain_vote_domain(rig->chain);
    CHECK_OK(kl_json_parse(&json, bundle, 1 << 20, &rig->arena, &fault.rule, &at));
    CHECK_OK(kl_light_bundle_read(&read, &json, 0, &rig->arena, &fault));
    CHECK_RULE(fault.rule, KL_RULE_NONE);
    if (from_epoch == 0)
        CHECK_OK(kl_light_bundle_start(&light, &read, &domain.chain_id, &domain.genesis_hash,
                                       &rig->arena, &fault));
    CHECK_RULE(fault.rule, KL_RULE_NONE);
    CHECK_OK(kl_light_bundle_judge(&light, &result, &read, &rig->arena, &fault));
    CHECK_RULE(fault.rule, KL_RULE_NONE);
    return result;
}

static void check_block(struct chain_rig *rig, const kl_light_result *result, u64 number)
{
    struct kl_reader *reader;
    kl_hash hash;
    CHECK_OK(kl_reader_open(rig->chain, &reader));
    CHECK_OK(kl_reader_hash_of(reader, number, &hash));
    CHECK(kl_hash_eq(&hash, &result->block.hash) && result->block.header.number == number);
    kl_reader_close(reader);
}

KL_TEST(finality_proofs_hold)
{
    struct chain_rig rig;
    chain_rig_init_voting(&rig, 4);
    for (int i = 0; i < 10; i++)
        chain_rig_send(&rig, 0, &rig.account[1], 5, KL_SPAN_NONE);
    for (u64 number = 0; number <= 10; number++) {
        kl_span bundle = chain_rig_result(&rig, "keel_getFinalityProof", "[\"0x%llx\",\"%s\"]",
                                          (unsigned long long)number, rig.text[1]);
        kl_light_result result = judge(&rig, bundle, 0);
        check_block(&rig, &result, number);
        CHECK_U64(result.block.final_number, number == 0 ? 1 : number % 3 ? number : number + 1);
        CHECK(result.account_exists && result.block.signers == 3);
    }
    /* With slots, of nobody; and from what is trusted already. */
    kl_span bundle =
        chain_rig_result(&rig, "keel_getFinalityProof", "[\"0x2\",\"" RIG_C "\",[\"0x1\"]]");
    kl_light_result result = judge(&rig, bundle, 0);
    CHECK(!result.account_exists && light.epoch == 0);
    bundle = chain_rig_result(&rig, "keel_getFinalityProof", "[\"latest\",null,null,\"0x0\"]");
    result = judge(&rig, bundle, 1);
    check_block(&rig, &result, 10);
    CHECK_U64(light.epoch, 2);
    bundle = chain_rig_result(&rig, "keel_getFinalityProof", "[\"latest\",null,null,\"0x2\"]");
    CHECK(chain_rig_member(&rig, bundle, "genesis").len == 0);
    CHECK_U64(chain_rig_count(&rig, chain_rig_member(&rig, bundle, "epochs")), 0);
    result = judge(&rig, bundle, 2);
    check_block(&rig, &result, 10);
    chain_rig_done(&rig);
}

KL_TEST(finality_proofs_that_are_not_there)
{
    struct chain_rig rig;
    chain_rig_init_voting(&rig, 100);
    for (int i = 0; i < 3; i++)
        chain_rig_mine(&rig);
    chain_rig_check(&rig, "keel_getFinalityProof", "[\"0x3\"]",
                    "\"error\":{\"code\":-32001,\"message\":\"block 3 has no Finalization yet, or "
                    "what proves it is no longer kept\"}");
    chain_rig_error(&rig, "keel_getFinalityProof", "[\"0x9\"]");
    chain_rig_error(&rig, "keel_getFinalityProof", "[\"0x1\",null,[\"0x1\"]]");
    chain_rig_has(&rig, "slots without an address");
    chain_rig_error(&rig, "keel_getFinalityProof", "[\"0x1\",\"0x12\"]");
    chain_rig_error(&rig, "keel_getFinalityProof", "[\"0x1\",\"" RIG_C "\",[7]]");
    chain_rig_error(&rig, "keel_getFinalityProof", "[\"0x1\",\"" RIG_C "\",[],\"x\"]");
    chain_rig_done(&rig);
    chain_rig_init(&rig);
    chain_rig_check(&rig, "keel_getFinalityProof", "[]",
                    "\"error\":{\"code\":-32004,\"message\":\"nobody votes on this chain\"}");
    chain_rig_done(&rig);
}

/* The bytes are what the block's extraData is the hash of; the fields are what they say. */
KL_TEST(consensus_headers_are_served)
{
    struct chain_rig rig;
    chain_rig_init_voting(&rig, 4);
    for (int i = 0; i < 5; i++)
        chain_rig_mine(&rig);
    for (u64 number = 0; number <= 5; number++) {
        kl_span got = chain_rig_result(&rig, "keel_getConsensusHeader", "[\"0x%llx\"]",
                                       (unsigned long long)number);
        kl_span rlp = chain_rig_member(&rig, got, "rlp"), bytes;
        struct kl_reader *reader;
        kl_header header;
        kl_hash hash;
        kl_consensus_header consensus;
        bool full = false;
        CHECK_RULE(kl_hex_data(&bytes, rlp, &rig.arena, &full), KL_RULE_NONE);
        CHECK_OK(kl_reader_open(rig.chain, &reader));
        CHECK_OK(kl_reader_header(reader, number, &rig.arena, &header, &hash));
        kl_reader_close(reader);
        kl_hash digest = kl_keccak256(bytes);
        CHECK_SPAN(kl_hash_span(&digest), kl_span_of(header.extra_data, header.extra_len));
        CHECK_RULE(kl_consensus_header_decode(&consensus, bytes), KL_RULE_NONE);
        char want[32];
        snprintf(want, sizeof want, "0x%llx", (unsigned long long)consensus.view);
        CHECK_SPAN(chain_rig_member(&rig, got, "view"), kl_span_str(want));
        CHECK((chain_rig_member(&rig, got, "configHash").len > 0) == (number == 0));
    }
    chain_rig_error(&rig, "keel_getConsensusHeader", "[\"0x99\"]");
    chain_rig_done(&rig);
    chain_rig_init(&rig);
    chain_rig_check(&rig, "keel_getConsensusHeader", "[\"0x0\"]",
                    "\"error\":{\"code\":-32004,\"message\":\"nobody votes on this chain\"}");
    chain_rig_done(&rig);
}

/* Who is behind says how far, and by what; who is not, nothing. */
KL_TEST(status_says_how_far_behind_it_is)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    CHECK_SPAN(chain_rig_result(&rig, "eth_syncing", "[]"), kl_span_str("false"));
    CHECK_U64(chain_rig_member(&rig, chain_rig_result(&rig, "keel_status", "[]"), "syncing").len,
              0);
    rig.syncing = (kl_rpc_syncing){.first = 3, .height = 10, .target = 13, .eta_s = UINT64_MAX};
    CHECK_SPAN(chain_rig_result(&rig, "eth_syncing", "[]"), kl_span_str("false"));
    rig.syncing.target = 14;
    kl_span got = chain_rig_result(&rig, "eth_syncing", "[]");
    CHECK_SPAN(chain_rig_member(&rig, got, "startingBlock"), kl_span_str("0x3"));
    CHECK_SPAN(chain_rig_member(&rig, got, "currentBlock"), kl_span_str("0xa"));
    CHECK_SPAN(chain_rig_member(&rig, got, "highestBlock"), kl_span_str("0xe"));
    CHECK_U64(chain_rig_member(&rig, got, "stage").len, 0);
    CHECK_U64(chain_rig_member(&rig, got, "secondsToGo").len, 0);
    rig.syncing.eta_s = 2;
    got = chain_rig_result(&rig, "eth_syncing", "[]");
    CHECK_SPAN(chain_rig_member(&rig, got, "secondsToGo"), kl_span_str("0x2"));
    rig.syncing.eta_s = UINT64_MAX;
    rig.syncing.by_state = true;
    got = chain_rig_result(&rig, "eth_syncing", "[]");
    CHECK_SPAN(chain_rig_member(&rig, got, "stage"), kl_span_str("records"));
    CHECK_U64(chain_rig_member(&rig, got, "secondsToGo").len, 0);
    rig.syncing.state_ppm = 250000;
    rig.syncing.eta_s = 16;
    got = chain_rig_member(&rig, chain_rig_result(&rig, "keel_status", "[]"), "syncing");
    CHECK_SPAN(chain_rig_member(&rig, got, "by"), kl_span_str("state"));
    CHECK_SPAN(chain_rig_member(&rig, got, "stage"), kl_span_str("state"));
    CHECK_SPAN(chain_rig_member(&rig, got, "statePpm"), kl_span_str("0x3d090"));
    CHECK_SPAN(chain_rig_member(&rig, got, "secondsToGo"), kl_span_str("0x10"));
    chain_rig_done(&rig);
}

/* What was taken instead of executing, and in which time. */
KL_TEST(status_tells_what_was_filled)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    kl_span got = chain_rig_result(&rig, "keel_status", "[]");
    CHECK_U64(chain_rig_member(&rig, got, "filled").len, 0);
    rig.syncing = (kl_rpc_syncing){.height = 9, .target = 9, .filled = {9, 8, 7, 6, 5}};
    got = chain_rig_member(&rig, chain_rig_result(&rig, "keel_status", "[]"), "filled");
    CHECK_SPAN(got, kl_span_str("{\"number\":\"0x9\",\"blocks\":\"0x8\",\"blocksMs\":\"0x7\","
                                "\"stateLeaves\":\"0x6\",\"stateMs\":\"0x5\"}"));
    chain_rig_done(&rig);
}

/* From which block on there are states, and how far those before are. */
KL_TEST(status_tells_which_states_there_are)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    chain_rig_mine(&rig);
    kl_span got = chain_rig_member(&rig, chain_rig_result(&rig, "keel_status", "[]"), "history");
    CHECK_SPAN(got, kl_span_str("{\"from\":\"0x0\"}"));
    rig.history = (kl_rpc_history){.in_work = true, .height = 3, .target = 5, .eta_s = UINT64_MAX};
    got = chain_rig_member(&rig, chain_rig_result(&rig, "keel_status", "[]"), "history");
    CHECK_SPAN(chain_rig_member(&rig, got, "before"),
               kl_span_str("{\"number\":\"0x3\",\"target\":\"0x5\",\"waitsForRoom\":false}"));
    rig.history.eta_s = 16;
    rig.history.waits_for_room = true;
    got = chain_rig_member(&rig, chain_rig_result(&rig, "keel_status", "[]"), "history");
    got = chain_rig_member(&rig, got, "before");
    CHECK_SPAN(chain_rig_member(&rig, got, "secondsToGo"), kl_span_str("0x10"));
    CHECK_SPAN(chain_rig_member(&rig, got, "waitsForRoom"), kl_span_str("true"));
    chain_rig_done(&rig);
}

/* A checkpoint is reached or not; where the others have another block, both are told. */
KL_TEST(status_tells_of_the_checkpoint)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    kl_span got = chain_rig_result(&rig, "keel_status", "[]");
    CHECK_U64(chain_rig_member(&rig, got, "checkpoint").len, 0);
    rig.syncing = (kl_rpc_syncing){
        .height = 9, .target = 10, .checkpoint = {10, {.b = {0xab}}}, .eta_s = UINT64_MAX};
    got = chain_rig_member(&rig, chain_rig_result(&rig, "keel_status", "[]"), "checkpoint");
    CHECK_SPAN(chain_rig_member(&rig, got, "number"), kl_span_str("0xa"));
    CHECK(memcmp(chain_rig_member(&rig, got, "hash").p, "0xab00", 6) == 0);
    CHECK_SPAN(chain_rig_member(&rig, got, "reached"), kl_span_str("false"));
    CHECK_U64(chain_rig_member(&rig, got, "found").len, 0);
    rig.syncing.height = 10;
    got = chain_rig_member(&rig, chain_rig_result(&rig, "keel_status", "[]"), "checkpoint");
    CHECK_SPAN(chain_rig_member(&rig, got, "reached"), kl_span_str("true"));
    rig.syncing.height = 9;
    rig.syncing.off_checkpoint = true;
    rig.syncing.found.b[0] = 0xcd;
    got = chain_rig_member(&rig, chain_rig_result(&rig, "keel_status", "[]"), "checkpoint");
    CHECK_SPAN(chain_rig_member(&rig, got, "reached"), kl_span_str("false"));
    CHECK(memcmp(chain_rig_member(&rig, got, "found").p, "0xcd00", 6) == 0);
    chain_rig_done(&rig);
}

/* Who is well says so; where votes are missing, whose. */
KL_TEST(status_says_why_no_block_comes)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    chain_rig_mine(&rig);
    kl_span got = chain_rig_result(&rig, "keel_status", "[]");
    CHECK_SPAN(chain_rig_member(&rig, got, "engine"), kl_span_str("solo"));
    CHECK_SPAN(chain_rig_member(&rig, got, "health"), kl_span_str("good"));
    CHECK_SPAN(chain_rig_member(&rig, got, "number"), kl_span_str("0x1"));
    CHECK_SPAN(chain_rig_member(&rig, got, "peers"), kl_span_str("0x2"));
    CHECK_SPAN(chain_rig_member(&rig, got, "bytesSent"), kl_span_str("0x3e8"));
    CHECK_SPAN(chain_rig_member(&rig, got, "refused"), kl_span_str("0x4"));
    CHECK_SPAN(chain_rig_member(&rig, got, "bytesReceived"), kl_span_str("0x7d0"));
    kl_span dropped = chain_rig_member(&rig, got, "dropped");
    CHECK_SPAN(dropped, kl_span_str("{\"VOTE_SIGNATURE\":\"0x11\",\"SWARM_FULL\":\"0x5\"}"));
    CHECK_SPAN(chain_rig_member(&rig, got, "memory"), kl_span_str("0x320"));
    CHECK_SPAN(chain_rig_member(&rig, got, "maxMemory"), kl_span_str("0x3e8"));
    CHECK_SPAN(chain_rig_member(&rig, got, "refusesPeers"), kl_span_str("true"));
    CHECK_U64(chain_rig_member(&rig, got, "view").len, 0);
    CHECK_U64(chain_rig_member(&rig, got, "healthReason").len, 0);
    rig.health = KL_FULL;
    got = chain_rig_result(&rig, "keel_status", "[]");
    CHECK_SPAN(chain_rig_member(&rig, got, "health"), kl_span_str("disk full"));
    CHECK_SPAN(chain_rig_member(&rig, got, "healthReason"), kl_span_str("0 bytes free"));
    rig.health = KL_IO;
    got = chain_rig_result(&rig, "keel_status", "[]");
    CHECK_U64(chain_rig_member(&rig, got, "healthReason").len, 0);
    chain_rig_done(&rig);
    chain_rig_init_voting(&rig, 4);
    got = chain_rig_result(&rig, "keel_status", "[]");
    CHECK_SPAN(chain_rig_member(&rig, got, "engine"), kl_span_str("simplex"));
    CHECK_SPAN(chain_rig_member(&rig, got, "why"), kl_span_str("votes are missing"));
    CHECK_SPAN(chain_rig_member(&rig, got, "view"), kl_span_str("0x9"));
    CHECK_SPAN(chain_rig_member(&rig, got, "have"), kl_span_str("0x2"));
    CHECK_SPAN(chain_rig_member(&rig, got, "need"), kl_span_str("0x3"));
    CHECK_U64(chain_rig_count(&rig, chain_rig_member(&rig, got, "missing")), 1);
    CHECK_U64(chain_rig_count(&rig, chain_rig_member(&rig, got, "silent")), 1);
    CHECK_SPAN(chain_rig_member(&rig, got, "refusedBlocks"),
               kl_span_str("{\"CONSENSUS_TIME\":\"0x3\"}"));
    CHECK_SPAN(chain_rig_member(&rig, got, "stalledSeconds"), kl_span_str("0xc"));
    chain_rig_done(&rig);
}
