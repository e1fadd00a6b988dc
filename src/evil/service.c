/* Attacks with hellos, and on what every peer of libp2p speaks. */
#include "evil/attack_priv.h"
#include "p2p/identify.h"
#include "p2p/ping.h"

static const u8 junk[KL_IDENTIFY_MAX + 1] = {0xff, 0xff, 0xff};

/* --- hellos --- */

void evil_early_stream(struct evil_wire *w)
{
    evil_open_other(w, w->evil->names[EVIL_BFT], KL_SPAN_NONE);
}

void evil_two_hellos(struct evil_wire *w)
{
    evil_open_other(w, w->evil->names[EVIL_HELLO], KL_SPAN_NONE);
    evil_open_other(w, w->evil->names[EVIL_HELLO], KL_SPAN_NONE);
}

void evil_long_hello(struct evil_wire *w)
{
    evil_open_other(w, w->evil->names[EVIL_HELLO], KL_SPAN_TEXT("\0\x10\0\0"));
}

/* --- identify --- */

void evil_junk_identify(struct evil_wire *w)
{
    w->identify = kl_span_of(junk, 100);
}

void evil_long_identify(struct evil_wire *w)
{
    w->identify = KL_SPAN_OF(junk);
}

static kl_span some_identify(u8 *room, usize len, const char *protocol)
{
    kl_identify identify = {.protocol_count = 1, .protocols = {kl_span_str(protocol)}};
    kl_out out = kl_out_of(room, len);
    kl_identify_put(&out, &identify);
    return kl_out_done(&out);
}

void evil_other_network(struct evil_wire *w)
{
    static u8 room[256];
    w->identify = some_identify(room, sizeof room, "/keel/00000000/hello/1");
}

void evil_ask_identify(struct evil_wire *w)
{
    evil_open_other(w, KL_IDENTIFY_NAME, KL_SPAN_NONE);
    evil_end_other(w);
}

void evil_junk_push(struct evil_wire *w)
{
    evil_open_other(w, KL_IDENTIFY_PUSH_NAME, kl_span_of(junk, 100));
    evil_end_other(w);
}

void evil_push(struct evil_wire *w)
{
    u8 room[256];
    evil_open_other(w, KL_IDENTIFY_PUSH_NAME,
                    some_identify(room, sizeof room, w->evil->names[EVIL_HELLO]));
    evil_end_other(w);
}

/* --- ping --- */

void evil_open_ping(struct evil_wire *w)
{
    evil_open_other(w, KL_PING_NAME, KL_SPAN_NONE);
}

void evil_say_ping(struct evil_wire *w)
{
    evil_queue(w, EVIL_OTHER, kl_span_of(junk, 64 * KL_PING_LEN));
}
