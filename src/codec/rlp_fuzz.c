/* Any bytes: check and cursor agree, and what is accepted writes back to the same bytes. */
#include <stdlib.h>

#include "base/fuzz.h"
#include "codec/rlp.h"

enum { DEPTH = 16 };

/* Reads every item in every way a caller may. */
static void try_kinds(const kl_rlp *from)
{
    kl_rlp at = *from;
    u64 small;
    kl_u256 wide;
    kl_hash hash;
    kl_address address;
    bool has;
    if (kl_rlp_u64(&at, &small) != KL_RULE_NONE)
        KL_ASSERT(at.rest.p == from->rest.p && at.rest.len == from->rest.len);
    at = *from;
    (void)kl_rlp_u256(&at, &wide);
    at = *from;
    (void)kl_rlp_hash(&at, &hash);
    at = *from;
    (void)kl_rlp_maybe_address(&at, &address, &has);
    usize count;
    (void)kl_rlp_count(from, &count);
}

static kl_rule copy(kl_out *out, kl_span bytes)
{
    kl_rlp items[DEPTH + 1] = {{bytes}};
    kl_rlp_mark marks[DEPTH + 1];
    for (usize depth = 0;;) {
        if (kl_rlp_end(&items[depth])) {
            if (depth == 0)
                return KL_RULE_NONE;
            KL_ASSERT(kl_rlp_close(&items[depth]) == KL_RULE_NONE);
            kl_rlp_put_end(out, marks[depth--]);
            continue;
        }
        try_kinds(&items[depth]);
        kl_rlp look = items[depth];
        kl_span item;
        bool is_list;
        KL_JUDGE(kl_rlp_item(&look, &item, &is_list));
        if (!is_list) {
            KL_JUDGE(kl_rlp_bytes(&items[depth], &item));
            kl_rlp_put_bytes(out, item);
        } else if (depth == DEPTH) {
            return KL_RULE_RLP_DEPTH;
        } else {
            KL_JUDGE(kl_rlp_list(&items[depth], &items[depth + 1]));
            marks[++depth] = kl_rlp_put_begin(out);
        }
    }
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    kl_span in = kl_span_of(bytes, len);
    u8 *room = malloc(len + 1);
    KL_ASSERT(room);
    kl_out out = kl_out_of(room, len);
    kl_rule check = kl_rlp_check(in, DEPTH), walk = copy(&out, in);
    if (check == KL_RULE_NONE)
        KL_ASSERT(walk == KL_RULE_NONE && kl_span_eq(kl_out_done(&out), in));
    else
        KL_ASSERT(walk != KL_RULE_NONE || check == KL_RULE_RLP_TRAILING || len == 0);
    kl_rlp items;
    kl_rule open = kl_rlp_open(&items, in);
    KL_ASSERT(check != KL_RULE_NONE || (open == KL_RULE_NONE) == (len && bytes[0] >= 0xc0));
    free(room);
    return 0;
}
