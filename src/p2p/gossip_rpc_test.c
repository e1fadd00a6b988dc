#include "p2p/gossip_rpc.h"

#include "base/test.h"
#include "codec/protobuf.h"

static struct kl_gossip_rpc rpc;
static struct kl_buf out, peers;

static void start(void)
{
    kl_gossip_rpc_init(&rpc, 1 << 22);
    kl_buf_init(&out, 1 << 22);
    kl_buf_init(&peers, 1 << 22);
}

static void stop(void)
{
    kl_gossip_rpc_done(&rpc);
    kl_buf_done(&out);
    kl_buf_done(&peers);
}

/* The RPC behind its length. */
static kl_span finish(void)
{
    u64 len;
    kl_buf_clear(&out);
    kl_gossip_rpc_finish(&rpc, &out);
    CHECK(!out.failed);
    kl_span bytes = kl_buf_view(&out);
    CHECK_RULE(kl_varint(&bytes, &len), KL_RULE_NONE);
    CHECK_U64(len, bytes.len);
    return bytes;
}

static const u8 *id_of(u8 n)
{
    static u8 room[256][KL_GOSSIP_ID_LEN];
    memset(room[n], n, KL_GOSSIP_ID_LEN);
    return room[n];
}

/* What js-libp2p's RPC.encode makes of one of each. */
KL_TEST(gossip_rpc_known_answer)
{
    kl_peer_id id;
    start();
    CHECK_RULE(kl_peer_id_get(&id, kl_test_hex("0024080112203b6a27bcceb6a42d62a3a8d02a6f0d736532"
                                               "15771de243a63ac048a18b59da29")),
               KL_RULE_NONE);
    kl_span tx = kl_span_str("tx"), b = kl_span_str("b");
    kl_gossip_put_subscription(&rpc, true, tx);
    kl_gossip_put_subscription(&rpc, false, b);
    kl_gossip_put_message(&rpc, tx, kl_test_hex("010203"));
    kl_gossip_put_ihave(&rpc, tx, 2);
    kl_gossip_put_have_id(&rpc, id_of(1));
    kl_gossip_put_have_id(&rpc, id_of(2));
    kl_gossip_put_iwant(&rpc, 1);
    kl_gossip_put_want_id(&rpc, id_of(3));
    kl_gossip_put_graft(&rpc, tx);
    kl_gossip_put_px(&peers, &id, kl_test_hex("0909"));
    kl_gossip_put_prune(&rpc, b, true, 60, kl_buf_view(&peers));
    kl_gossip_put_idontwant(&rpc, 1);
    kl_gossip_put_want_id(&rpc, id_of(4));
    CHECK_HEX(finish(),
              "0a060801120274780a05080012016212091203010203220274781acd010a480a02747812200101010101"
              "010101010101010101010101010101010101010101010101010101122002020202020202020202020202"
              "0202020202020202020202020202020202020212220a2003030303030303030303030303030303030303"
              "030303030303030303030303031a040a02747822330a0162122c0a260024080112203b6a27bcceb6a42d"
              "62a3a8d02a6f0d73653215771de243a63ac048a18b59da2912020909183c2a220a200404040404040404"
              "040404040404040404040404040404040404040404040404");
    stop();
}

