/* Attacks on whoever is behind, or thinks so, and on whoever serves blocks. */
#include "evil/attack_priv.h"

enum { FAR = 1000000, SELDOM_NS = 20000000 };

void evil_ask_blocks(struct evil_wire *w)
{
    evil_message(w, EVIL_SYNC,
                 &(kl_message){.kind = KL_MESSAGE_ASK_BLOCKS, .from = 1, .to = UINT64_MAX});
}

/* Every now and then, so that answers wait and the questions are no flood. */
void evil_ask_seldom(struct evil_wire *w)
{
    if (w->asked_ns && w->evil->now_ns < w->asked_ns + SELDOM_NS)
        return;
    w->asked_ns = w->evil->now_ns;
    evil_ask_blocks(w);
}

void evil_ask_records(struct evil_wire *w)
{
    evil_message(w, EVIL_SYNC,
                 &(kl_message){.kind = KL_MESSAGE_ASK_RECORDS, .from = 1, .to = UINT64_MAX});
}

void evil_ask_state(struct evil_wire *w)
{
    kl_message m = {.kind = KL_MESSAGE_ASK_STATE, .from = 1 + w->evil->height};
    evil_random_bytes(w->evil, m.first.b, 1);
    evil_message(w, EVIL_SYNC, &m);
}

void evil_unasked_state(struct evil_wire *w)
{
    static const u8 node[600];
    static kl_span nodes[KL_MESSAGE_NODES_MAX];
    for (usize i = 0; i < KL_COUNT_OF(nodes); i++)
        nodes[i] = KL_SPAN_OF(node);
    evil_message(
        w, EVIL_SYNC,
        &(kl_message){
            .kind = KL_MESSAGE_STATE, .from = 1, .nodes = nodes, .node_count = KL_COUNT_OF(nodes)});
}

void evil_ask_bodies(struct evil_wire *w)
{
    kl_message m = {.kind = KL_MESSAGE_ASK_BODY};
    evil_random_bytes(w->evil, m.hash.b, sizeof m.hash.b);
    evil_message(w, EVIL_BFT, &m);
}

static void answer(struct evil_wire *w, u64 from, kl_span body, const kl_span *headers,
                   usize header_count)
{
    kl_message_block block = {.body = body};
    evil_message(w, EVIL_SYNC,
                 &(kl_message){.kind = KL_MESSAGE_BLOCKS,
                               .from = from,
                               .blocks = &block,
                               .block_count = 1,
                               .headers = headers,
                               .header_count = header_count,
                               .finalization = header_count ? KL_SPAN_TEXT("\xc0") : KL_SPAN_NONE});
}

void evil_unasked_blocks(struct evil_wire *w)
{
    static const u8 body[1 << 20];
    answer(w, 1, KL_SPAN_OF(body), NULL, 0);
}

void evil_claim_high(struct evil_wire *w)
{
    evil_message(w, EVIL_SYNC, &(kl_message){.kind = KL_MESSAGE_STATUS, .from = FAR});
}

/* A step further each time. */
void evil_claim(struct evil_wire *w)
{
    evil_message(w, EVIL_SYNC,
                 &(kl_message){.kind = KL_MESSAGE_STATUS, .from = FAR + w->evil->report->steps});
}

/* What the target asks for; 0: something else. */
static u64 asked(struct evil_wire *w, kl_span frame)
{
    kl_message m;
    bool asks = frame.len && frame.p[0] == KL_MESSAGE_ASK_BLOCKS && evil_decode(w, &m, frame);
    return asks ? m.from : 0;
}

void evil_wrong_blocks(struct evil_wire *w, KL_UNUSED evil_class class, kl_span frame)
{
    u8 body[1000];
    u64 from = asked(w, frame);
    evil_random_bytes(w->evil, body, sizeof body);
    if (from)
        answer(w, from, KL_SPAN_OF(body), NULL, 0);
}

/* Blocks that are good, were they those that were asked for: what it heard as proposals. */
void evil_other_blocks(struct evil_wire *w, evil_class class, kl_span frame)
{
    kl_message m;
    struct evil *e = w->evil;
    u64 from = asked(w, frame);
    if (class == EVIL_PROPOSAL && frame.len && frame.p[0] == KL_MESSAGE_PROPOSAL) {
        kl_buf_clear(&e->kept);
        kl_buf_span(&e->kept, frame);
    }
    if (from && e->kept.len && evil_decode(w, &m, kl_buf_view(&e->kept)))
        answer(w, from, m.body, NULL, 0);
}

void evil_stall(struct evil_wire *w, KL_UNUSED evil_class class, kl_span frame)
{
    static const u8 part[100000];
    u8 len[4];
    if (!asked(w, frame) || w->asked_ns)
        return;
    w->asked_ns = w->evil->now_ns;
    kl_store_be32(len, sizeof part + 1);
    evil_queue(w, EVIL_SYNC, KL_SPAN_OF(len));
    evil_queue(w, EVIL_SYNC, KL_SPAN_OF(part));
}

void evil_endless_headers(struct evil_wire *w, KL_UNUSED evil_class class, kl_span frame)
{
    static u8 header[600];
    static kl_span headers[KL_MESSAGE_HEADERS_MAX];
    u64 from = asked(w, frame);
    if (!from || w->out[EVIL_SYNC].queue.len)
        return;
    evil_random_bytes(w->evil, header, sizeof header);
    for (usize i = 0; i < KL_COUNT_OF(headers); i++)
        headers[i] = KL_SPAN_OF(header);
    answer(w, from, KL_SPAN_OF(header), headers, KL_COUNT_OF(headers));
}
