#include "p2p/multistream.h"

#include "codec/protobuf.h"

#define HEADER "/multistream/1.0.0"
#define REFUSE "na"

static void put_line(struct kl_buf *send, kl_span name)
{
    u8 head[KL_VARINT_MAX];
    kl_out out = kl_out_of(head, sizeof head);
    kl_varint_put(&out, name.len + 1);
    kl_buf_span(send, kl_out_done(&out));
    kl_buf_span(send, name);
    kl_buf_str(send, "\n");
}

static void begin(kl_multistream *m, const kl_span *names, usize count, struct kl_buf *send)
{
    *m = (kl_multistream){.names = names, .count = count, .chosen = KL_MULTISTREAM_NONE};
    put_line(send, KL_SPAN_TEXT(HEADER));
}

void kl_multistream_dial(kl_multistream *m, const kl_span *names, usize count, struct kl_buf *send)
{
    KL_ASSERT(count > 0);
    begin(m, names, count, send);
    m->dials = true;
    put_line(send, names[0]);
}

void kl_multistream_listen(kl_multistream *m, const kl_span *names, usize count,
                           struct kl_buf *send)
{
    begin(m, names, count, send);
}

/* Takes bytes off in until a line is whole: *line views it without its end, or has p == NULL. */
static kl_rule next_line(kl_multistream *m, kl_span *in, kl_span *line)
{
    *line = KL_SPAN_NONE;
    while (in->len) {
        if (m->line_len == sizeof m->line)
            return KL_RULE_MULTISTREAM_LINE;
        m->line[m->line_len++] = *in->p;
        *in = kl_span_sub(*in, 1, in->len - 1);
        kl_span rest = kl_span_of(m->line, m->line_len);
        u64 len;
        kl_rule rule = kl_varint(&rest, &len);
        if (rule == KL_RULE_VARINT_SHORT)
            continue;
        if (rule != KL_RULE_NONE || len == 0 || len > KL_MULTISTREAM_LINE_MAX)
            return KL_RULE_MULTISTREAM_LINE;
        if (rest.len < len)
            continue;
        if (rest.p[len - 1] != '\n')
            return KL_RULE_MULTISTREAM_LINE;
        *line = kl_span_sub(rest, 0, rest.len - 1);
        m->line_len = 0;
        return KL_RULE_NONE;
    }
    return KL_RULE_NONE;
}

static kl_rule hear_answer(kl_multistream *m, kl_span line, struct kl_buf *send)
{
    if (kl_span_eq(line, m->names[m->tried])) {
        m->chosen = m->tried;
        m->done = true;
        return KL_RULE_NONE;
    }
    if (!kl_span_eq(line, KL_SPAN_TEXT(REFUSE)))
        return KL_RULE_MULTISTREAM_ANSWER;
    if (++m->tried == m->count)
        m->done = true;
    else
        put_line(send, m->names[m->tried]);
    return KL_RULE_NONE;
}

static kl_rule hear_name(kl_multistream *m, kl_span line, struct kl_buf *send)
{
    if (m->tried++ == KL_MULTISTREAM_TRIES_MAX)
        return KL_RULE_MULTISTREAM_TRIES;
    for (usize i = 0; i < m->count; i++)
        if (kl_span_eq(line, m->names[i])) {
            put_line(send, line);
            m->chosen = i;
            m->done = true;
            return KL_RULE_NONE;
        }
    put_line(send, KL_SPAN_TEXT(REFUSE));
    return KL_RULE_NONE;
}

kl_rule kl_multistream_feed(kl_multistream *m, kl_span *in, struct kl_buf *send)
{
    while (!m->done) {
        kl_span line;
        KL_JUDGE(next_line(m, in, &line));
        if (!line.p)
            return KL_RULE_NONE;
        if (!m->greeted) {
            if (!kl_span_eq(line, KL_SPAN_TEXT(HEADER)))
                return KL_RULE_MULTISTREAM_HEADER;
            m->greeted = true;
            continue;
        }
        KL_JUDGE(m->dials ? hear_answer(m, line, send) : hear_name(m, line, send));
    }
    return KL_RULE_NONE;
}
