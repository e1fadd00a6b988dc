#include "p2p/peer_id.h"

#include "base/test.h"

/* [libp2p specs, peer-ids: test vectors] */
KL_TEST(peer_id_known_answer)
{
    kl_secret32 secret;
    memcpy(secret.b,
           kl_test_hex("7e0830617c4a7de83925dfb2694556b12936c477a0e1feb2e148ec9da60fee7d").p, 32);
    u8 room[KL_PEER_KEY_LEN];
    kl_out out = kl_out_of(room, sizeof room);
    kl_peer_id id = kl_peer_id_of(&secret);
    kl_peer_key_put(&out, &id);
    CHECK_HEX(kl_out_done(&out),
              "080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e");
}

/* Every form leads back to the id, and no other text or bytes do. */
KL_TEST(peer_id_forms)
{
    for (int i = 0; i < 200; i++) {
        kl_peer_id id, back;
        char text[KL_BASE58_TEXT_MAX];
        u8 room[KL_PEER_ID_LEN];
        kl_rand_fill(seed, id.key, sizeof id.key);
        usize len = kl_peer_id_text(text, &id);
        CHECK_U64(len, 52);
        CHECK_SPAN(kl_span_of(text, 8), kl_span_str("12D3KooW"));
        CHECK_RULE(kl_peer_id_parse(&back, kl_span_of(text, len)), KL_RULE_NONE);
        CHECK(kl_peer_id_eq(&id, &back));
        kl_out out = kl_out_of(room, sizeof room);
        kl_peer_id_put(&out, &id);
        CHECK_RULE(kl_peer_id_get(&back, KL_SPAN_OF(room)), KL_RULE_NONE);
        CHECK(kl_peer_id_eq(&id, &back));
        usize at = kl_rand_below(seed, sizeof room);
        room[at] ^= (u8)(1u << kl_rand_below(seed, 8));
        if (kl_peer_id_get(&back, KL_SPAN_OF(room)) == KL_RULE_NONE)
            CHECK(!kl_peer_id_eq(&id, &back) && at >= 6);
        CHECK(kl_peer_id_get(&back, kl_span_of(room, at)) != KL_RULE_NONE);
        CHECK(kl_peer_id_parse(&back, kl_span_of(text, len - 1)) != KL_RULE_NONE);
    }
}

KL_TEST(peer_key_refuses_other_kinds)
{
    kl_peer_id id;
    static const char *const bad[] = {
        "080212201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e", /* secp256k1 */
        "0801121f1ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce2",
        "12201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e0801",
        "080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e0801",
        "0801",
        "",
    };
    for (usize i = 0; i < KL_COUNT_OF(bad); i++)
        CHECK(kl_peer_key(&id, kl_test_hex(bad[i])) != KL_RULE_NONE);
}
