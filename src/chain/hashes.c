#include "chain/chain_priv.h"

static kl_status get(struct kl_block_hashes *hashes, u64 number, kl_hash *out)
{
    u64 version;
    return kl_index_get_height(((struct kl_view_hashes *)hashes)->view, number, out, &version);
}

void kl_view_hashes_init(struct kl_view_hashes *out, struct kl_view *view)
{
    *out = (struct kl_view_hashes){.hashes = {.get = get}, .view = view};
}
