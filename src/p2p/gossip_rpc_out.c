/* Control items of an RPC stand in one submessage, so they are gathered apart from the rest. */
#include "codec/protobuf.h"
#include "p2p/gossip_rpc.h"

enum {
    HEAD_MAX = 5 + KL_VARINT_MAX,
    ID_FIELD = 2 + KL_GOSSIP_ID_LEN,
};

void kl_gossip_rpc_init(struct kl_gossip_rpc *rpc, usize limit)
{
    kl_buf_init(&rpc->body, limit);
    kl_buf_init(&rpc->control, limit);
}

void kl_gossip_rpc_done(struct kl_gossip_rpc *rpc)
{
    kl_buf_done(&rpc->body);
    kl_buf_done(&rpc->control);
}

usize kl_gossip_rpc_len(const struct kl_gossip_rpc *rpc)
{
    return rpc->body.len + rpc->control.len;
}

static void put_head(struct kl_buf *to, u32 number, usize len)
{
    u8 room[HEAD_MAX];
    kl_out out = kl_out_of(room, sizeof room);
    kl_pb_put_head(&out, number, len);
    kl_buf_span(to, kl_out_done(&out));
}

static void put_number(struct kl_buf *to, u32 number, u64 v)
{
    u8 room[HEAD_MAX];
    kl_out out = kl_out_of(room, sizeof room);
    kl_pb_put_u64(&out, number, v);
    kl_buf_span(to, kl_out_done(&out));
}

static void put_bytes(struct kl_buf *to, u32 number, kl_span bytes)
{
    put_head(to, number, bytes.len);
    kl_buf_span(to, bytes);
}

static usize field_len(u32 number, usize len)
{
    kl_out counter = kl_out_counter();
    kl_pb_put_head(&counter, number, len);
    return counter.len + len;
}

void kl_gossip_rpc_finish(struct kl_gossip_rpc *rpc, struct kl_buf *out)
{
    u8 room[KL_VARINT_MAX];
    kl_out head = kl_out_of(room, sizeof room);
    usize control = rpc->control.len ? field_len(3, rpc->control.len) : 0;
    kl_varint_put(&head, rpc->body.len + control);
    kl_buf_span(out, kl_out_done(&head));
    kl_buf_span(out, kl_buf_view(&rpc->body));
    if (control)
        put_bytes(out, 3, kl_buf_view(&rpc->control));
    out->failed |= rpc->body.failed || rpc->control.failed;
    kl_buf_clear(&rpc->body);
    kl_buf_clear(&rpc->control);
}

void kl_gossip_put_subscription(struct kl_gossip_rpc *rpc, bool subscribes, kl_span topic)
{
    put_head(&rpc->body, 1, 2 + field_len(2, topic.len));
    put_number(&rpc->body, 1, subscribes);
    put_bytes(&rpc->body, 2, topic);
}

void kl_gossip_put_message(struct kl_gossip_rpc *rpc, kl_span topic, kl_span data)
{
    put_head(&rpc->body, 2, field_len(2, data.len) + field_len(4, topic.len));
    put_bytes(&rpc->body, 2, data);
    put_bytes(&rpc->body, 4, topic);
}

void kl_gossip_put_graft(struct kl_gossip_rpc *rpc, kl_span topic)
{
    put_head(&rpc->control, 3, field_len(1, topic.len));
    put_bytes(&rpc->control, 1, topic);
}

void kl_gossip_put_ihave(struct kl_gossip_rpc *rpc, kl_span topic, usize count)
{
    put_head(&rpc->control, 1, field_len(1, topic.len) + count * ID_FIELD);
    put_bytes(&rpc->control, 1, topic);
}

void kl_gossip_put_iwant(struct kl_gossip_rpc *rpc, usize count)
{
    put_head(&rpc->control, 2, count * ID_FIELD);
}

void kl_gossip_put_idontwant(struct kl_gossip_rpc *rpc, usize count)
{
    put_head(&rpc->control, 5, count * ID_FIELD);
}

void kl_gossip_put_have_id(struct kl_gossip_rpc *rpc, const u8 id[KL_GOSSIP_ID_LEN])
{
    put_bytes(&rpc->control, 2, kl_span_of(id, KL_GOSSIP_ID_LEN));
}

void kl_gossip_put_want_id(struct kl_gossip_rpc *rpc, const u8 id[KL_GOSSIP_ID_LEN])
{
    put_bytes(&rpc->control, 1, kl_span_of(id, KL_GOSSIP_ID_LEN));
}

void kl_gossip_put_prune(struct kl_gossip_rpc *rpc, kl_span topic, bool has_backoff, u64 backoff_s,
                         kl_span peers)
{
    usize backoff = has_backoff ? 1 + kl_varint_len(backoff_s) : 0;
    put_head(&rpc->control, 4, field_len(1, topic.len) + peers.len + backoff);
    put_bytes(&rpc->control, 1, topic);
    kl_buf_span(&rpc->control, peers);
    if (has_backoff)
        put_number(&rpc->control, 3, backoff_s);
}

void kl_gossip_put_px(struct kl_buf *peers, const kl_peer_id *peer, kl_span record)
{
    u8 room[KL_PEER_ID_LEN];
    kl_out out = kl_out_of(room, sizeof room);
    kl_peer_id_put(&out, peer);
    put_head(peers, 2, field_len(1, sizeof room) + (record.len ? field_len(2, record.len) : 0));
    put_bytes(peers, 1, kl_out_done(&out));
    if (record.len)
        put_bytes(peers, 2, record);
}
