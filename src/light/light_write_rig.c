/* A bundle as JSON, by a writer that can be told to write one value wrong. */
#include "codec/hex.h"
#include "light/light_rig_priv.h"

struct writer {
    struct kl_json_out out;
    const rig_style *style;
    usize values;
};

/* What no reader may take where a byte string or a quantity belongs. */
static bool spoil(struct writer *w, const char *name, bool quantity)
{
    static const char *const wrong[] = {"7",       "null",   "\"\"",      "\"12\"",
                                        "\"0x0\"", "[]",     "\"0xzz\"",  "{}",
                                        "true",    "\"0x\"", "\" 0x12\"", "\"0x12 \""};
    if (++w->values != w->style->spoil)
        return false;
    unsigned how = w->style->how % KL_COUNT_OF(wrong);
    if (how == 4 && quantity)
        how = 9; /* "0x0" is a number, and "0x" none; of bytes it is the other way round */
    else if (how == 9 && !quantity)
        how = 4;
    if (how == 0 && name) { /* missing */
        kl_json_add_text(&w->out, "other", name);
        return true;
    }
    if (name)
        kl_json_put_key(&w->out, name);
    kl_json_put_raw(&w->out, kl_span_str(wrong[how]));
    return true;
}

static void put_hex(struct writer *w, kl_span digits)
{
    char prefix[] = "0x00000000000000000000";
    usize zeros = w->style->padded ? sizeof prefix - 1 : 2;
    struct kl_buf text;
    kl_buf_init(&text, SIZE_MAX / 2);
    kl_buf_bytes(&text, prefix, zeros);
    usize from = text.len;
    kl_buf_span(&text, digits);
    for (usize i = from; i < text.len && w->style->upper; i++)
        if (text.p[i] >= 'a')
            text.p[i] = (u8)(text.p[i] - 'a' + 'A');
    kl_json_put_string(&w->out, kl_buf_view(&text));
    kl_buf_done(&text);
}

static void data(struct writer *w, const char *name, kl_span bytes)
{
    rig_style bare = *w->style, *const style = &bare;
    if (spoil(w, name, false))
        return;
    if (name)
        kl_json_put_key(&w->out, name);
    struct kl_buf digits;
    kl_buf_init(&digits, SIZE_MAX / 2);
    kl_hex_digits((char *)kl_buf_extend(&digits, 2 * bytes.len), bytes);
    style->padded = false;
    struct writer plain = {w->out, style, 0};
    put_hex(&plain, kl_buf_view(&digits));
    w->out = plain.out;
    kl_buf_done(&digits);
}

static void quantity(struct writer *w, const char *name, kl_u256 value)
{
    char text[KL_HEX_U256_MAX];
    if (spoil(w, name, true))
        return;
    kl_json_put_key(&w->out, name);
    usize len = kl_hex_of_u256(text, value);
    put_hex(w, kl_span_of(text + 2, len - 2));
}

static void list(struct writer *w, const char *name, const kl_span *items, usize count)
{
    kl_json_put_key(&w->out, name);
    kl_json_put_array(&w->out);
    for (usize i = 0; i < count; i++)
        data(w, NULL, items[i]);
    kl_json_put_array_end(&w->out);
}

static void extra(struct writer *w, const char *name)
{
    if (w->style->extra) {
        kl_json_put_key(&w->out, name);
        kl_json_put_raw(&w->out, KL_SPAN_TEXT("[{\"header\": \"0x1\"}, null, -1.5e3]"));
    }
}

static void account(struct writer *w, const kl_light_account *a)
{
    kl_json_put_key(&w->out, "account");
    kl_json_put_object(&w->out);
    data(w, "address", kl_address_span(&a->address));
    list(w, "accountProof", a->nodes, a->node_count);
    quantity(w, "balance", a->claim.balance);
    extra(w, "Balance");
    quantity(w, "nonce", kl_u256_of(a->claim.nonce));
    data(w, "codeHash", kl_hash_span(&a->claim.code_hash));
    data(w, "storageHash", kl_hash_span(&a->claim.storage_root));
    kl_json_put_key(&w->out, "storageProof");
    kl_json_put_array(&w->out);
    for (usize i = 0; i < a->slot_count; i++) {
        kl_json_put_object(&w->out);
        quantity(w, "key", a->slots[i].key);
        quantity(w, "value", a->slots[i].value);
        list(w, "proof", a->slots[i].nodes, a->slots[i].node_count);
        kl_json_put_object_end(&w->out);
    }
    kl_json_put_array_end(&w->out);
    kl_json_put_object_end(&w->out);
}

usize light_rig_write(struct kl_buf *text, const kl_light_bundle *b, const rig_style *style)
{
    struct writer w = {kl_json_out_to(text), style, 0};
    const kl_light_finality *f = &b->finality;
    kl_json_put_object(&w.out);
    quantity(&w, "chainId", kl_u256_of(b->chain_id));
    if (b->has_genesis) {
        kl_json_put_key(&w.out, "genesis");
        kl_json_put_object(&w.out);
        data(&w, "hash", kl_hash_span(&b->genesis_hash));
        data(&w, "header", b->genesis.header);
        data(&w, "consensusHeader", b->genesis.consensus_header);
        data(&w, "validators", b->genesis.validators);
        kl_json_put_object_end(&w.out);
    }
    extra(&w, "Epochs");
    kl_json_put_key(&w.out, "epochs");
    kl_json_put_array(&w.out);
    for (usize i = 0; i < b->epoch_count; i++) {
        kl_json_put_object(&w.out);
        data(&w, "header", b->epochs[i].header);
        data(&w, "consensusHeader", b->epochs[i].consensus_header);
        data(&w, "finalization", b->epochs[i].finalization);
        data(&w, "validators", b->epochs[i].validators);
        kl_json_put_object_end(&w.out);
    }
    kl_json_put_array_end(&w.out);
    list(&w, "headers", f->headers, f->header_count);
    if (f->consensus_header.len)
        data(&w, "consensusHeader", f->consensus_header);
    if (f->finalization.len)
        data(&w, "finalization", f->finalization);
    if (b->has_account)
        account(&w, &b->account);
    extra(&w, "");
    kl_json_put_object_end(&w.out);
    KL_ASSERT(!text->failed);
    return w.values;
}
