/* Any text as an address book: what is taken is written and read again as itself.  And any series
 * of events: the book stays bounded, and dials no friends. */
#include "base/fuzz.h"
#include "p2p/book_priv.h"

static const kl_book_config config = {
    .self = {{0xff}}, .seed = 1, .outbound = 4, .reach = KL_REACH_HOST};

static void as_text(kl_span in)
{
    static struct kl_book room, other;
    struct kl_book *book = kl_book_init(&room, &config), *back = kl_book_init(&other, &config);
    struct kl_buf text, again;
    u64 seq, back_seq;
    kl_rule broken;
    if (kl_book_get(book, &seq, in, 1, &broken) != KL_OK || broken != KL_RULE_NONE)
        return;
    kl_buf_init(&text, KL_BOOK_TEXT_MAX);
    kl_buf_init(&again, KL_BOOK_TEXT_MAX);
    kl_book_put(book, seq, &text);
    KL_ASSERT(!text.failed);
    KL_ASSERT(kl_book_get(back, &back_seq, kl_buf_view(&text), 1, &broken) == KL_OK);
    KL_ASSERT(broken == KL_RULE_NONE && back_seq == seq);
    kl_book_put(back, back_seq, &again);
    KL_ASSERT(kl_span_eq(kl_buf_view(&text), kl_buf_view(&again)));
    kl_buf_done(&text);
    kl_buf_done(&again);
}

static kl_peer_id take_peer(kl_span *in)
{
    return (kl_peer_id){{kl_fuzz_u8(in)}};
}

static void take_record(kl_span *in, kl_peer_record *out)
{
    *out = (kl_peer_record){.peer = take_peer(in), .seq = kl_fuzz_u8(in)};
    for (u8 count = kl_fuzz_u8(in) % (KL_RECORD_ADDRS_MAX + 1); out->count < count;) {
        kl_multiaddr *addr = &out->addrs[out->count++];
        *addr = (kl_multiaddr){.host = KL_HOST_IP4, .has_port = true, .port = kl_fuzz_u8(in)};
        addr->ip[0] = kl_fuzz_u8(in);
        addr->ip[1] = kl_fuzz_u8(in);
    }
}

static void step(struct kl_book *book, kl_span *in, u64 now_ns)
{
    static kl_multiaddr dials[64];
    static u32 under_way;
    kl_peer_record record;
    kl_peer_id peer;
    switch (kl_fuzz_u8(in) % 8) {
    case 0:
    case 1:
        take_record(in, &record);
        peer = record.seq ? take_peer(in) : record.peer;
        (void)kl_book_tell(book, &peer, &record, now_ns);
        break;
    case 2:
        take_record(in, &record);
        (void)!kl_book_befriend(book, &record.peer, record.addrs, record.count, now_ns);
        break;
    case 3:
        peer = take_peer(in);
        kl_book_unfriend(book, &peer);
        break;
    case 4:
        peer = take_peer(in);
        kl_book_met(book, &peer, false, now_ns);
        break;
    case 5:
        peer = take_peer(in);
        kl_book_lost(book, &peer, now_ns);
        break;
    case 6:
        if (under_way == KL_COUNT_OF(dials) || !kl_book_next(book, &dials[under_way], now_ns))
            break;
        KL_ASSERT(dials[under_way].has_peer && dials[under_way].port);
        KL_ASSERT(!kl_book_is_friend(book, &dials[under_way].peer));
        under_way++;
        break;
    case 7:
        if (!under_way)
            break;
        under_way--;
        kl_book_tried(book, &dials[under_way].peer, &dials[under_way], kl_fuzz_u8(in) & 1, now_ns,
                      now_ns);
        break;
    }
    if (in->len == 0)
        under_way = 0;
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    static struct kl_book room;
    kl_span in = {bytes, KL_MIN(len, (usize)4096)};
    struct kl_book *book = kl_book_init(&room, &config);
    u64 now_ns = 1;
    as_text(kl_span_of(bytes, len));
    while (in.len) {
        now_ns += kl_fuzz_u8(&in);
        step(book, &in, now_ns);
        KL_ASSERT(kl_book_count(book) <= KL_BOOK_PEERS_MAX && kl_book_due_ns(book) > 0);
    }
    return 0;
}
