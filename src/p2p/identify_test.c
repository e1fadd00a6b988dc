#include "p2p/identify.h"

#include "base/test.h"
#include "codec/protobuf.h"
#include "p2p/peer_record.h"

/* An envelope that js-libp2p's RecordEnvelope.seal made: key of 32 bytes 7, two addresses. */
#define ENVELOPE                                                                       \
    "0a2408011220ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c"     \
    "120203011a500a26002408011220ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92"     \
    "421eea691446d22c10cb89ec8ff7231a0a0a0804c000020706765f1a130a11360c6e6f64652e"     \
    "6578616d706c6506765f2a40a75fe510131098ae8f8402cbd288a93a5b925bb5e7a397bfd0d919b0" \
    "92724c6a90211f38922dbafd15ca436caae420ac1d89111ebb80faa36033b9b33fcba805"

static kl_peer_record known_record(kl_secret32 *secret)
{
    memset(secret->b, 7, sizeof secret->b);
    kl_peer_record record = {.peer = kl_peer_id_of(secret), .seq = 1234567890123, .count = 2};
    CHECK_RULE(kl_multiaddr_parse(&record.addrs[0], kl_span_str("/ip4/192.0.2.7/tcp/30303")),
               KL_RULE_NONE);
    CHECK_RULE(kl_multiaddr_parse(&record.addrs[1], kl_span_str("/dns4/node.example/tcp/30303")),
               KL_RULE_NONE);
    return record;
}

KL_TEST(peer_record_known_answer)
{
    kl_secret32 secret;
    kl_peer_record record = known_record(&secret), back;
    u8 room[KL_RECORD_MAX];
    kl_out out = kl_out_of(room, sizeof room);
    kl_peer_record_seal(&out, &record, &secret);
    CHECK_HEX(kl_out_done(&out), ENVELOPE);
    CHECK_RULE(kl_peer_record_open(&back, kl_out_done(&out)), KL_RULE_NONE);
    CHECK(kl_peer_id_eq(&back.peer, &record.peer));
    CHECK_U64(back.seq, record.seq);
    CHECK_U64(back.count, 2);
    CHECK(kl_multiaddr_eq(&back.addrs[1], &record.addrs[1]));
}

/* No bit of it can be changed, and no end cut off. */
KL_TEST(peer_record_tampered)
{
    kl_span good = kl_test_hex(ENVELOPE);
    u8 room[512];
    kl_peer_record record;
    for (usize bit = 0; bit < 8 * good.len; bit++) {
        memcpy(room, good.p, good.len);
        room[bit / 8] ^= (u8)(1u << bit % 8);
        CHECK(kl_peer_record_open(&record, kl_span_of(room, good.len)) != KL_RULE_NONE);
    }
    for (usize len = 0; len < good.len; len++)
        CHECK(kl_peer_record_open(&record, kl_span_of(good.p, len)) != KL_RULE_NONE);
}

/* Signed well, but about somebody else. */
KL_TEST(peer_record_of_another)
{
    kl_secret32 secret, other = {{8}};
    kl_peer_record record = known_record(&secret);
    u8 room[KL_RECORD_MAX], name[KL_PEER_ID_LEN];
    kl_peer_id id = kl_peer_id_of(&other);
    kl_out out = kl_out_of(room, sizeof room), to = kl_out_of(name, sizeof name);
    kl_peer_record_seal(&out, &record, &secret);
    kl_peer_id_put(&to, &id);
    u8 *payload = memmem(room, out.len, "\x0a\x26\x00\x24\x08\x01", 6);
    CHECK(payload != NULL);
    memcpy(payload + 2, name, sizeof name);
    CHECK_RULE(kl_peer_record_open(&record, kl_out_done(&out)), KL_RULE_RECORD_PEER);
}

