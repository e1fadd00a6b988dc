/* drops: lines of the log about peers whose connections were ended for breaking a rule.
 *
 * Every drop has its line, until they become many: of one rule, of peers in the list or of others,
 * KL_DROPS_AT_ONCE lines, and one more each KL_DROPS_PAUSE_NS; what is left out between is counted,
 * and told when the log is written the next time after a line may be, with the newest of them.  So
 * nobody who comes again and again fills a disk with that, and strangers do not hide what a peer in
 * the list did.
 * Memory is fixed.  Thread: one at a time. */
#ifndef KL_NODE_DROPS_H
#define KL_NODE_DROPS_H

#include "base/buf.h"
#include "node/net.h"

enum {
    KL_DROPS_AT_ONCE = 8,
    KL_DROPS_WAITING_MAX =
        64, /* lines that nobody has printed yet; further ones count as left out */
};
#define KL_DROPS_PAUSE_NS UINT64_C(4000000000)

typedef struct kl_drops_bucket {
    u64 from_ns;           /* a line may be written each pause from here on */
    u64 more;              /* left out since the last line */
    kl_net_dropped newest; /* of these */
} kl_drops_bucket;

typedef struct kl_drops {
    kl_drops_bucket buckets[2][KL_RULE_COUNT]; /* others; in the list */
    struct {
        kl_net_dropped dropped;
        u64 more;
    } waiting[KL_DROPS_WAITING_MAX];
    usize count;
    bool any_more;
} kl_drops;

/* Zeroes are an empty one.  True when there is a line to print. */
KL_MUST_USE bool kl_drops_add(kl_drops *drops, const kl_net_dropped *dropped);

/* Appends the lines that wait, for people or as JSON, and those that are due by now. */
void kl_drops_print(kl_drops *drops, struct kl_buf *out, bool json, u64 now_ns);

#endif
