/* A bucket is a time: lines are as if written a pause apart, and may be ahead of the clock by as
 * many as may come at once. */
#include "node/drops.h"

#include "base/int.h"

bool kl_drops_add(kl_drops *drops, const kl_net_dropped *dropped)
{
    kl_drops_bucket *b = &drops->buckets[dropped->listed][dropped->why];
    u64 ahead_ns = KL_DROPS_AT_ONCE * KL_DROPS_PAUSE_NS;
    u64 next_ns = kl_add_sat_u64(KL_MAX(b->from_ns, dropped->at_ns), KL_DROPS_PAUSE_NS);
    if (next_ns - dropped->at_ns > ahead_ns || drops->count == KL_DROPS_WAITING_MAX) {
        b->more++;
        return false;
    }
    b->from_ns = next_ns;
    drops->waiting[drops->count].dropped = *dropped;
    drops->waiting[drops->count++].more = b->more;
    b->more = 0;
    return true;
}

static void print_json(struct kl_buf *out, const kl_net_dropped *d, const char *id, u64 more)
{
    kl_buf_print(out, "{\"event\":\"peerDropped\",\"peer\":");
    kl_buf_print(out, d->has_id ? "\"%s\"" : "null", id);
    kl_buf_print(
        out, ",\"address\":\"%s\",\"listed\":%s,\"rule\":\"%s\",\"text\":\"%s\",\"more\":%llu}\n",
        d->address, d->listed ? "true" : "false", kl_rule_name(d->why), kl_rule_text(d->why),
        (unsigned long long)more);
}

static void print_text(struct kl_buf *out, const kl_net_dropped *d, const char *id, u64 more)
{
    kl_buf_print(out, "    Peer dropped: %s at %s: %s (%s)", d->has_id ? id : "unknown", d->address,
                 kl_rule_text(d->why), kl_rule_name(d->why));
    if (more)
        kl_buf_print(out, ", and %llu more such", (unsigned long long)more);
    kl_buf_print(out, "\n\n");
}

void kl_drops_print(kl_drops *drops, struct kl_buf *out, bool json)
{
    for (usize i = 0; i < drops->count; i++) {
        const kl_net_dropped *d = &drops->waiting[i].dropped;
        char id[KL_BASE58_TEXT_MAX] = "";
        if (d->has_id)
            (void)kl_peer_id_text(id, &d->id);
        (json ? print_json : print_text)(out, d, id, drops->waiting[i].more);
    }
    drops->count = 0;
}
