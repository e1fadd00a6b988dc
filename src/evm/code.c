#include "evm/code.h"

#include <stdlib.h>

#include "base/sync.h"
#include "evm/code_priv.h"
#include "evm/opcode.h"

/* One piece of the heap: this, the jump map, the code, its padding. */
struct box {
    struct kl_code code;
    kl_refs refs;
    u64 map[];
};

static struct box *box_of(struct kl_code *code)
{
    return (struct box *)(void *)((u8 *)code - offsetof(struct box, code));
}

void kl_jumpdests_find(u64 *bits, const u8 *code, usize len)
{
    for (usize i = 0; i < len; i++) {
        u8 op = code[i];
        if (op >= KL_OP_PUSH1 && op <= KL_OP_PUSH32)
            i += op - KL_OP_PUSH1 + 1u;
        else if (op == KL_OP_JUMPDEST)
            bits[i / 64] |= (u64)1 << (i % 64);
    }
}

kl_status kl_code_new(struct kl_code **out, kl_span bytes)
{
    usize words = kl_jumpdest_words(bytes.len);
    if (bytes.len > UINT32_MAX)
        return KL_LIMIT;
    struct box *box = calloc(1, sizeof *box + words * sizeof(u64) + bytes.len + KL_CODE_PAD);
    if (!box)
        return KL_NOMEM;
    u8 *copy = (u8 *)(box->map + words);
    if (bytes.len)
        memcpy(copy, bytes.p, bytes.len);
    kl_jumpdests_find(box->map, copy, bytes.len);
    kl_refs_init(&box->refs);
    box->code = (struct kl_code){.bytes = copy, .len = bytes.len, .jumpdests = box->map};
    static const u8 designator[3] = {0xef, 0x01, 0x00}; /* [EIP-7702] */
    if (bytes.len == sizeof designator + 20 && memcmp(copy, designator, sizeof designator) == 0) {
        box->code.delegates = true;
        memcpy(box->code.delegate.b, copy + sizeof designator, 20);
    }
    *out = &box->code;
    return KL_OK;
}

struct kl_code *kl_code_ref(struct kl_code *code)
{
    kl_refs_add(&box_of(code)->refs);
    return code;
}

void kl_code_unref(struct kl_code *code)
{
    if (code && kl_refs_drop(&box_of(code)->refs))
        free(box_of(code));
}
