/* Attacks of whoever can reach the port: before it is known who they are. */
#include "evil/attack_priv.h"

static const char greeting[] = "\x13/multistream/1.0.0\n";

static void raw_text(struct evil_wire *w, const char *text)
{
    evil_raw(w, kl_span_str(text));
}

void evil_half_line(struct evil_wire *w)
{
    evil_raw(w, kl_span_of(greeting, 9));
}

/* The greeting again and again, where a name should be. */
void evil_drip(struct evil_wire *w)
{
    evil_raw(w, kl_span_of(greeting + w->steps % (sizeof greeting - 1), 1));
}

void evil_long_line(struct evil_wire *w)
{
    u8 line[3] = {0xff, 0xff, 0x03}; /* 65,535 bytes are to come */
    evil_raw(w, KL_SPAN_OF(line));
}

void evil_http(struct evil_wire *w)
{
    raw_text(w, "GET /index.html HTTP/1.1\r\nHost: localhost\r\nUser-Agent: browser\r\nAccept: "
                "*/*\r\n\r\n");
}

void evil_tries(struct evil_wire *w)
{
    if (w->steps == 0)
        raw_text(w, greeting);
    raw_text(w, "\x0b/tls/1.0.0\n");
}

static void noise_head(struct evil_wire *w, usize len)
{
    u8 head[2] = {(u8)(len >> 8), (u8)len};
    evil_raw(w, KL_SPAN_OF(head));
}

static void noise_random(struct evil_wire *w, usize len)
{
    u8 bytes[512];
    KL_ASSERT(len <= sizeof bytes);
    evil_random_bytes(w->evil, bytes, len);
    evil_raw(w, kl_span_of(bytes, len));
}

void evil_half_noise(struct evil_wire *w)
{
    noise_head(w, 32);
    noise_random(w, 16);
}

void evil_first_noise(struct evil_wire *w)
{
    noise_head(w, 32);
    noise_random(w, 32);
}

void evil_long_noise(struct evil_wire *w)
{
    noise_head(w, 65535);
    noise_random(w, 512);
}

void evil_zero_noise(struct evil_wire *w)
{
    static const u8 zeros[32];
    noise_head(w, sizeof zeros);
    evil_raw(w, KL_SPAN_OF(zeros));
}

void evil_garbage_noise(struct evil_wire *w)
{
    evil_first_noise(w);
    noise_head(w, 200);
    noise_random(w, 200);
}
