#include "rpc/at.h"

bool kl_rpc_number_at(struct kl_rpc_call *call, const kl_block_ref *ref, u64 *number, bool *found)
{
    struct kl_reader *reader = kl_rpc_reader(call);
    if (!reader)
        return false;
    u64 head = kl_reader_tip(reader)->header.number, at = head;
    kl_status status = KL_OK;
    switch (ref->kind) {
    case KL_BLOCK_LATEST:
    case KL_BLOCK_PENDING:
    case KL_BLOCK_SAFE:
    case KL_BLOCK_FINALIZED:
        break;
    case KL_BLOCK_EARLIEST:
        at = 0;
        break;
    case KL_BLOCK_NUMBER:
        at = ref->number;
        break;
    case KL_BLOCK_HASH:
        status = kl_reader_number_of(reader, &ref->hash, &at);
        break;
    }
    if (status != KL_OK && status != KL_NOTFOUND)
        return kl_rpc_ok(call, status);
    *found = status == KL_OK && at <= head;
    *number = at;
    return true;
}

bool kl_rpc_number_must(struct kl_rpc_call *call, const kl_block_ref *ref, u64 *number)
{
    bool found;
    if (!kl_rpc_number_at(call, ref, number, &found))
        return false;
    return found || kl_rpc_fail(call, KL_RPC_INPUT,
                                ref->kind == KL_BLOCK_HASH ? "header for hash not found"
                                                           : "header not found");
}

bool kl_rpc_state_of(struct kl_rpc_call *call, const kl_block_ref *ref, struct kl_rpc_state *out)
{
    u64 number;
    if (!kl_rpc_number_must(call, ref, &number))
        return false;
    struct kl_reader *reader = kl_rpc_reader(call);
    if (number == kl_reader_tip(reader)->header.number) {
        *out = (struct kl_rpc_state){.number = number, .view = kl_reader_view(reader)};
        return true;
    }
    struct kl_view *view;
    kl_status status = kl_reader_state(reader, number, &view);
    if (status == KL_NOTFOUND)
        return kl_rpc_fail(call, KL_RPC_INPUT, "historical state of block %llu is not available",
                           (unsigned long long)number);
    if (!kl_rpc_ok(call, status))
        return false;
    *out = (struct kl_rpc_state){.number = number, .view = view, .own = view};
    return true;
}

bool kl_rpc_state_at(struct kl_rpc_call *call, kl_arg block, struct kl_rpc_state *out)
{
    kl_block_ref ref;
    return kl_arg_block(call, block, &ref) && kl_rpc_state_of(call, &ref, out);
}

void kl_rpc_state_done(struct kl_rpc_state *state)
{
    kl_view_close(state->own);
    *state = (struct kl_rpc_state){0};
}