static void fill(kl_identify *id, u64 *seed)
{
    static const char *const names[] = {"/ipfs/id/1.0.0", "/ipfs/ping/1.0.0", "/meshsub/1.1.0"};
    *id = (kl_identify){.has_key = kl_rand(seed) & 1,
                        .has_observed = kl_rand(seed) & 1,
                        .addr_count = kl_rand_below(seed, KL_IDENTIFY_ADDRS_MAX + 1),
                        .protocol_count = kl_rand_below(seed, KL_IDENTIFY_PROTOCOLS_MAX + 1),
                        .agent_version = kl_span_str("keel/0.1"),
                        .record = kl_test_hex(ENVELOPE)};
    kl_rand_fill(seed, id->key.key, sizeof id->key.key);
    kl_multiaddr addr;
    CHECK_RULE(kl_multiaddr_parse(&addr, kl_span_str("/ip6/::1/tcp/7")), KL_RULE_NONE);
    id->observed = addr;
    for (usize i = 0; i < id->addr_count; i++) {
        addr.port = (u16)i;
        id->addrs[i] = addr;
    }
    for (usize i = 0; i < id->protocol_count; i++)
        id->protocols[i] = kl_span_str(names[i % 3]);
}

KL_TEST(identify_round_trip)
{
    static kl_identify id, back;
    for (int i = 0; i < 200; i++) {
        u8 room[KL_IDENTIFY_MAX];
        fill(&id, seed);
        kl_out out = kl_out_of(room, sizeof room);
        kl_identify_put(&out, &id);
        CHECK(!out.full);
        CHECK_RULE(kl_identify_get(&back, kl_out_done(&out)), KL_RULE_NONE);
        CHECK(back.has_key == id.has_key && back.has_observed == id.has_observed);
        CHECK(!id.has_key || kl_peer_id_eq(&id.key, &back.key));
        CHECK_U64(back.addr_count, id.addr_count);
        CHECK_U64(back.protocol_count, id.protocol_count);
        for (usize k = 0; k < id.addr_count; k++)
            CHECK(kl_multiaddr_eq(&id.addrs[k], &back.addrs[k]));
        for (usize k = 0; k < id.protocol_count; k++)
            CHECK_SPAN(back.protocols[k], id.protocols[k]);
        CHECK_SPAN(back.agent_version, id.agent_version);
        CHECK_SPAN(back.record, id.record);
        CHECK(kl_identify_speaks(&back, kl_span_str("/meshsub/1.1.0")) == (id.protocol_count > 2));
        CHECK(kl_identify_get(&back, kl_span_of(room, kl_rand_below(seed, out.len))) !=
              KL_RULE_NONE);
    }
}

/* Two messages add up; kinds that are not spoken here are passed over; too much is refused. */
KL_TEST(identify_limits)
{
    static kl_identify id;
    static u8 room[KL_IDENTIFY_MAX + 1];
    CHECK_RULE(kl_identify_get(&id, kl_test_hex("031a012f 061a0161320162")), KL_RULE_NONE);
    CHECK_U64(id.protocol_count, 2);
    CHECK_SPAN(id.agent_version, kl_span_str("b"));
    /* a UDP address, and a key of secp256k1 */
    CHECK_RULE(kl_identify_get(&id, kl_test_hex("13 1209047f00000191020001 0a06080212020102")),
               KL_RULE_NONE);
    CHECK(id.addr_count == 0 && !id.has_key);
    CHECK_RULE(kl_identify_get(&id, kl_test_hex("021a02")), KL_RULE_PB_SHORT);
    CHECK_RULE(kl_identify_get(&id, kl_test_hex("021801")), KL_RULE_IDENTIFY_FORM);
    CHECK_RULE(kl_identify_get(&id, kl_test_hex("0a1a00")), KL_RULE_IDENTIFY_FORM);
    CHECK_RULE(kl_identify_get(&id, KL_SPAN_NONE), KL_RULE_IDENTIFY_FORM);
    CHECK_RULE(kl_identify_get(&id, KL_SPAN_OF(room)), KL_RULE_IDENTIFY_LONG);
    kl_out out = kl_out_of(room, sizeof room);
    kl_varint_put(&out, 2 * (KL_IDENTIFY_PROTOCOLS_MAX + 1));
    for (usize i = 0; i <= KL_IDENTIFY_PROTOCOLS_MAX; i++)
        kl_pb_put_bytes(&out, 3, KL_SPAN_NONE);
    CHECK_RULE(kl_identify_get(&id, kl_out_done(&out)), KL_RULE_IDENTIFY_COUNT);
}
