/* Any bytes as a stream of RPCs, in two parts: what passes the check can be read, within the
 * limits. */
#include "base/fuzz.h"
#include "p2p/delimited.h"
#include "p2p/gossip_rpc.h"

static void read(kl_span rpc)
{
    kl_gossip_cursor cursor = {.rpc = rpc};
    kl_gossip_item item;
    usize items = 0, ids[KL_GOSSIP_IDONTWANT + 1] = {0}, peers;
    while (kl_gossip_next(&cursor, &item)) {
        const u8 *id;
        kl_gossip_px px;
        items++;
        KL_ASSERT(item.topic.len <= KL_GOSSIP_TOPIC_MAX);
        if (item.kind == KL_GOSSIP_PRUNE) {
            for (peers = 0; kl_gossip_next_px(&item.list, &px); peers++)
                KL_ASSERT(peers < KL_GOSSIP_PX_MAX);
        } else if (item.list.number) {
            while (kl_gossip_next_id(&item.list, &id))
                KL_ASSERT(ids[item.kind]++ < KL_GOSSIP_IDS_MAX);
        }
    }
    KL_ASSERT(items <=
              KL_GOSSIP_SUBSCRIPTIONS_MAX + KL_GOSSIP_MESSAGES_MAX + KL_GOSSIP_CONTROLS_MAX);
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    struct kl_delimited d;
    kl_rule broken = KL_RULE_NONE;
    usize cut = len ? bytes[0] % len : 0;
    if (kl_gossip_rpc_check(kl_span_of(bytes, len)) == KL_RULE_NONE)
        read(kl_span_of(bytes, len));
    kl_delimited_init(&d, KL_GOSSIP_RPC_MAX);
    for (int part = 0; part < 2; part++) {
        kl_span in = part ? kl_span_of(bytes + cut, len - cut) : kl_span_of(bytes, cut);
        while (in.len && broken == KL_RULE_NONE) {
            kl_span rpc;
            bool whole;
            KL_ASSERT(kl_delimited_next(&d, &in, &rpc, &whole, &broken) == KL_OK);
            if (whole && kl_gossip_rpc_check(rpc) == KL_RULE_NONE)
                read(rpc);
        }
    }
    kl_delimited_done(&d);
    return 0;
}
