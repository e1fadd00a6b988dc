/* A peer with a good handshake that says any bytes inside the encryption: to a swarm that answers
 * all that it answers, with a router of gossip behind it; or, by the last byte, to one that lets
 * nobody in but by a hello.  Nothing fails, and nothing grows without end, and in time it is
 * forgotten. */
#include "base/fuzz.h"
#include "base/rand.h"
#include "p2p/noise.h"
#include "p2p/swarm.h"

#define MS UINT64_C(1000000)

enum { FRAME_MAX = 1 << 16, CLOSED = 0xc1 };

struct world {
    struct kl_swarm_user user;
    struct kl_swarm *swarm;
    struct kl_gossip_user gossip_user;
    struct kl_gossip *gossip;
    u32 number; /* of the peer in gossip */
    bool open, met, up, gossips, closed, is_friend;
    u32 link;
    u64 now_ns, random;
};

static struct world w;

static void fill(KL_UNUSED struct kl_entropy *entropy, void *out, usize len)
{
    kl_rand_fill(&w.random, out, len);
}

static struct kl_entropy entropy = {fill};

static void on_dial(KL_UNUSED struct kl_swarm_user *user, KL_UNUSED i32 peer, KL_UNUSED u32 link)
{
    KL_ASSERT(w.is_friend); /* nobody else is wanted */
}

static void on_close(KL_UNUSED struct kl_swarm_user *user, u32 link, KL_UNUSED kl_rule why)
{
    if (link != w.link) {
        KL_ASSERT(w.is_friend); /* nobody answered */
        return;
    }
    KL_ASSERT(!w.closed);
    w.closed = true;
}

static void on_writable(KL_UNUSED struct kl_swarm_user *user, KL_UNUSED u32 link)
{
}

static void on_met(KL_UNUSED struct kl_swarm_user *user, KL_UNUSED u32 peer)
{
    KL_ASSERT(!w.met);
    w.met = true;
}

static void on_lost(KL_UNUSED struct kl_swarm_user *user, KL_UNUSED u32 peer)
{
    KL_ASSERT(w.met && !w.up && !w.gossips);
    w.met = false;
}

static void on_greet(KL_UNUSED struct kl_swarm_user *user, KL_UNUSED u32 peer, struct kl_buf *out)
{
    kl_buf_span(out, kl_span_str("hello"));
}

static kl_rule on_hello(KL_UNUSED struct kl_swarm_user *user, KL_UNUSED u32 peer, kl_span hello)
{
    return hello.len && hello.p[0] == 0xff ? KL_RULE_SWARM_NETWORK : KL_RULE_NONE;
}

static kl_swarm_standing on_introduced(KL_UNUSED struct kl_swarm_user *user,
                                       KL_UNUSED const kl_peer_id *id, kl_span hello)
{
    KL_ASSERT(!w.met && hello.len <= KL_SWARM_HELLO_MAX);
    w.is_friend = hello.len % 2;
    return w.is_friend ? KL_SWARM_FRIEND : KL_SWARM_STRANGER;
}

static void on_up(KL_UNUSED struct kl_swarm_user *user, KL_UNUSED u32 peer)
{
    KL_ASSERT(w.met && !w.up);
    w.up = true;
}

static void on_down(KL_UNUSED struct kl_swarm_user *user, KL_UNUSED u32 peer)
{
    KL_ASSERT(w.up);
    w.up = false;
}

/* What is said comes back, and now and then the peer is said to be one that breaks rules. */
static void on_frame(KL_UNUSED struct kl_swarm_user *user, u32 peer, kl_swarm_class class,
                     kl_span frame)
{
    KL_ASSERT(frame.len <= FRAME_MAX);
    (void)kl_swarm_send(w.swarm, peer, class, frame);
    if (frame.len == 3)
        kl_swarm_drop(w.swarm, peer, KL_RULE_VOTE_SIGNATURE, w.now_ns);
}

static void on_gossips(KL_UNUSED struct kl_swarm_user *user, u32 peer, kl_gossip_version version)
{
    const kl_gossip_peer_info info = kl_swarm_gossip_info(w.swarm, peer, version);
    KL_ASSERT(w.met && !w.gossips);
    w.gossips = true;
    KL_ASSERT(kl_gossip_up(w.gossip, w.now_ns, &info, &w.number) == KL_OK);
}

static void on_silent(KL_UNUSED struct kl_swarm_user *user, KL_UNUSED u32 peer)
{
    KL_ASSERT(w.gossips);
    w.gossips = false;
    kl_gossip_down(w.gossip, w.now_ns, w.number);
}

static void on_rpc(KL_UNUSED struct kl_swarm_user *user, u32 peer, kl_span rpc)
{
    kl_rule broken = kl_gossip_hear(w.gossip, w.now_ns, w.number, rpc);
    if (broken != KL_RULE_NONE)
        kl_swarm_drop(w.swarm, peer, broken, w.now_ns);
}

static void on_gossip(KL_UNUSED struct kl_gossip_user *user, const kl_gossip_event *e)
{
    if (e->kind == KL_GOSSIP_SEND)
        (void)kl_swarm_gossip(w.swarm, (u32)e->tag, e->bytes, e->keep);
    if (e->kind == KL_GOSSIP_DELIVER)
        kl_gossip_verdict(w.gossip, w.now_ns, e->id, (kl_gossip_verdict_kind)(e->bytes.len % 3));
}

