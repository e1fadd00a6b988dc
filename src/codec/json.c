/* json: the reader.  One pass with an explicit stack of open containers; every value and every
 * member's name becomes one node, and a container learns its end when its bracket closes.  The
 * array of nodes doubles inside the arena, which costs at most twice its final size. */
#include "codec/json.h"

#include "codec/json_priv.h"

struct reader {
    const u8 *start, *at, *end;
    kl_json_node *nodes;
    usize count, cap, max;
    u32 open[KL_JSON_DEPTH_MAX]; /* the containers we are in */
    unsigned depth;
    struct kl_arena *arena;
    kl_rule broken;
    bool no_memory;
};

static bool fail(struct reader *r, kl_rule rule)
{
    r->broken = rule;
    return false;
}

static inline void skip_blanks(struct reader *r)
{
    const u8 *p = r->at;
    while (p < r->end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    r->at = p;
}

static KL_NOINLINE bool more_nodes(struct reader *r)
{
    if (r->count == r->max)
        return fail(r, KL_RULE_JSON_SIZE);
    usize cap = KL_MIN(r->max, 2 * r->cap);
    kl_json_node *nodes = KL_TAKE(r->arena, kl_json_node, cap);
    if (!nodes) {
        r->no_memory = true;
        return false;
    }
    memcpy(nodes, r->nodes, r->count * sizeof *nodes);
    r->nodes = nodes;
    r->cap = cap;
    return true;
}

/* Adds the node of a finished value whose text is the len bytes at start. */
static inline bool add(struct reader *r, kl_json_kind kind, const u8 *start, const u8 *end)
{
    if (KL_UNLIKELY(r->count == r->cap) && !more_nodes(r))
        return false;
    r->nodes[r->count] = (kl_json_node){
        .kind = (u8)kind,
        .start = (u32)(start - r->start),
        .len = (u32)(end - start),
        .next = (u32)(r->count + 1),
    };
    r->count++;
    return true;
}

/* A string, from its opening quote on. */
static bool string(struct reader *r)
{
    const u8 *start = ++r->at;
    bool escaped = false;
    for (;;) {
        r->at += kl_json_plain(r->at, r->end);
        if (r->at == r->end || *r->at < 0x20)
            return fail(r, KL_RULE_JSON_SYNTAX);
        if (*r->at == '"')
            break;
        u32 point;
        bool is_escape = *r->at == '\\';
        usize len =
            is_escape ? kl_json_escape(&point, r->at + 1, r->end) : kl_json_utf8(r->at, r->end);
        if (len == 0)
            return fail(r, KL_RULE_JSON_SYNTAX);
        r->at += is_escape + len;
        escaped |= is_escape;
    }
    if (!add(r, KL_JSON_STRING, start, r->at))
        return false;
    r->nodes[r->count - 1].escaped = escaped;
    r->at++;
    return true;
}

/* One digit or more. */
static bool digits(struct reader *r)
{
    const u8 *start = r->at;
    while (r->at < r->end && (u8)(*r->at - '0') < 10)
        r->at++;
    return r->at > start || fail(r, KL_RULE_JSON_SYNTAX);
}

static bool number(struct reader *r)
{
    const u8 *start = r->at;
    r->at += *r->at == '-';
    bool zero = r->at < r->end && *r->at == '0';
    if (zero)
        r->at++; /* and no digit may follow: what comes next is judged as the end of the value */
    else if (!digits(r))
        return false;
    if (r->at < r->end && *r->at == '.') {
        r->at++;
        if (!digits(r))
            return false;
    }
    if (r->at < r->end && (*r->at | 0x20) == 'e') {
        r->at++;
        r->at += r->at < r->end && (*r->at == '+' || *r->at == '-');
        if (!digits(r))
            return false;
    }
    return add(r, KL_JSON_NUMBER, start, r->at);
}

static bool word(struct reader *r, const char *text, kl_json_kind kind)
{
    const u8 *start = r->at;
    for (; *text; text++, r->at++)
        if (r->at == r->end || *r->at != (u8)*text)
            return fail(r, KL_RULE_JSON_SYNTAX);
    return add(r, kind, start, r->at);
}

static bool open_container(struct reader *r, kl_json_kind kind)
{
    if (r->depth == KL_JSON_DEPTH_MAX)
        return fail(r, KL_RULE_JSON_DEPTH);
    if (!add(r, kind, r->at, r->at))
        return false;
    r->open[r->depth++] = (u32)(r->count - 1);
    r->at++;
    return true;
}

static void close_container(struct reader *r)
{
    kl_json_node *node = &r->nodes[r->open[--r->depth]];
    r->at++;
    node->len = (u32)(r->at - r->start) - node->start;
    node->next = (u32)r->count;
}

/* A member's name and its colon. */
static bool name(struct reader *r)
{
    skip_blanks(r);
    if (r->at == r->end || *r->at != '"')
        return fail(r, KL_RULE_JSON_SYNTAX);
    if (!string(r))
        return false;
    skip_blanks(r);
    if (r->at == r->end || *r->at != ':')
        return fail(r, KL_RULE_JSON_SYNTAX);
    r->at++;
    return true;
}

/* What begins a value; of a container only the opening bracket. */
static bool begin_value(struct reader *r)
{
    skip_blanks(r);
    if (r->at == r->end)
        return fail(r, KL_RULE_JSON_SYNTAX);
    u8 c = *r->at;
    if (c == '"')
        return string(r);
    if (c == '{')
        return open_container(r, KL_JSON_OBJECT);
    if (c == '[')
        return open_container(r, KL_JSON_ARRAY);
    if (c == 't')
        return word(r, "true", KL_JSON_TRUE);
    if (c == 'f')
        return word(r, "false", KL_JSON_FALSE);
    if (c == 'n')
        return word(r, "null", KL_JSON_NULL);
    if (c == '-' || (u8)(c - '0') < 10)
        return number(r);
    return fail(r, KL_RULE_JSON_SYNTAX);
}

/* Goes to where the next value begins, closing what closes before it.  *fresh says that a container
 * has just been opened, so that no comma stands before its first value.  The end is reached when no
 * container is left open. */
static bool next_value(struct reader *r, bool fresh)
{
    while (r->depth > 0) {
        kl_json_node *in = &r->nodes[r->open[r->depth - 1]];
        bool object = in->kind == KL_JSON_OBJECT;
        skip_blanks(r);
        if (r->at == r->end)
            return fail(r, KL_RULE_JSON_SYNTAX);
        if (*r->at == (object ? '}' : ']')) {
            close_container(r);
            fresh = false;
            continue;
        }
        if (!fresh) {
            if (*r->at != ',')
                return fail(r, KL_RULE_JSON_SYNTAX);
            r->at++;
        }
        in->count++;
        return !object || name(r);
    }
    return true;
}

static bool document(struct reader *r)
{
    do {
        unsigned depth = r->depth;
        if (!begin_value(r) || !next_value(r, r->depth > depth))
            return false;
    } while (r->depth > 0);
    skip_blanks(r);
    return r->at == r->end || fail(r, KL_RULE_JSON_SYNTAX);
}

kl_status kl_json_parse(struct kl_json *out, kl_span text, usize max_nodes, struct kl_arena *arena,
                        kl_rule *broken, usize *at)
{
    enum { BYTES_A_NODE = 32, NODES_MIN = 8 }; /* a first guess that suits hex-heavy text */
    *broken = KL_RULE_NONE;
    if (text.len == 0 || text.len > UINT32_MAX) {
        *broken = text.len ? KL_RULE_JSON_SIZE : KL_RULE_JSON_SYNTAX;
        *at = 0;
        return KL_OK;
    }
    struct reader r = {
        .start = text.p,
        .at = text.p,
        .end = text.p + text.len,
        .max = KL_MIN(max_nodes, (usize)KL_JSON_NONE - 1),
        .arena = arena,
    };
    r.cap = KL_MIN(r.max, text.len / BYTES_A_NODE + NODES_MIN);
    r.nodes = KL_TAKE(arena, kl_json_node, r.cap);
    if (!r.nodes)
        return KL_NOMEM;
    if (!document(&r)) {
        if (r.no_memory)
            return KL_NOMEM;
        *broken = r.broken;
        *at = (usize)(r.at - r.start);
        return KL_OK;
    }
    *out = (struct kl_json){.text = text, .nodes = r.nodes, .node_count = r.count};
    return KL_OK;
}

usize kl_json_line(kl_span text, usize at)
{
    usize line = 1;
    for (usize i = 0; i < KL_MIN(at, text.len); i++)
        line += text.p[i] == '\n';
    return line;
}
