/* A bucket is a time: lines are as if written a pause apart, and may be ahead of the clock by as
 * many as may come at once. */
#include "node/drops.h"

#include "base/int.h"

/* Takes a line's room; false when there is none by now. */
static bool take(kl_drops_bucket *b, u64 now_ns)
{
    u64 next_ns = kl_add_sat_u64(KL_MAX(b->from_ns, now_ns), KL_DROPS_PAUSE_NS);
    if (next_ns - now_ns > KL_DROPS_AT_ONCE * KL_DROPS_PAUSE_NS)
        return false;
    b->from_ns = next_ns;
    return true;
}

bool kl_drops_add(kl_drops *drops, const kl_net_dropped *dropped)
{
    kl_drops_bucket *b = &drops->buckets[dropped->listed][dropped->why];
    if (drops->count == KL_DROPS_WAITING_MAX || !take(b, dropped->at_ns)) {
        b->more++;
        b->newest = *dropped;
        drops->any_more = true;
        return false;
    }
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

static void print(struct kl_buf *out, const kl_net_dropped *d, u64 more, bool json)
{
    char id[KL_BASE58_TEXT_MAX] = "";
    if (d->has_id)
        (void)kl_peer_id_text(id, &d->id);
    (json ? print_json : print_text)(out, d, id, more);
}

void kl_drops_print(kl_drops *drops, struct kl_buf *out, bool json, u64 now_ns)
{
    for (usize i = 0; i < drops->count; i++)
        print(out, &drops->waiting[i].dropped, drops->waiting[i].more, json);
    drops->count = 0;
    if (!drops->any_more)
        return;
    drops->any_more = false;
    for (usize i = 0; i < 2 * KL_RULE_COUNT; i++) {
        kl_drops_bucket *b = &drops->buckets[i / KL_RULE_COUNT][i % KL_RULE_COUNT];
        if (b->more && take(b, now_ns)) {
            print(out, &b->newest, b->more - 1, json);
            b->more = 0;
        }
        drops->any_more |= b->more > 0;
    }
}