static void open_world(bool open)
{
    static const kl_secret32 ours = {{1}};
    static const kl_gossip_topic topic = {.name = {(const u8 *)"t", 1}};
    kl_swarm_config config = {.identity = &ours,
                              .entropy = &entropy,
                              .digest = "00000000",
                              .agent = "keel",
                              .open = open,
                              .limits = kl_swarm_limits_usual()};
    kl_gossip_config router = kl_gossip_config_usual();
    for (usize i = 0; i < KL_SWARM_CLASSES; i++)
        config.frame_max[i] = FRAME_MAX;
    w = (struct world){.now_ns = 1000 * MS, .random = 7, .open = open};
    w.user = (struct kl_swarm_user){.dial = on_dial,
                                    .close = on_close,
                                    .writable = on_writable,
                                    .met = on_met,
                                    .lost = on_lost,
                                    .greet = on_greet,
                                    .hello = on_hello,
                                    .introduced = on_introduced,
                                    .up = on_up,
                                    .down = on_down,
                                    .frame = on_frame,
                                    .gossips = on_gossips,
                                    .silent = on_silent,
                                    .rpc = on_rpc};
    w.gossip_user.event = on_gossip;
    router.topics = &topic;
    router.topic_count = 1;
    router.seen_max = 64;
    router.held_max = 1 << 20;
    KL_ASSERT(kl_gossip_new(&w.gossip, &router, &w.gossip_user) == KL_OK);
    kl_gossip_join(w.gossip, w.now_ns, 0);
    KL_ASSERT(kl_swarm_new(&w.swarm, &config, &w.user) == KL_OK);
}

static void feed(kl_span in)
{
    if (!w.closed)
        kl_swarm_feed(w.swarm, w.link, in, w.now_ns);
}

static void pull(struct kl_buf *got)
{
    bool more = true;
    kl_buf_clear(got);
    while (more && !w.closed)
        kl_swarm_pull(w.swarm, w.link, 10000, got, &more);
}

/* The dialer's side of the handshake. */
static struct kl_noise *shake(struct kl_buf *send, struct kl_buf *got)
{
    static const kl_span muxer = {(const u8 *)"/yamux/1.0.0", 12};
    static const char select[] = "\x13/multistream/1.0.0\n\x07/noise\n";
    static const kl_secret32 theirs = {{2}};
    const kl_noise_config peer = {.dials = true,
                                  .identity = &theirs,
                                  .static_key = {{5}},
                                  .ephemeral = {{6}},
                                  .muxers = &muxer,
                                  .muxer_count = 1};
    struct kl_noise *noise;
    struct kl_buf plain;
    kl_rule broken;
    feed(kl_span_of(select, sizeof select - 1));
    pull(got);
    KL_ASSERT(kl_noise_new(&noise, &peer, send) == KL_OK);
    feed(kl_buf_view(send));
    kl_buf_clear(send);
    pull(got);
    kl_buf_init(&plain, 1 << 20);
    kl_span in = kl_buf_view(got);
    KL_ASSERT(kl_noise_feed(noise, &in, send, &plain, &broken) == KL_OK && broken == KL_RULE_NONE);
    kl_buf_done(&plain);
    feed(kl_buf_view(send));
    KL_ASSERT(w.met == w.open);
    return noise;
}

/* Each piece: how many bytes, how much time passes, and the bytes. */
static void say(struct kl_noise *noise, const u8 *bytes, usize len, struct kl_buf *send,
                struct kl_buf *got)
{
    for (usize at = 0; at + 2 < len && !w.closed;) {
        usize n = KL_MIN(len - at - 2, (usize)1 + bytes[at]);
        w.now_ns += bytes[at + 1] * MS;
        kl_buf_clear(send);
        kl_noise_write(noise, kl_span_of(bytes + at + 2, n), send);
        feed(kl_buf_view(send));
        at += 2 + n;
        if (bytes[at - 1] % 8 == 0)
            kl_gossip_beat(w.gossip, w.now_ns);
        if (kl_swarm_due_ns(w.swarm) <= w.now_ns)
            kl_swarm_tick(w.swarm, w.now_ns);
        pull(got);
        KL_ASSERT(kl_gossip_held_bytes(w.gossip) <= 1 << 20);
    }
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    kl_multiaddr remote = {.host = KL_HOST_IP4, .ip = {1, 2, 3, 4}};
    struct kl_buf send, got;
    kl_rule why;
    kl_buf_init(&send, 1 << 22);
    kl_buf_init(&got, 1 << 24);
    open_world(!len || bytes[len - 1] != CLOSED);
    i32 link = kl_swarm_accepted(w.swarm, &remote, w.now_ns, &why);
    KL_ASSERT(link != KL_SWARM_NONE);
    w.link = (u32)link;
    struct kl_noise *noise = shake(&send, &got);
    say(noise, bytes, len, &send, &got);
    /* Who says nothing more is gone in the end, and nothing of it is left. */
    for (u32 i = 0; i < 100 && !w.closed; i++) {
        w.now_ns += 1000 * MS;
        kl_swarm_tick(w.swarm, w.now_ns);
    }
    KL_ASSERT(w.closed && !w.met && !w.up && !w.gossips);
    kl_noise_free(noise);
    kl_swarm_free(w.swarm);
    kl_gossip_free(w.gossip);
    kl_buf_done(&send);
    kl_buf_done(&got);
    return 0;
}
