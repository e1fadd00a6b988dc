/* Bytes that another implementation has made: js-libp2p (noise 17.0.0, yamux 8.0.1, libp2p 3.3.11),
 * from the keys and texts named here.  Its noise gives the vector that the Noise project's
 * cacophony publishes for this suite.  Those of gossip's RPCs, records, peer ids and addresses are
 * with their own tests. */
#include "base/test.h"
#include "crypto/curve25519.h"
#include "p2p/identify.h"
#include "p2p/multistream.h"
#include "p2p/noise_priv.h"
#include "p2p/yamux_priv.h"

/* --- noise --- */

/* 32 bytes that count up. */
static kl_secret32 secret_from(u8 first)
{
    kl_secret32 secret;
    for (usize i = 0; i < sizeof secret.b; i++)
        secret.b[i] = (u8)(first + i);
    return secret;
}

enum { DIALER_STATIC = 0x01, DIALER_EPHEMERAL = 0x21, STATIC = 0x41, EPHEMERAL = 0x61 };
enum { DIALER_IDENTITY = 0x81, IDENTITY = 0xa1 };

#define EPHEMERAL_KEY "5869aff450549732cbaaed5e5df9b30a6da31cb0e5742bad5ad4a1a768f1a67b"
#define SECOND_KEYS                                                    \
    "244fe3b963e899dd295baffce248d3530f3a9a7479ba063002680ebfe7adad49" \
    "f197d6be61b51372854b4947bb7968e90c719fe79550e48ecf696cc4e7b51e16" \
    "cd17e573e3461759047903c2b7cd4517"
#define THIRD_KEY                                                      \
    "bb393122a9dd7e3e19dd4433a6c6743ff2454a8d4e165786a5f1235a87aaf27e" \
    "28767e524a788b68b9e2c7698cbe52c5"

static noise_symmetric one;
static struct kl_buf said;

static void mix(u8 secret, u8 with)
{
    kl_secret32 ours = secret_from(secret), theirs = secret_from(with), shared;
    u8 key[32];
    kl_x25519_public(key, &theirs);
    CHECK(kl_x25519(&shared, &ours, key) && noise_mix_key(&one, &shared) == KL_OK);
}

static void say_key(u8 secret, bool sealed)
{
    kl_secret32 ours = secret_from(secret);
    u8 key[32];
    kl_x25519_public(key, &ours);
    if (sealed) {
        noise_seal(&one, &said, KL_SPAN_OF(key));
        return;
    }
    kl_buf_bytes(&said, key, sizeof key);
    noise_mix_hash(&one, KL_SPAN_OF(key));
}

/* Payload and tag, behind the keys of its message. */
static void say(const char *payload, const char *message)
{
    noise_seal(&one, &said, kl_span_str(payload));
    CHECK_HEX(kl_buf_view(&said), message);
    kl_buf_clear(&said);
}

static void check_text(struct kl_aead *aead, u64 number, const char *text, const char *sealed)
{
    u8 nonce[KL_AEAD_NONCE_LEN], out[64];
    usize len = strlen(text);
    noise_nonce(nonce, number);
    kl_aead_seal(aead, out, nonce, KL_SPAN_NONE, kl_span_str(text));
    CHECK_HEX(kl_span_of(out, len + KL_AEAD_TAG_LEN), sealed);
}

/* Noise alone, with payloads that are not libp2p's: messages, hash, and text behind the handshake.
 */
