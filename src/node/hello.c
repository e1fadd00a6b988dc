#include "node/hello.h"

#include "codec/rlp.h"
#include "rpc/fork_id.h"

enum { VERSION = 1, HELLO_BYTES = 96 };

static u32 id_at(const kl_hello_chain *chain, kl_fork fork)
{
    return kl_fork_id(chain->spec, chain->genesis, chain->genesis_time, fork);
}

void kl_hello_put(struct kl_buf *buf, const kl_hello_chain *chain, u64 number, u64 time)
{
    u8 room[HELLO_BYTES];
    kl_out out = kl_out_of(room, sizeof room);
    kl_rlp_mark list = kl_rlp_put_begin(&out);
    kl_rlp_put_u64(&out, VERSION);
    kl_rlp_put_bytes(&out, kl_span_of(chain->genesis->b, sizeof chain->genesis->b));
    kl_rlp_put_u64(&out, id_at(chain, kl_spec_fork(chain->spec, number, time)));
    kl_rlp_put_end(&out, list);
    KL_ASSERT(!out.full);
    kl_buf_span(buf, kl_out_done(&out));
}

kl_rule kl_hello_judge(const kl_hello_chain *chain, kl_span hello)
{
    kl_rlp items;
    kl_hash genesis;
    u64 version, id;
    KL_JUDGE(kl_rlp_open(&items, hello));
    KL_JUDGE(kl_rlp_u64(&items, &version));
    KL_JUDGE(kl_rlp_fixed(&items, genesis.b, sizeof genesis.b));
    KL_JUDGE(kl_rlp_u64(&items, &id));
    if (!kl_hash_eq(&genesis, chain->genesis))
        return KL_RULE_SWARM_NETWORK;
    for (kl_fork fork = 0; fork < KL_FORK_COUNT; fork++)
        if (id_at(chain, fork) == id)
            return KL_RULE_NONE;
    return KL_RULE_SWARM_NETWORK;
}
