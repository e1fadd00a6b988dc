#include "cli/json_indent.h"

static void new_line(struct kl_buf *out, unsigned blanks)
{
    kl_buf_str(out, "\n");
    u8 *room = kl_buf_extend(out, blanks);
    if (room && blanks)
        memset(room, ' ', blanks);
}

/* The index behind the string that begins at start. */
static usize string_end(kl_span text, usize start)
{
    usize at = start + 1;
    while (at < text.len && text.p[at] != '"')
        at += text.p[at] == '\\' ? 2 : 1;
    return KL_MIN(at + 1, text.len);
}

void kl_json_indent(struct kl_buf *out, kl_span compact, unsigned indent)
{
    unsigned depth = 0;
    for (usize i = 0; i < compact.len && !out->failed;) {
        u8 c = compact.p[i];
        usize end = c == '"' ? string_end(compact, i) : i + 1;
        bool empty = (c == '{' || c == '[') && end < compact.len && compact.p[end] == c + 2;
        if (empty)
            end++;
        else if (c == '}' || c == ']')
            new_line(out, --depth * indent);
        kl_buf_bytes(out, compact.p + i, end - i);
        if (c == ':')
            kl_buf_str(out, " ");
        else if (c == ',')
            new_line(out, depth * indent);
        else if ((c == '{' || c == '[') && !empty)
            new_line(out, ++depth * indent);
        i = end;
    }
}
