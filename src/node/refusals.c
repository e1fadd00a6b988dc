#include "node/refusals.h"

#include "base/int.h"
#include "codec/hex.h"

bool kl_refusals_add(kl_refusals *r, const kl_replica_refusal *refusal, u64 now_ns)
{
    if (r->count == KL_REFUSALS_WAITING_MAX || now_ns < r->buckets[refusal->why].next_ns) {
        r->buckets[refusal->why].more++;
        return false;
    }
    r->waiting[r->count].refusal = *refusal;
    r->waiting[r->count++].more = r->buckets[refusal->why].more;
    r->buckets[refusal->why].next_ns = kl_add_sat_u64(now_ns, KL_REFUSALS_PAUSE_NS);
    r->buckets[refusal->why].more = 0;
    return true;
}

static void print_json(struct kl_buf *out, const kl_replica_refusal *f, const char *leader,
                       u64 more)
{
    kl_buf_print(out, "{\"event\":\"blockRefused\",\"number\":%llu,\"view\":%llu,\"leader\":",
                 (unsigned long long)f->number, (unsigned long long)f->view);
    kl_buf_print(out, f->has_leader ? "\"0x%s\"" : "null", leader);
    kl_buf_print(out, ",\"rule\":\"%s\",\"text\":\"%s\",\"more\":%llu}\n", kl_rule_name(f->why),
                 kl_rule_text(f->why), (unsigned long long)more);
}

static void print_text(struct kl_buf *out, const kl_replica_refusal *f, const char *leader,
                       u64 more)
{
    kl_buf_print(out, "    Block %llu of view %llu, of %s%s, refused: %s (%s)",
                 (unsigned long long)f->number, (unsigned long long)f->view,
                 f->has_leader ? "0x" : "an unknown leader", leader, kl_rule_text(f->why),
                 kl_rule_name(f->why));
    if (more)
        kl_buf_print(out, ", and %llu more such", (unsigned long long)more);
    kl_buf_print(out, "\n\n");
}

void kl_refusals_print(kl_refusals *r, struct kl_buf *out, bool json)
{
    for (usize i = 0; i < r->count; i++) {
        const kl_replica_refusal *f = &r->waiting[i].refusal;
        char leader[2 * sizeof f->leader.b + 1] = "";
        if (f->has_leader)
            kl_hex_digits(leader, KL_SPAN_OF(f->leader.b));
        (json ? print_json : print_text)(out, f, leader, r->waiting[i].more);
    }
    r->count = 0;
}
