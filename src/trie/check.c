/* A proof is read from the root down.  A node is believed when its hash is the one its parent, or
 * the root, names; nodes of less than 32 bytes stand inside their parents and are believed with
 * them.  Every step uses up at least one nibble of the key or ends the walk, so the walk is as long
 * as the key at most, whatever the nodes say. */
#include "crypto/keccak.h"
#include "trie/form_priv.h"
#include "trie/trie.h"

struct walk {
    const kl_span *nodes;
    usize count, used;
    kl_trie_path path;    /* what is left of the key */
    kl_span node, value;  /* where we are; what is there */
    bool below_extension; /* only a branch may stand here */
};

static kl_rule next_hashed(struct walk *w, const u8 *hash)
{
    if (w->used == w->count)
        return KL_RULE_PROOF_SHORT;
    w->node = w->nodes[w->used];
    kl_hash got = kl_keccak256(w->node);
    if (memcmp(got.b, hash, sizeof got.b) != 0)
        return KL_RULE_PROOF_HASH;
    if (w->used > 0 && w->node.len < KL_TRIE_HASHED_MIN)
        return KL_RULE_PROOF_NODE;
    w->used++;
    return KL_RULE_NONE;
}

/* Looks at one node; *ref is the child to go on with, empty where the walk ends. */
static kl_rule step(struct walk *w, kl_span *ref)
{
    kl_trie_form form;
    KL_JUDGE(kl_trie_form_read(&form, w->node));
    if (w->below_extension && form.kind != KL_TRIE_BRANCH)
        return KL_RULE_PROOF_NODE;
    w->below_extension = form.kind == KL_TRIE_EXTENSION;
    *ref = KL_SPAN_NONE;
    switch (form.kind) {
    case KL_TRIE_LEAF:
        if (kl_trie_form_nibbles(&form) == w->path.to - w->path.from &&
            kl_trie_form_fits(&form, w->path))
            w->value = form.value;
        break;
    case KL_TRIE_EXTENSION:
        if (kl_trie_form_fits(&form, w->path)) {
            w->path.from += kl_trie_form_nibbles(&form);
            *ref = form.child[0];
        }
        break;
    case KL_TRIE_BRANCH:
        if (w->path.from == w->path.to)
            w->value = form.value;
        else
            *ref = form.child[kl_trie_nibble(w->path.key, w->path.from++)];
        break;
    }
    return KL_RULE_NONE;
}

kl_rule kl_trie_check(kl_span *value, const kl_hash *root, kl_span key, const kl_span *nodes,
                      usize count)
{
    struct walk w = {.nodes = nodes, .count = count, .path = {key.p, 0, 2 * key.len}};
    if (count == 0 && kl_hash_eq(root, &kl_keccak_empty_rlp)) {
        *value = KL_SPAN_NONE;
        return KL_RULE_NONE;
    }
    KL_JUDGE(next_hashed(&w, root->b));
    for (;;) {
        kl_span ref;
        KL_JUDGE(step(&w, &ref));
        if (ref.len == 0)
            break;
        if (ref.p[0] == KL_TRIE_TAG_HASH)
            KL_JUDGE(next_hashed(&w, ref.p + 1));
        else
            w.node = ref;
    }
    if (w.used < w.count)
        return KL_RULE_PROOF_TRAILING;
    *value = w.value;
    return KL_RULE_NONE;
}
