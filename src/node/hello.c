#include "node/hello.h"

#include "codec/rlp.h"
#include "node/herald.h"

enum { VERSION = 1, HELLO_BYTES = 96 + KL_HERALD_MAX };

void kl_hello_put(struct kl_buf *buf, const kl_fork_place *place, kl_span pass)
{
    u8 room[HELLO_BYTES];
    kl_out out = kl_out_of(room, sizeof room);
    kl_fork_stamp stamp = kl_fork_stamp_of(place);
    kl_rlp_mark list = kl_rlp_put_begin(&out);
    kl_rlp_put_u64(&out, VERSION);
    kl_rlp_put_bytes(&out, kl_span_of(place->genesis_hash->b, sizeof place->genesis_hash->b));
    kl_rlp_put_u64(&out, stamp.id);
    kl_rlp_put_u64(&out, stamp.next);
    if (pass.len)
        kl_rlp_put_bytes(&out, pass);
    kl_rlp_put_end(&out, list);
    KL_ASSERT(!out.full);
    kl_buf_span(buf, kl_out_done(&out));
}

/* What stands behind these items is for later versions. */
kl_rule kl_hello_judge(const kl_fork_place *place, kl_span hello)
{
    kl_rlp items;
    kl_hash genesis;
    u64 version, id, next;
    KL_JUDGE(kl_rlp_open(&items, hello));
    KL_JUDGE(kl_rlp_u64(&items, &version));
    KL_JUDGE(kl_rlp_fixed(&items, genesis.b, sizeof genesis.b));
    KL_JUDGE(kl_rlp_u64(&items, &id));
    KL_JUDGE(kl_rlp_u64(&items, &next));
    if (!kl_hash_eq(&genesis, place->genesis_hash))
        return KL_RULE_SWARM_NETWORK;
    if (id > UINT32_MAX || !kl_fork_fits(place, (kl_fork_stamp){(u32)id, next}))
        return KL_RULE_SWARM_FORK;
    return KL_RULE_NONE;
}

kl_span kl_hello_pass(kl_span hello)
{
    kl_rlp items;
    kl_span item, pass;
    if (kl_rlp_open(&items, hello) != KL_RULE_NONE)
        return KL_SPAN_NONE;
    for (int i = 0; i < 4; i++)
        if (kl_rlp_bytes(&items, &item) != KL_RULE_NONE)
            return KL_SPAN_NONE;
    return kl_rlp_bytes(&items, &pass) == KL_RULE_NONE ? pass : KL_SPAN_NONE;
}