KL_TEST(vector_noise)
{
    struct kl_aead *to, *back;
    kl_buf_init(&said, 1 << 12);
    noise_symmetric_init(&one);
    say_key(DIALER_EPHEMERAL, false);
    say("", EPHEMERAL_KEY);
    say_key(EPHEMERAL, false);
    mix(EPHEMERAL, DIALER_EPHEMERAL);
    say_key(STATIC, true);
    mix(STATIC, DIALER_EPHEMERAL);
    say("keel listens", SECOND_KEYS "31b4653752fb3494e7460b4a78376ed416153bab1cdead8bf525cd9b");
    say_key(DIALER_STATIC, true);
    mix(DIALER_STATIC, EPHEMERAL);
    say("keel dials", THIRD_KEY "fe156690670df6e5ee2e59deb3f843ed66b41f5c792172ef5597");
    CHECK_HEX(KL_SPAN_OF(one.hash),
              "a8ecaadd96b858d174b349019d56c420632ae03867c563728c25c7550a6749cf");
    CHECK_OK(noise_split(&one, &to, &back));
    check_text(back, 0, "first back", "698b40577b8c53c6da5b0cd0cba3731733a68e4d611e5edd4d01");
    check_text(to, 0, "first", "efee758c72392ca00afab640d56f4625e9d8661afa");
    check_text(back, 1, "second back", "a0553e479c9e9e5d902b87785cf900a8b8bb7096287dcb42847868");
    check_text(to, 1, "second", "5ce77903973584cba8035e9debf056fd5a4a79734549");
    kl_aead_free(to);
    kl_aead_free(back);
    noise_symmetric_done(&one);
    kl_buf_done(&said);
}

struct end {
    struct kl_noise *noise;
    struct kl_buf out, plain;
};

static void start(struct end *end, bool dials)
{
    static const kl_span yamux = {(const u8 *)"/yamux/1.0.0", 12};
    kl_secret32 identity = secret_from(dials ? DIALER_IDENTITY : IDENTITY);
    const kl_noise_config config = {
        .dials = dials,
        .identity = &identity,
        .static_key = secret_from(dials ? DIALER_STATIC : STATIC),
        .ephemeral = secret_from(dials ? DIALER_EPHEMERAL : EPHEMERAL),
        .muxers = &yamux,
        .muxer_count = 1,
    };
    kl_buf_init(&end->out, 1 << 12);
    kl_buf_init(&end->plain, 1 << 12);
    CHECK_OK(kl_noise_new(&end->noise, &config, &end->out));
}

static void stop(struct end *end)
{
    kl_noise_free(end->noise);
    kl_buf_done(&end->out);
    kl_buf_done(&end->plain);
}