/* Any RPC is understood as it was meant. */
KL_TEST(gossip_rpc_round_trip)
{
    for (int round = 0; round < 200; round++) {
        struct {
            kl_gossip_kind kind;
            u8 topic, count, backoff;
        } meant[40];
        usize n = kl_rand_below(seed, KL_COUNT_OF(meant)), heard = 0;
        start();
        for (usize i = 0; i < n; i++) { /* subscriptions and messages stand before control */
            meant[i].kind =
                (kl_gossip_kind)(2 * i < n ? kl_rand_below(seed, 3) : 3 + kl_rand_below(seed, 5));
            meant[i].topic = (u8)('a' + kl_rand_below(seed, 26));
            meant[i].count = (u8)kl_rand_below(seed, KL_GOSSIP_PX_MAX + 1);
            meant[i].backoff = (u8)kl_rand_below(seed, 100);
            kl_span topic = kl_span_of(&meant[i].topic, 1);
            kl_peer_id id = {{meant[i].topic}};
            switch (meant[i].kind) {
            case KL_GOSSIP_SUBSCRIBE:
            case KL_GOSSIP_UNSUBSCRIBE:
                kl_gossip_put_subscription(&rpc, meant[i].kind == KL_GOSSIP_SUBSCRIBE, topic);
                break;
            case KL_GOSSIP_MESSAGE:
                kl_gossip_put_message(&rpc, topic, kl_span_of(id_of(7), meant[i].count));
                break;
            case KL_GOSSIP_IHAVE:
                kl_gossip_put_ihave(&rpc, topic, meant[i].count);
                for (u8 k = 0; k < meant[i].count; k++)
                    kl_gossip_put_have_id(&rpc, id_of(k));
                break;
            case KL_GOSSIP_IWANT:
            case KL_GOSSIP_IDONTWANT:
                if (meant[i].kind == KL_GOSSIP_IWANT)
                    kl_gossip_put_iwant(&rpc, meant[i].count);
                else
                    kl_gossip_put_idontwant(&rpc, meant[i].count);
                for (u8 k = 0; k < meant[i].count; k++)
                    kl_gossip_put_want_id(&rpc, id_of(k));
                break;
            case KL_GOSSIP_GRAFT:
                kl_gossip_put_graft(&rpc, topic);
                break;
            case KL_GOSSIP_PRUNE:
                kl_buf_clear(&peers);
                for (u8 k = 0; k < meant[i].count; k++)
                    kl_gossip_put_px(&peers, &id, kl_span_of(id_of(9), k));
                kl_gossip_put_prune(&rpc, topic, meant[i].backoff > 0, meant[i].backoff,
                                    kl_buf_view(&peers));
                break;
            }
        }
        kl_span bytes = finish();
        CHECK_RULE(kl_gossip_rpc_check(bytes), KL_RULE_NONE);
        kl_gossip_cursor cursor = {.rpc = bytes};
        kl_gossip_item item;
        for (; kl_gossip_next(&cursor, &item); heard++) {
            CHECK(heard < n && item.kind == meant[heard].kind && !item.is_signed);
            if (item.kind != KL_GOSSIP_IWANT && item.kind != KL_GOSSIP_IDONTWANT)
                CHECK_SPAN(item.topic, kl_span_of(&meant[heard].topic, 1));
            u8 count = 0;
            const u8 *id;
            kl_gossip_px px;
            if (item.kind == KL_GOSSIP_MESSAGE)
                CHECK_U64(item.data.len, meant[heard].count);
            else if (item.kind == KL_GOSSIP_PRUNE)
                for (; kl_gossip_next_px(&item.list, &px); count++)
                    CHECK(px.has_peer && px.record.len == count &&
                          px.peer.key[0] == meant[heard].topic);
            else if (item.list.number)
                for (; kl_gossip_next_id(&item.list, &id); count++)
                    CHECK(memcmp(id, id_of(count), KL_GOSSIP_ID_LEN) == 0);
            if (item.list.number)
                CHECK_U64(count, meant[heard].count);
            if (item.kind == KL_GOSSIP_PRUNE)
                CHECK(item.has_backoff == (meant[heard].backoff > 0) &&
                      item.backoff_s == meant[heard].backoff);
        }
        CHECK_U64(heard, n);
        stop();
    }
}

KL_TEST(gossip_rpc_signed)
{
    static const char *const fields[] = {"0a00", "1a00", "2a00", "3200"};
    for (usize i = 0; i < KL_COUNT_OF(fields); i++) {
        u8 room[8] = {0x12, 5, 0x22, 1, 'a'};
        memcpy(room + 5, kl_test_hex(fields[i]).p, 2);
        kl_gossip_cursor cursor = {.rpc = kl_span_of(room, 7)};
        kl_gossip_item item;
        CHECK_RULE(kl_gossip_rpc_check(cursor.rpc), KL_RULE_NONE);
        CHECK(kl_gossip_next(&cursor, &item));
        CHECK(item.is_signed);
    }
}

