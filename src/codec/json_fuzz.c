/* Any text: a document that is accepted writes back to one with the same tree, and so on for ever.
 */
#include "base/fuzz.h"
#include "codec/json.h"

enum { NODES_MAX = 1 << 16 };

static void put_scalar(struct kl_json_out *out, const struct kl_json *json, kl_json_ref at,
                       struct kl_arena *arena)
{
    kl_span text;
    u64 v;
    if (kl_json_number_u64(&v, json, at)) {
        kl_json_put_number(out, v);
        return;
    }
    if (!kl_json_is(json, at, KL_JSON_STRING)) {
        kl_json_put_raw(out, kl_json_raw(json, at));
        return;
    }
    KL_ASSERT(kl_json_string(&text, json, at, arena));
    kl_json_put_string(out, text);
}

/* Writes the whole tree without recursion: nodes stand in document order. */
static void put_all(struct kl_json_out *out, const struct kl_json *json, struct kl_arena *arena)
{
    kl_json_ref open[KL_JSON_DEPTH_MAX];
    unsigned depth = 0;
    bool name_next = false;
    for (kl_json_ref at = 0; at < json->node_count; at++) {
        while (depth && json->nodes[open[depth - 1]].next == at) {
            bool object = kl_json_is(json, open[--depth], KL_JSON_OBJECT);
            (object ? kl_json_put_object_end : kl_json_put_array_end)(out);
            name_next = depth && kl_json_is(json, open[depth - 1], KL_JSON_OBJECT);
        }
        kl_json_kind kind = kl_json_kind_of(json, at);
        if (name_next) {
            kl_span name;
            KL_ASSERT(kl_json_string(&name, json, at, arena));
            kl_json_put_key_span(out, name);
            name_next = false;
            continue;
        }
        bool object = kind == KL_JSON_OBJECT;
        if (object || kind == KL_JSON_ARRAY) {
            (object ? kl_json_put_object : kl_json_put_array)(out);
            open[depth++] = at;
        } else {
            put_scalar(out, json, at, arena);
        }
        name_next = depth && kl_json_is(json, open[depth - 1], KL_JSON_OBJECT);
    }
    while (depth)
        (kl_json_is(json, open[--depth], KL_JSON_OBJECT) ? kl_json_put_object_end
                                                         : kl_json_put_array_end)(out);
}

/* Finds every member and element by name and by index. */
static void look_up(const struct kl_json *json)
{
    for (kl_json_ref at = 0; at < json->node_count; at++) {
        kl_json_ref name = kl_json_first(json, at);
        usize count = json->nodes[at].count;
        if (kl_json_is(json, at, KL_JSON_ARRAY)) {
            KL_ASSERT(kl_json_at(json, at, 0) == name);
            KL_ASSERT(kl_json_at(json, at, count) == KL_JSON_NONE);
            KL_ASSERT((kl_json_at(json, at, count - 1) != KL_JSON_NONE) == (count > 0));
        } else if (name != KL_JSON_NONE && kl_json_equals(json, name, "a")) {
            kl_json_ref found = kl_json_member(json, at, "a");
            KL_ASSERT(found >= kl_json_value(name) && found < json->nodes[at].next);
        } else {
            (void)kl_json_member(json, at, "ab");
        }
    }
}

/* Limits break off the reading, they never change what is read. */
static void limited(kl_span text, kl_rule want)
{
    struct kl_arena small;
    struct kl_json json;
    kl_rule broken;
    usize at;
    kl_arena_init(&small, 1 << 12);
    kl_status status = kl_json_parse(&json, text, NODES_MAX, &small, &broken, &at);
    KL_ASSERT(status == KL_NOMEM || broken == want);
    kl_arena_reset(&small, 0);
    status = kl_json_parse(&json, text, 7, &small, &broken, &at);
    KL_ASSERT(status == KL_OK && (broken == want || broken == KL_RULE_JSON_SIZE));
    kl_arena_done(&small);
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    struct kl_arena arena;
    struct kl_buf first, second;
    struct kl_json json, again;
    kl_rule broken;
    usize at;
    kl_arena_init(&arena, 1 << 28);
    kl_buf_init(&first, 1 << 26);
    kl_buf_init(&second, 1 << 26);
    kl_status status =
        kl_json_parse(&json, kl_span_of(bytes, len), NODES_MAX, &arena, &broken, &at);
    KL_ASSERT(status == KL_OK);
    limited(kl_span_of(bytes, len), broken);
    if (broken == KL_RULE_NONE) {
        struct kl_json_out out = kl_json_out_to(&first), out2 = kl_json_out_to(&second);
        put_all(&out, &json, &arena);
        status = kl_json_parse(&again, kl_buf_view(&first), NODES_MAX, &arena, &broken, &at);
        KL_ASSERT(status == KL_OK && broken == KL_RULE_NONE);
        KL_ASSERT(again.node_count == json.node_count);
        put_all(&out2, &again, &arena);
        KL_ASSERT(kl_span_eq(kl_buf_view(&first), kl_buf_view(&second)));
        look_up(&json);
    } else {
        KL_ASSERT(at <= len);
    }
    kl_buf_done(&first);
    kl_buf_done(&second);
    kl_arena_done(&arena);
    return 0;
}