/* What `from` has sent is that message, behind its length; and then `to` hears it. */
static void passes(struct end *from, struct end *to, const char *message)
{
    kl_rule broken;
    kl_span frame = kl_buf_view(&from->out);
    CHECK(frame.len > 2 && (usize)(frame.p[0] << 8 | frame.p[1]) == frame.len - 2);
    CHECK_HEX(kl_span_sub(frame, 2, frame.len - 2), message);
    CHECK_OK(kl_noise_feed(to->noise, &frame, &to->out, &to->plain, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    CHECK_U64(frame.len, 0);
    kl_buf_clear(&from->out);
}

/* libp2p's handshake, with identities, their signatures and the muxer in its payloads. */
KL_TEST(vector_noise_handshake)
{
    struct end a, b;
    start(&a, true);
    start(&b, false);
    passes(&a, &b, EPHEMERAL_KEY);
    passes(&b, &a,
           SECOND_KEYS "50f5085a60b756a0111d1430547041c7edb222480ff9bff13cef5fcd1a2af8e9"
                       "94aeb0fcbceee88865b887fa129859106182a6189ee10c1d5a3199c0219a7e78"
                       "8b9fee92b38134e522bc7a2592fc91274779a09b07f91e7f22b8cdfacac5bb64"
                       "2ee43a65fe416d5b9074c68631cf6928d051cc34bf061a4cfb82ced5864b9129"
                       "ae2c1490e24dffac");
    passes(&a, &b,
           "bb393122a9dd7e3e19dd4433a6c6743ff2454a8d4e165786a5f1235a87aaf27e"
           "7e725cda486f460d2772a420a5aaf6ef9f540bfd55499d8f567ac66234e8750b"
           "a7c6df04fabd14ec35d56d6b7f38c6a5fd6815dd6e67fdcd868d0a3035b70a70"
           "96276fee353c4fe3e211d4d96fef5573ee408567dd1f4512b40d9f02d515dea2"
           "10262499c7e8f5a222d3d31073ab629883016c960205dbd5fe233314ba9bbaa1"
           "df4ce21235ad95abd80a04153212cf16c4a1098610ecdd30");
    CHECK(kl_noise_is_open(a.noise) && kl_noise_is_open(b.noise));
    CHECK_U64(kl_noise_muxer(a.noise), 0);
    CHECK_HEX(KL_SPAN_OF(kl_noise_peer(b.noise)->key),
              "020bd427446b723424d80d2cad352ba3df3649d0ef8faae0ca7eb25443941b29");
    kl_noise_write(a.noise, kl_span_str("a vote"), &a.out);
    passes(&a, &b, "e8a7719072f604b450a65a285f2658235b5a419a7553");
    kl_noise_write(b.noise, kl_span_str("a block"), &b.out);
    passes(&b, &a, "6ec2504860cf5ae7ba597cf9fe8700d0d1fe771a8bb4a8");
    kl_noise_write(a.noise, kl_span_str("another vote"), &a.out);
    passes(&a, &b, "4eec7518913422f31947795a6875b75ae39634557f236900f41326a4");
    CHECK_SPAN(kl_buf_view(&b.plain), kl_span_str("a voteanother vote"));
    stop(&a);
    stop(&b);
}

/* --- multistream --- */

/* "/mplex/6.7.0", then "/yamux/1.0.0", of somebody who has the second alone. */
KL_TEST(vector_multistream)
{
    static const kl_span wants[] = {{(const u8 *)"/mplex/6.7.0", 12},
                                    {(const u8 *)"/yamux/1.0.0", 12}};
    kl_multistream dialer, listener;
    struct kl_buf to, back;
    kl_buf_init(&to, 1 << 10);
    kl_buf_init(&back, 1 << 10);
    kl_multistream_dial(&dialer, wants, 2, &to);
    kl_multistream_listen(&listener, wants + 1, 1, &back);
    for (int i = 0; i < 2; i++) {
        kl_span in = kl_buf_view(&to);
        CHECK_RULE(kl_multistream_feed(&listener, &in, &back), KL_RULE_NONE);
        CHECK_HEX(kl_buf_view(&to), i ? "0d2f79616d75782f312e302e300a"
                                      : "132f6d756c746973747265616d2f312e302e300a"
                                        "0d2f6d706c65782f362e372e300a");
        CHECK_HEX(kl_buf_view(&back), i ? "0d2f79616d75782f312e302e300a"
                                        : "132f6d756c746973747265616d2f312e302e300a"
                                          "036e610a");
        in = kl_buf_view(&back);
        kl_buf_clear(&to);
        CHECK_RULE(kl_multistream_feed(&dialer, &in, &to), KL_RULE_NONE);
        kl_buf_clear(&back);
    }
    CHECK(dialer.done && listener.done);
    CHECK_U64(dialer.chosen, 1);
    CHECK_U64(listener.chosen, 0);
    kl_buf_done(&to);
    kl_buf_done(&back);
}

/* --- yamux: what its encodeHeader makes of each kind --- */

#define OPENS    "000100010000000100000000"
#define TAKES    "000100020000000100000000"
#define FIVE     "000000000000000100000005"
#define ENDS     "000100040000000100000000"
#define ENDS_TOO "000000040000000100000000"
#define RESETS   "000100080000000100000000"
#define PINGS    "000200010000000001020304"
#define ANSWERS  "000200020000000001020304"
#define GOES     "000300000000000000000000"
#define GOES_BAD "000300000000000000000001"
#define WINDOW   "000100000000000100040000"

struct log {
    struct kl_yamux_user user;
    char text[64]; /* a letter an event, and its data */
    usize len;
};

static void on_event(struct kl_yamux_user *user, const kl_yamux_event *e)
{
    static const char letters[] = {
        [KL_YAMUX_OPENED] = 'o', [KL_YAMUX_DATA] = 'd', [KL_YAMUX_ENDED] = 'e',
        [KL_YAMUX_RESET] = 'r',  [KL_YAMUX_PONG] = 'p', [KL_YAMUX_GOAWAY] = 'g'};
    struct log *log = (struct log *)user;
    log->text[log->len++] = letters[e->kind];
    for (usize i = 0; i < e->data.len; i++)
        log->text[log->len++] = (char)e->data.p[i];
    CHECK(e->kind != KL_YAMUX_PONG || e->value == 0x01020304);
    CHECK(e->kind != KL_YAMUX_GOAWAY || e->value == 1);
}

static void yamux_new(struct kl_yamux **y, struct log *log, bool dials)
{
    const kl_yamux_config config = {.dials = dials,
                                    .peer_streams_max = 4,
                                    .streams_max = 8,
                                    .window = KL_YAMUX_WINDOW,
                                    .queue_max = 1 << 20};
    *log = (struct log){.user = {on_event}};
    CHECK_OK(kl_yamux_new(y, &config, &log->user));
}

static void check_says(struct kl_yamux *y, const char *frames)
{
    struct kl_buf out;
    kl_buf_init(&out, 1 << 12);
    CHECK(!kl_yamux_pull(y, 1 << 12, &out));
    CHECK_HEX(kl_buf_view(&out), frames);
    kl_buf_done(&out);
}

static void hears(struct kl_yamux *y, struct log *log, const char *frames, const char *events)
{
    kl_rule broken;
    log->len = 0;
    CHECK_OK(kl_yamux_feed(y, kl_test_hex(frames), &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    CHECK_SPAN(kl_span_of(log->text, log->len), kl_span_str(events));
}

KL_TEST(vector_yamux_listens)
{
    struct kl_yamux *y;
    struct log log;
    yamux_new(&y, &log, false);
    hears(y, &log, OPENS, "o");
    check_says(y, TAKES);
    hears(y, &log, FIVE "68656c6c6f", "dhello");
    hears(y, &log, PINGS, "");
    check_says(y, ANSWERS);
    hears(y, &log, ENDS, "e");
    CHECK_OK(kl_yamux_write(y, 1, kl_span_str("hello")));
    check_says(y, FIVE "68656c6c6f");
    hears(y, &log, WINDOW RESETS, "r");
    hears(y, &log, GOES_BAD, "g");
    kl_yamux_free(y);
}

KL_TEST(vector_yamux_dials)
{
    struct kl_yamux *y;
    struct log log;
    u32 stream;
    yamux_new(&y, &log, true);
    CHECK_OK(kl_yamux_open(y, KL_YAMUX_FIRST, &stream));
    CHECK_U64(stream, 1);
    check_says(y, OPENS);
    hears(y, &log, TAKES, "");
    kl_yamux_ping(y, 0x01020304);
    check_says(y, PINGS);
    hears(y, &log, ANSWERS, "p");
    kl_yamux_end(y, stream);
    check_says(y, ENDS_TOO); /* with a frame of data as well as with one of the window */
    kl_yamux_go_away(y, 0);
    check_says(y, GOES);
    kl_yamux_free(y);
}

/* --- identify --- */

/* The key of the secret of 32 bytes 7, two protocols; behind its length. */
KL_TEST(vector_identify)
{
    kl_identify got;
    kl_multiaddr addr;
    kl_secret32 secret;
    memset(secret.b, 7, sizeof secret.b);
    kl_peer_id id = kl_peer_id_of(&secret);
    CHECK_RULE(
        kl_identify_get(
            &got, kl_test_hex("6c2a066b65656c2f3132066b65656c2f320a2408011220ea4a6c63e29c520abef550"
                              "7b132ec5f9954776aebebe7b92421eea691446d22c120804c000020706765f220804"
                              "c0000209060fa11a0e2f697066732f69642f312e302e301a102f697066732f70696e"
                              "672f312e302e30")),
        KL_RULE_NONE);
    CHECK(got.has_key && kl_peer_id_eq(&got.key, &id));
    CHECK_SPAN(got.protocol_version, kl_span_str("keel/1"));
    CHECK_SPAN(got.agent_version, kl_span_str("keel/2"));
    CHECK_U64(got.addr_count, 1);
    CHECK_RULE(kl_multiaddr_parse(&addr, kl_span_str("/ip4/192.0.2.7/tcp/30303")), KL_RULE_NONE);
    CHECK(kl_multiaddr_eq(&got.addrs[0], &addr));
    CHECK_RULE(kl_multiaddr_parse(&addr, kl_span_str("/ip4/192.0.2.9/tcp/4001")), KL_RULE_NONE);
    CHECK(got.has_observed && kl_multiaddr_eq(&got.observed, &addr));
    CHECK_U64(got.protocol_count, 2);
    CHECK(kl_identify_speaks(&got, kl_span_str(KL_IDENTIFY_NAME)));
    CHECK(got.record.len == 0);
}
