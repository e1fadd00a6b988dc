#include "trie/form_priv.h"

#include "codec/rlp.h"
#include "crypto/keccak.h"

enum { RLP_STRING = 0x80, RLP_LIST = 0xc0, LONG_FROM = 56 };
enum { PREFIX_MAX = 1 + KL_TRIE_NIBBLES_MAX / 2, PREFIX_LEAF = 0x20, PREFIX_ODD = 0x10 };

static usize header_len(usize len)
{
    usize zeros = len < LONG_FROM ? 64 : (usize)__builtin_clzll(len);
    return 9 - zeros / 8;
}

static u8 *put_header(u8 *p, u8 kind, usize len)
{
    usize n = header_len(len);
    if (n == 1) {
        *p = (u8)(kind + len);
        return p + 1;
    }
    *p = (u8)(kind + LONG_FROM - 2 + (int)n);
    for (usize i = 1; i < n; i++)
        p[i] = (u8)(len >> 8 * (n - 1 - i));
    return p + n;
}

/* A single byte below 0x80 is its own encoding. */
static bool stands_alone(kl_span s)
{
    return s.len == 1 && s.p[0] < RLP_STRING;
}

static usize string_len(kl_span s)
{
    return stands_alone(s) ? 1 : header_len(s.len) + s.len;
}

static u8 *put_string_header(u8 *p, kl_span s)
{
    return stands_alone(s) ? p : put_header(p, RLP_STRING, s.len);
}

static u8 *put_string(u8 *p, kl_span s)
{
    p = put_string_header(p, s);
    memcpy(p, s.p, s.len);
    return p + s.len;
}

/* Hex-prefix [YP appendix C]: the flags and the first nibble of an odd path share a byte. */
static kl_span put_prefix(u8 *room, kl_trie_path path, u8 flags)
{
    usize count = path.to - path.from, from = path.from;
    room[0] = flags;
    if (count % 2)
        room[0] = (u8)(flags | PREFIX_ODD | kl_trie_nibble(path.key, from++));
    if (from % 2 == 0) {
        memcpy(room + 1, path.key + from / 2, count / 2);
    } else {
        for (usize i = 0; i < count / 2; i++, from += 2)
            room[1 + i] = (u8)(path.key[from / 2] << 4 | path.key[from / 2 + 1] >> 4);
    }
    return kl_span_of(room, 1 + count / 2);
}

void kl_trie_ref_node(kl_trie_ref *ref, kl_span node)
{
    if (node.len >= KL_TRIE_HASHED_MIN) {
        kl_hash hash = kl_keccak256(node);
        kl_trie_ref_hash(ref, &hash);
        return;
    }
    ref->len = (u8)node.len;
    memcpy(ref->rlp, node.p, node.len);
}

kl_hash kl_trie_ref_root(const u8 *ref)
{
    kl_hash hash;
    if (ref[0] != KL_TRIE_TAG_HASH)
        return kl_keccak256(kl_span_of(ref, kl_trie_ref_len(ref[0])));
    memcpy(hash.b, ref + 1, sizeof hash.b);
    return hash;
}

kl_span kl_trie_leaf_head(u8 *room, kl_trie_path path, kl_span value)
{
    u8 prefix_room[PREFIX_MAX];
    kl_span prefix = put_prefix(prefix_room, path, PREFIX_LEAF);
    u8 *p = put_header(room, RLP_LIST, string_len(prefix) + string_len(value));
    p = put_string(p, prefix);
    p = put_string_header(p, value);
    return kl_span_of(room, (usize)(p - room));
}

kl_span kl_trie_extension(u8 *room, kl_trie_path path, const u8 *ref)
{
    u8 prefix_room[PREFIX_MAX];
    kl_span prefix = put_prefix(prefix_room, path, 0);
    usize ref_len = kl_trie_ref_len(ref[0]);
    u8 *p = put_header(room, RLP_LIST, string_len(prefix) + ref_len);
    p = put_string(p, prefix);
    memcpy(p, ref, ref_len);
    return kl_span_of(room, (usize)(p - room) + ref_len);
}

