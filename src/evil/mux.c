/* Attacks on yamux, under an identity that is let in. */
#include "evil/attack_priv.h"

static const u8 garbage[8192] = {1, 2, 3};

static void head(struct evil_wire *w, const u8 bytes[12])
{
    evil_text(w, kl_span_of(bytes, 12));
}

void evil_bad_version(struct evil_wire *w)
{
    head(w, (const u8[12]){1});
}

void evil_bad_type(struct evil_wire *w)
{
    head(w, (const u8[12]){0, 77});
}

void evil_bad_flags(struct evil_wire *w)
{
    head(w, (const u8[12]){0, EVIL_DATA, 0x80, EVIL_SYN, 0, 0, 0, 99});
}

void evil_thousand_streams(struct evil_wire *w)
{
    for (int i = 0; i < 1000; i++)
        (void)evil_open(w, KL_SPAN_NONE);
}

void evil_churn_stream(struct evil_wire *w)
{
    u32 id = evil_open(w, KL_SPAN_NONE);
    evil_yamux(w, EVIL_WINDOW, EVIL_RST, id, 0, KL_SPAN_NONE);
}

void evil_wrong_stream(struct evil_wire *w)
{
    evil_yamux(w, EVIL_DATA, EVIL_SYN, 2, 0, KL_SPAN_NONE);
}

void evil_unopened_stream(struct evil_wire *w)
{
    evil_yamux(w, EVIL_DATA, 0, 4099, 4, kl_span_of(garbage, 4));
}

void evil_closed_stream(struct evil_wire *w)
{
    u32 id = w->out[EVIL_TX].id;
    evil_yamux(w, EVIL_DATA, EVIL_FIN, id, 0, KL_SPAN_NONE);
    evil_yamux(w, EVIL_DATA, 0, id, 4, kl_span_of(garbage, 4));
}

void evil_beyond_window(struct evil_wire *w)
{
    evil_yamux(w, EVIL_DATA, 0, w->out[EVIL_SYNC].id, 1u << 30, KL_SPAN_OF(garbage));
}

void evil_huge_window(struct evil_wire *w)
{
    evil_yamux(w, EVIL_WINDOW, 0, w->out[EVIL_SYNC].id, UINT32_MAX, KL_SPAN_NONE);
}

void evil_ping(struct evil_wire *w)
{
    evil_yamux(w, EVIL_PING, EVIL_SYN, 0, (u32)w->steps, KL_SPAN_NONE);
}

/* On the stream of transactions: a frame of 8 MiB, in crumbs. */
void evil_crumbs(struct evil_wire *w)
{
    static const u8 head[4] = {0, 0x80, 0, 0}, rest = 0;
    struct evil_stream *s = &w->out[EVIL_TX];
    if (s->window == 0)
        return;
    s->window--;
    evil_yamux(w, EVIL_DATA, 0, s->id, 1, kl_span_of(w->steps < 4 ? head + w->steps : &rest, 1));
}

void evil_empty_frames(struct evil_wire *w)
{
    evil_yamux(w, EVIL_DATA, 0, w->out[EVIL_TX].id, 0, KL_SPAN_NONE);
}

void evil_half_streams(struct evil_wire *w)
{
    for (int i = 0; i < 64; i++)
        (void)evil_open(w, KL_SPAN_TEXT("\x13/multistr"));
}