static kl_rule judge(const char *hex)
{
    return kl_gossip_rpc_check(kl_test_hex(hex));
}

KL_TEST(gossip_rpc_malformed)
{
    CHECK_RULE(judge("0801"), KL_RULE_GOSSIP_FORM);         /* a subscription that is a number */
    CHECK_RULE(judge("0a020a00"), KL_RULE_GOSSIP_FORM);     /* "subscribe" that is bytes */
    CHECK_RULE(judge("0a021001"), KL_RULE_GOSSIP_FORM);     /* a topic that is a number */
    CHECK_RULE(judge("12021001"), KL_RULE_GOSSIP_FORM);     /* data that is a number */
    CHECK_RULE(judge("1a020801"), KL_RULE_GOSSIP_FORM);     /* IHAVE that is a number */
    CHECK_RULE(judge("1a040a021001"), KL_RULE_GOSSIP_FORM); /* an id that is a number */
    CHECK_RULE(judge("1a0422021a00"), KL_RULE_GOSSIP_FORM); /* a back-off that is bytes */
    CHECK_RULE(judge("1a0a0a05"), KL_RULE_PB_SHORT);
    CHECK_RULE(judge("1a020a05"), KL_RULE_PB_SHORT);
    CHECK_RULE(judge("1a0622041202 0a05"), KL_RULE_PB_SHORT); /* inside a peer of a PRUNE */
    CHECK_RULE(judge("2201ff 28013500000000"), KL_RULE_NONE); /* unknown fields */
}

/* Each limit: what stands at it passes, one more does not. */
KL_TEST(gossip_rpc_limits)
{
    for (usize more = 0; more < 2; more++) {
        kl_rule want = more ? KL_RULE_GOSSIP_COUNT : KL_RULE_NONE;
        kl_span topic = kl_span_str("t");
        kl_peer_id id = {{1}};
        static u8 name[KL_GOSSIP_TOPIC_MAX + 1];
        start();
        for (usize i = 0; i < KL_GOSSIP_SUBSCRIPTIONS_MAX + more; i++)
            kl_gossip_put_subscription(&rpc, true, topic);
        CHECK_RULE(kl_gossip_rpc_check(finish()), want);
        for (usize i = 0; i < KL_GOSSIP_MESSAGES_MAX + more; i++)
            kl_gossip_put_message(&rpc, topic, KL_SPAN_NONE);
        CHECK_RULE(kl_gossip_rpc_check(finish()), want);
        for (usize i = 0; i < KL_GOSSIP_CONTROLS_MAX + more; i++)
            kl_gossip_put_graft(&rpc, topic);
        CHECK_RULE(kl_gossip_rpc_check(finish()), want);
        for (int kind = 0; kind < 3; kind++) {
            for (int half = 0; half < 2; half++) {
                usize n = KL_GOSSIP_IDS_MAX / 2 + (half ? more : 0);
                if (kind == 0)
                    kl_gossip_put_ihave(&rpc, topic, n);
                else if (kind == 1)
                    kl_gossip_put_iwant(&rpc, n);
                else
                    kl_gossip_put_idontwant(&rpc, n);
                for (usize i = 0; i < n; i++)
                    if (kind == 0)
                        kl_gossip_put_have_id(&rpc, id_of(0));
                    else
                        kl_gossip_put_want_id(&rpc, id_of(0));
            }
            CHECK_RULE(kl_gossip_rpc_check(finish()), want);
        }
        for (usize i = 0; i < KL_GOSSIP_PX_MAX + more; i++)
            kl_gossip_put_px(&peers, &id, KL_SPAN_NONE);
        kl_gossip_put_prune(&rpc, topic, false, 0, kl_buf_view(&peers));
        CHECK_RULE(kl_gossip_rpc_check(finish()), want);
        kl_gossip_put_subscription(&rpc, true, kl_span_of(name, KL_GOSSIP_TOPIC_MAX + more));
        CHECK_RULE(kl_gossip_rpc_check(finish()), want);
        stop();
    }
}