kl_span kl_trie_branch_head(u8 *room, const u8 *const children[16], kl_span value)
{
    u8 *body = room + 9, *p = body;
    for (unsigned n = 0; n < 16; n++) {
        const u8 *ref = children[n];
        if (!ref) {
            *p++ = RLP_STRING;
        } else if (KL_LIKELY(ref[0] == KL_TRIE_TAG_HASH)) {
            memcpy(p, ref, 33);
            p += 33;
        } else {
            usize len = kl_trie_ref_len(ref[0]);
            memcpy(p, ref, len);
            p += len;
        }
    }
    p = put_string_header(p, value);
    usize payload = (usize)(p - body) + value.len;
    u8 *start = body - header_len(payload);
    put_header(start, RLP_LIST, payload);
    return kl_span_of(start, (usize)(p - start));
}

/* A child of a branch (which may lack it) or of an extension: an item of at most 33 bytes. */
static bool read_child(kl_rlp *items, kl_span *out)
{
    kl_span item;
    bool is_list;
    if (kl_rlp_item(items, &item, &is_list) != KL_RULE_NONE)
        return false;
    *out = item.len == 1 && item.p[0] == RLP_STRING ? KL_SPAN_NONE : item;
    return out->len == 0 || kl_trie_ref_len(item.p[0]) == item.len;
}

static bool read_branch(kl_trie_form *out, kl_rlp items)
{
    unsigned present = 0;
    for (unsigned n = 0; n < 16; n++) {
        if (!read_child(&items, &out->child[n]))
            return false;
        present += out->child[n].len > 0;
    }
    if (kl_rlp_bytes(&items, &out->value) != KL_RULE_NONE)
        return false;
    present += out->value.len > 0;
    return present >= 2;
}

static bool read_short(kl_trie_form *out, kl_rlp items)
{
    if (kl_rlp_bytes(&items, &out->prefix) != KL_RULE_NONE || out->prefix.len == 0)
        return false;
    u8 first = out->prefix.p[0];
    if (first >= PREFIX_LEAF + 2 * PREFIX_ODD || (!(first & PREFIX_ODD) && (first & 15)))
        return false;
    out->kind = first & PREFIX_LEAF ? KL_TRIE_LEAF : KL_TRIE_EXTENSION;
    if (out->kind == KL_TRIE_LEAF)
        return kl_rlp_bytes(&items, &out->value) == KL_RULE_NONE && out->value.len > 0;
    return read_child(&items, &out->child[0]) && out->child[0].len > 0 &&
           kl_trie_form_nibbles(out) > 0;
}

kl_rule kl_trie_form_read(kl_trie_form *out, kl_span node)
{
    kl_rlp items;
    usize count;
    *out = (kl_trie_form){.kind = KL_TRIE_BRANCH};
    if (kl_rlp_open(&items, node) != KL_RULE_NONE || kl_rlp_count(&items, &count) != KL_RULE_NONE)
        return KL_RULE_PROOF_NODE;
    bool good = count == 17 ? read_branch(out, items) : count == 2 && read_short(out, items);
    return good ? KL_RULE_NONE : KL_RULE_PROOF_NODE;
}

usize kl_trie_form_nibbles(const kl_trie_form *form)
{
    return 2 * (form->prefix.len - 1) + (form->prefix.p[0] & PREFIX_ODD ? 1 : 0);
}

bool kl_trie_form_fits(const kl_trie_form *form, kl_trie_path path)
{
    usize count = kl_trie_form_nibbles(form);
    if (count > path.to - path.from)
        return false;
    usize skip = 2 - count % 2; /* the flags, and the padding of an even path */
    for (usize i = 0; i < count; i++)
        if (kl_trie_nibble(form->prefix.p, skip + i) != kl_trie_nibble(path.key, path.from + i))
            return false;
    return true;
}
